//! The log under SIGKILL: a child process appends and reports what is durable; whatever it reported must be found.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use openraft::RaftLogReader;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;

use super::support::Remember;
use crate::raft::log_store::{self, LogCloser, LogStore};
use crate::raft::log_tail::TailLimits;
use crate::raft::types::{Entry, EntryPayload, Payload, TypeConfig, Vote, log_id};

/// Names the directory in which the child works; without it the child's test does nothing.
const DIR: &str = "MUSTER_TEST_CRASH_DIR";
/// Small enough for a new segment every few rounds, so that kills meet files being made, used again and removed.
const SEGMENT_BYTES: usize = 16 << 10;

fn open(dir: &Path) -> (LogStore, LogCloser) {
    let limits = TailLimits { entries: 16, bytes: usize::MAX };
    log_store::open(dir, SEGMENT_BYTES, limits, Box::new(|_| Ok(())), Arc::new(Remember::default())).unwrap()
}

/// The child: appends, votes, truncates and purges until it is killed.
#[tokio::test]
#[ignore = "run by killed_in_the_middle as a process of its own"]
async fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let (mut log, _closer) = open(Path::new(&dir));
    let state = log.get_log_state().await.unwrap();
    let mut term = log.read_vote().await.unwrap().map_or(0, |vote| vote.leader_id.term) + 1;
    let mut next = state.last_log_id.map_or(0, |last| last.index + 1);
    let mut out = std::io::stdout();
    loop {
        log.save_vote(&Vote::new_committed(term, 1)).await.unwrap();
        writeln!(out, "vote {term}").unwrap();
        for _ in 0..20 {
            let entries: Vec<_> = (next..next + 5)
                .map(|index| {
                    let payload = Payload(format!("{term}/{index}").repeat(50).into());
                    Entry { log_id: log_id(term, index), payload: EntryPayload::Normal(payload) }
                })
                .collect();
            let (sender, flushed) = TypeConfig::oneshot();
            log.append(entries, IOFlushed::signal(sender)).await.unwrap();
            flushed.await.unwrap().unwrap();
            next += 5;
            writeln!(out, "log {}", next - 1).unwrap();
        }
        // From here on only the shorter log is promised.
        writeln!(out, "log {}", next - 4).unwrap();
        log.truncate_after(Some(log_id(term, next - 4))).await.unwrap();
        next -= 3;
        if next > 300 {
            log.purge(log_id(term, next - 60)).await.unwrap();
            writeln!(out, "purged {}", next - 60).unwrap();
        }
        term += 1;
    }
}

#[tokio::test]
async fn killed_in_the_middle_nothing_reported_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["raft::tests::crash::child", "--exact", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut vote, mut last, mut purged) = (0, 0, 0);
        let mut seen = 0;
        // Every line that the child wrote before it died counts, also those read after the kill.
        while let Some(Ok(line)) = lines.next() {
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["vote", term] => vote = term.parse::<u64>().unwrap(),
                ["log", index] => last = index.parse::<u64>().unwrap(),
                ["purged", index] => purged = index.parse::<u64>().unwrap(),
                _ => continue,
            }
            seen += 1;
            if seen == 60 + 7 * round {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success() && seen >= 60, "the child ended by itself after {seen} lines");
        let (mut log, closer) = open(dir.path());
        let found = log.read_vote().await.unwrap().unwrap().leader_id.term;
        assert!(found >= vote, "vote {vote} was reported, {found} is here");
        let state = log.get_log_state().await.unwrap();
        let end = state.last_log_id.unwrap().index;
        assert!(end >= last, "entry {last} was reported, the log ends at {end}");
        let start = state.last_purged_log_id.map_or(0, |purged| purged.index + 1);
        assert!(start > purged || purged == 0, "purging up to {purged} was reported, the log starts at {start}");
        let entries = log.try_get_log_entries(..).await.unwrap();
        let found: Vec<_> = entries.iter().map(|entry| entry.log_id.index).collect();
        assert_eq!(found, (start..=end).collect::<Vec<_>>(), "no hole");
        drop(log);
        assert!(closer.closed(Duration::from_secs(10)).await);
    }
}
