//! Asks the real node what it makes of a data folder: a `musterd rehearse` that stays and answers one question after
//! the other.
//!
//! A process that ends, or that does not answer in time, is an answer too; the next question gets a new one.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What became of a start.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It started; see the node's `rehearse.rs` for what is told.
    Started(Value),
    /// It refused, with a reason and an exit code.
    Refused(String, i64),
    /// It broke: a panic, an end, no answer.
    Broke(String),
}

impl Answer {
    /// What it told, when it started.
    #[must_use]
    pub fn started(&self) -> Option<&Value> {
        match self {
            Self::Started(told) => Some(told),
            Self::Refused(..) | Self::Broke(_) => None,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Rehearser {
    musterd: PathBuf,
    segment_bytes: usize,
    errors: PathBuf,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Rehearser {
    /// With this `musterd`, and segments of the log as they were recorded. `errors` is where it complains.
    #[must_use]
    pub fn new(musterd: PathBuf, segment_bytes: usize, errors: PathBuf) -> Self {
        Self { musterd, segment_bytes, errors, process: None }
    }

    /// Lets a node start on `folder`, which it changes.
    ///
    /// # Errors
    /// When there is no process to ask.
    pub fn ask(&mut self, folder: &Path, cluster_id: &str, node: u64) -> anyhow::Result<Answer> {
        if self.process.is_none() {
            self.process = Some(self.start()?);
        }
        let process = self.process.as_mut().context("just started")?;
        let asked = writeln!(process.questions, "{}\t{cluster_id}\t{node}", folder.display());
        let answer = match asked.map(|()| process.answers.recv_timeout(ANSWER_MAX)) {
            Ok(Ok(line)) => return read(&line),
            Ok(Err(RecvTimeoutError::Timeout)) => format!("no answer within {ANSWER_MAX:?}"),
            Ok(Err(RecvTimeoutError::Disconnected)) | Err(_) => "the process ended".to_owned(),
        };
        let how = self.end();
        let said = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let tail: Vec<&str> = said.lines().rev().take(5).collect();
        Ok(Answer::Broke(format!("{answer} ({how}); it said: {}", tail.join(" | "))))
    }

    fn start(&self) -> anyhow::Result<Process> {
        let mut child = Command::new(&self.musterd)
            .arg("rehearse")
            .env("MUSTER_LOG_SEGMENT_BYTES", self.segment_bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&self.errors)?)
            .spawn()
            .context("musterd rehearse")?;
        let (questions, lines) = (child.stdin.take().context("a pipe")?, child.stdout.take().context("a pipe")?);
        let (sender, answers) = sync_channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Process { child, questions, answers })
    }

    fn end(&mut self) -> String {
        let Some(mut process) = self.process.take() else { return String::new() };
        process.child.kill().ok();
        process.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Rehearser {
    fn drop(&mut self) {
        self.end();
    }
}

fn read(line: &str) -> anyhow::Result<Answer> {
    let told: Value = serde_json::from_str(line).with_context(|| format!("not an answer: {line}"))?;
    if let Some(why) = told["refused"].as_str() {
        return Ok(Answer::Refused(why.to_owned(), told["code"].as_i64().unwrap_or_default()));
    }
    if let Some(panic) = told["panicked"].as_str() {
        return Ok(Answer::Broke(format!("a panic: {panic}")));
    }
    Ok(Answer::Started(told))
}
