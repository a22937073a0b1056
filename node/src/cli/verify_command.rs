//! `musterd verify`: does a stopped node's data, or a backup, agree with itself?
//!
//! Deliberately knows nothing of what is checked (`backup/verify.rs`). The result is on standard output, one fact a line; a
//! difference ends with exit code 70, as a node does that finds its storage damaged, and what cannot be read with 1.

use super::{RunArgs, print, say};
use crate::backup::verify;
use crate::store::verify::Verified;
use clap::Args;
use std::path::PathBuf;

/// Without --backup: the data directory of --data-dir or the configuration, on which no node may run.
#[derive(Debug, Args)]
pub(super) struct VerifyCommand {
    /// A backup file, a folder of backups (its newest), or one manifest of such a folder
    #[arg(long, value_name = "PATH")]
    backup: Option<PathBuf>,
    /// Of a folder of backups: the one at this revision
    #[arg(long, value_name = "REVISION", requires = "backup")]
    revision: Option<u64>,
    /// Where to unpack the backup; needs as much room as it [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR", requires = "backup")]
    work_dir: Option<PathBuf>,
}

impl VerifyCommand {
    pub(super) fn run(self, args: &RunArgs) -> anyhow::Result<()> {
        match self.backup {
            Some(from) => {
                let parent = self.work_dir.unwrap_or_else(std::env::temp_dir);
                let work = parent.join(format!("musterd-verify-{}", std::process::id()));
                let (manifest, verified) = verify::backup(&from, self.revision, &work, progress())?;
                let head = format!("cluster {}\nfiles {}\n", manifest.cluster_id, manifest.files.len());
                print(&(head + &facts(&verified, &muster_backup::hex(&manifest.chain_hash))))
            }
            None => {
                let path = args.load()?.node.data_dir;
                let report = verify::data_dir(&path, progress())?;
                let place = |place: Option<(u64, u64)>| place.map_or("none".to_owned(), |(a, b)| format!("{a} {b}"));
                let head = format!(
                    "cluster {}\nnode {}\nraft log entries {}\napplied term and index {}\n",
                    report.identity.cluster_id,
                    report.identity.node_id,
                    place(report.log),
                    place(report.applied)
                );
                print(&(head + &facts(&report.verified, &report.chain_hash)))
            }
        }
    }
}

/// Says each tenth.
fn progress() -> impl FnMut(u64, u64) {
    let mut told = 0;
    move |done, all| {
        let tenth = done * 10 / all.max(1);
        if tenth > told {
            told = tenth;
            say(&format!("{} % of the events read", tenth * 10));
        }
    }
}

fn facts(verified: &Verified, chain_hash: &str) -> String {
    let Verified { first_revision, revision, events, records, records_older } = verified;
    format!(
        "first revision {first_revision}\nrevision {revision}\nchain hash {chain_hash}\nevents {events}\n\
         records compared {records}\nrecords older than the log {records_older}\nagrees\n"
    )
}
