//! `muster-edge reset --new-incarnation`: sets the store aside.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use muster_edge::Config;
use muster_edge::store::{Store, StoreError, set_aside};

use super::{print, say};

/// Set the store aside, so that the edge begins anew
///
/// The next start makes a new store: an empty replica, which the cluster fills again, an empty queue, and a new incarnation,
/// which the cluster takes for another edge that happens to have the same name.
///
/// WARNING: operations that wait in the queue are NOT sent any more. Some of them may have taken effect; they are not repeated,
/// because then they could take effect twice. Let the agent empty its queue first if it still can (`muster-edge status`).
#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The configuration file of the agent
    #[arg(long, short, env = "MUSTER_EDGE_CONFIG")]
    config: PathBuf,
    /// Says that this is what you want
    #[arg(long, required = true)]
    new_incarnation: bool,
}

impl Reset {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        debug_assert!(self.new_incarnation, "clap requires it");
        let config = Config::load(&self.config)?;
        let folder = &config.edge.store_dir;
        anyhow::ensure!(folder.exists(), "there is no store in {}", folder.display());
        warn_of_what_waits(&config)?;
        let label = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().to_string();
        match set_aside(folder, &label)? {
            Some(path) => print(&format!("the old store is kept as {}\n", path.display())),
            None => print("there was no store; the next start makes one\n"),
        }
    }
}

/// Says what is lost, and refuses while the agent runs.
fn warn_of_what_waits(config: &Config) -> anyhow::Result<()> {
    let whole = config.edge.store_dir.join("edge.redb").exists();
    if !whole {
        return Ok(());
    }
    match Store::open(&config.edge.store_dir, &config.edge.name, &mut || [0; 16]) {
        Ok((_, loaded)) => {
            let waiting = loaded.state.newest - loaded.state.acknowledged;
            say(&format!("warning: {waiting} operations wait in the queue; they are not sent any more"));
        }
        Err(error @ StoreError::Busy { .. }) => return Err(error.into()),
        Err(error) => say(&format!("warning: what waits in the queue is not known: {error}")),
    }
    Ok(())
}
