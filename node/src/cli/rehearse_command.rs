//! `musterd rehearse`: for the crash lab, not for people. Reads from standard input, line by line, which data
//! directories to start on without a network, and answers each with a line of JSON.
//!
//! ```text
//! <directory> TAB <cluster id> TAB <node id>    →    {"vote":…, "revision":…}  or  {"refused":"…","code":70}  or
//! {"panicked":"…"}
//! ```
//!
//! Only in builds with debug assertions: it takes part in nothing, but has no place on a production node.

use std::io::{BufRead, Write};
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{chain, exit_code};
use crate::rehearse::{self, Task};

pub(super) fn run() -> anyhow::Result<()> {
    ensure!(cfg!(debug_assertions), "this is not for a release");
    let said = Arc::new(Mutex::new(String::new()));
    let hook = Arc::clone(&said);
    panic::set_hook(Box::new(move |panic| {
        *hook.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    for line in std::io::stdin().lock().lines() {
        let task = parse(&line?)?;
        // A thread of its own, so that a panic ends only this.
        let answer = std::thread::spawn(move || answer(task)).join().unwrap_or_else(
            |_| json!({ "panicked": said.lock().unwrap_or_else(PoisonError::into_inner).replace('\n', " ") }),
        );
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn parse(line: &str) -> anyhow::Result<Task> {
    let mut parts = line.split('\t');
    let mut next = || parts.next().context("three parts are needed");
    let (data_dir, cluster_id, node_id) = (next()?.into(), next()?.to_owned(), next()?.parse()?);
    Ok(Task { data_dir, cluster_id, node_id })
}

fn answer(task: Task) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let found = runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(rehearse::run(task)));
    found.unwrap_or_else(|error| json!({ "refused": chain(&error), "code": exit_code(&error) }))
}
