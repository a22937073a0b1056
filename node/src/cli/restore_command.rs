//! `musterd restore`: from a backup to a data directory that a new cluster begins with.
//!
//! Deliberately knows no file of either (`backup/restore.rs`): it turns flags and settings into a plan, and tells.

use super::{RunArgs, print, say};
use crate::backup::restore::{self, Restore};
use crate::ids_source::{IdsSource, OsIds};
use crate::server;
use anyhow::{Context, ensure};
use clap::Args;
use muster_domain::feature::FEATURE_LEVEL;
use std::path::PathBuf;

/// The configuration says where to, as which node, and how it is reached; flags win over it as always.
#[derive(Debug, Args)]
pub(super) struct RestoreCommand {
    /// A backup file, a folder of backups (its newest), or one manifest of such a folder
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Of a folder of backups: the one at this revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<u64>,
    /// UUID of the new cluster; it must match its certificates [default: cluster.id, else a new one]
    #[arg(long, value_name = "UUID")]
    cluster_id: Option<String>,
    /// Check the hashes of all events, but do not fold them into records: faster for a very large fleet
    #[arg(long)]
    quick: bool,
}

impl RestoreCommand {
    pub(super) fn run(self, args: &RunArgs) -> anyhow::Result<()> {
        let config = args.load()?;
        let cluster_id = match (self.cluster_id, &config.cluster.id) {
            (Some(flag), Some(configured)) if flag != *configured => {
                anyhow::bail!("--cluster-id {flag} differs from cluster.id {configured} of the configuration")
            }
            (Some(id), _) => id,
            (None, Some(id)) => id.clone(),
            (None, None) => OsIds.uuid(),
        };
        let canonical =
            uuid::Uuid::try_parse(&cluster_id).is_ok_and(|uuid| uuid.hyphenated().to_string() == cluster_id);
        ensure!(canonical, "--cluster-id must be a UUID in lower case with hyphens");
        let node_id = config.node.id;
        let member = server::members(&config, node_id).remove(&node_id);
        let member = member.with_context(|| format!("node.id {node_id} is not in cluster.members"))?;
        let plan = Restore {
            from: self.from,
            revision: self.revision,
            data_dir: config.node.data_dir.clone(),
            cluster_id: cluster_id.clone(),
            node_id,
            member,
            quick: self.quick,
            feature_level_max: FEATURE_LEVEL,
        };
        let mut told = 0;
        let restored = restore::restore(&plan, |done, all| {
            let tenth = done * 10 / all.max(1);
            if tenth > told {
                told = tenth;
                say(&format!("{} % checked and copied", tenth * 10));
            }
        })?;
        say(&format!("restored from {}", restore::describe(&restored.manifest)));
        if let Some(verified) = restored.verified {
            let (events, records) = (verified.events, verified.records);
            say(&format!("{events} events lead to the {records} records that are stored"));
        }
        say(&format!(
            "{} now holds node {node_id}, the only member of cluster {cluster_id}. Start musterd on it; revisions go on after {}. \
             The other members join empty.",
            plan.data_dir.display(),
            restored.manifest.revision
        ));
        say(
            "The sealing key of device keys is not part of a backup: give the old cluster's file as security.secrets_key_file, \
             or device keys cannot be read. API tokens of the backup are valid; revoke those that should not be. The token in \
             security.admin_token_file is added as an administrator's.",
        );
        print(&format!("{cluster_id}\n"))
    }
}
