//! What RocksDB says by itself: put into the node's log, and told to whoever must hear of a broken disk.
//!
//! An error of RocksDB's own work, compactions and flushes that nobody waits for, reaches who writes next; to a state that a snapshot
//! has just replaced nobody writes again. A disk that fails a sync is broken, and a node does not go on with one, whichever state
//! met it. The log is the one place where such an error is told at once.

use rocksdb::{InfoLogger, LogLevel};

use super::broken;

/// What a line says that tells of failed work of its own.
const FAILED_WORK: &str = "Waiting after background ";
/// How an error begins that tells of damage.
const DAMAGED: &str = "Corruption";

/// Puts warnings and errors into the node's log; calls `on_broken` with what was said of a broken disk.
pub(super) fn logger(on_broken: fn(&str)) -> InfoLogger {
    InfoLogger::new_callback_logger(LogLevel::Warn, move |level, text| {
        let text = text.trim_end();
        match level {
            LogLevel::Error | LogLevel::Fatal => tracing::error!("RocksDB: {text}"),
            _ => tracing::debug!("RocksDB: {text}"),
        }
        if tells_of_a_broken_disk(text) {
            on_broken(text);
        }
    })
}

fn tells_of_a_broken_disk(line: &str) -> bool {
    let work = line.split_once(FAILED_WORK).map(|(_, work)| work);
    let error = work.and_then(|work| work.split_once("error: ")).map(|(_, error)| error);
    // With a damaged state it could not go on, either; an answer may be wrong before the next write fails.
    error.is_some_and(|error| error.starts_with(DAMAGED) || broken::says_rocksdb(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_met_a_broken_disk_is_told_from_all_else() {
        let flush = "[JOB 7] Waiting after background flush error: IO error: While fsync: a/000012.sst: Input/output error\
                     Accumulated background error counts: 1";
        assert!(tells_of_a_broken_disk(flush));
        let compaction = "Waiting after background compaction error: Corruption: block checksum mismatch, Accumulated";
        assert!(tells_of_a_broken_disk(compaction));
        let full =
            "Waiting after background compaction error: IO error: No space left on device: While appending to file";
        assert!(!tells_of_a_broken_disk(full), "it goes on when there is room");
        let gone = "[JOB 7] Waiting after background compaction error: IO error: No such file or directory: 000012.sst";
        assert!(!tells_of_a_broken_disk(gone), "a state that was replaced is removed");
        assert!(!tells_of_a_broken_disk("[default] Waiting after background flush error: Shutdown in progress: , Acc"));
        assert!(!tells_of_a_broken_disk("Options.max_background_jobs: IO error: none"));
    }
}
