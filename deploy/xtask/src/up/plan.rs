//! The plan of a development cluster: how many nodes, on which ports, and where their files lie.
//!
//! Knows paths and the file `cluster.json` that remembers the plan; starts nothing. Invariants:
//! - A cluster keeps its plan: its addresses are in the Raft membership, so another number of nodes or other ports need
//!   a fresh one.
//! - `cluster.json` is written last. A folder without it was never started and may be made anew; a folder that holds
//!   other people's files is never deleted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::ports::Ports;

/// More nodes than this on one machine show nothing that fewer don't.
const NODES_MAX: u16 = 9;

/// Where everything of one development cluster lies.
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) port_base: u16,
    pub(super) nodes: Vec<PlannedNode>,
}

/// One node of the plan.
#[derive(Clone)]
pub(super) struct PlannedNode {
    /// The node's id in the cluster, from 1.
    pub(super) id: u16,
    pub(super) ports: Ports,
    /// Holds the node's configuration, data and log.
    pub(super) folder: PathBuf,
}

/// What the person asked for; what they left open is taken from an existing cluster, or from the defaults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub(super) nodes: Option<u16>,
    pub(super) port_base: Option<u16>,
}

impl Plan {
    pub(super) const NODES: u16 = 3;
    pub(super) const PORT_BASE: u16 = 7420;

    /// A plan for a cluster that does not exist yet.
    pub(super) fn new(folder: &Path, wishes: Wishes) -> Result<Self> {
        Self::with(folder, wishes.nodes.unwrap_or(Self::NODES), wishes.port_base.unwrap_or(Self::PORT_BASE))
    }

    /// The plan of the cluster in this folder, if there is one; an error when it is not what was asked for.
    pub(super) fn load(folder: &Path, wishes: Wishes) -> Result<Option<Self>> {
        let file = folder.join("cluster.json");
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; --fresh starts anew", file.display()))?;
        let number = |key: &str| {
            let number = value.get(key).and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok());
            number.with_context(|| format!("{} lacks {key}; --fresh starts anew", file.display()))
        };
        let (nodes, port_base) = (number("nodes")?, number("port_base")?);
        if wishes.nodes.is_some_and(|wish| wish != nodes) || wishes.port_base.is_some_and(|wish| wish != port_base) {
            bail!(
                "the cluster in {} has {nodes} nodes with ports from {port_base}; use --fresh to replace it, or another --dir",
                folder.display()
            );
        }
        Self::with(folder, nodes, port_base).map(Some)
    }

    fn with(folder: &Path, nodes: u16, port_base: u16) -> Result<Self> {
        ensure!((1..=NODES_MAX).contains(&nodes), "--nodes takes 1 to {NODES_MAX}");
        let ports = Ports::of_cluster(port_base, nodes)?;
        let nodes =
            (1..).zip(ports).map(|(id, ports)| PlannedNode { id, ports, folder: folder.join(format!("n{id}")) });
        Ok(Self { folder: folder.to_owned(), port_base, nodes: nodes.collect() })
    }

    /// Remembers the plan. From now on the folder holds a cluster.
    pub(super) fn save(&self) -> Result<()> {
        let text = format!("{:#}\n", json!({ "nodes": self.nodes.len(), "port_base": self.port_base }));
        let file = self.folder.join("cluster.json");
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
    }

    /// How many nodes there are.
    pub(super) fn size(&self) -> u16 {
        self.nodes.last().map_or(0, |node| node.id)
    }

    /// The certificates and secrets of the cluster.
    pub(super) fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    /// What the command line reads to reach the cluster.
    pub(super) fn context_file(&self) -> PathBuf {
        self.folder.join("contexts.toml")
    }

    /// Tells that the sample fleet is in the cluster, so that a second start does not undo what was done to it.
    pub(super) fn sample_mark(&self) -> PathBuf {
        self.folder.join("sample-imported")
    }
}

impl PlannedNode {
    pub(super) fn name(&self) -> String {
        format!("n{}", self.id)
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.folder.join("log.txt")
    }
}

/// Deletes a cluster. Refuses to delete a folder that is not one of ours.
pub(super) fn delete(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let name = entry.with_context(|| format!("reading {}", folder.display()))?.file_name();
        let name = name.to_string_lossy();
        ensure!(
            is_ours(&name),
            "{} holds {name}, which `cargo xtask up` did not put there; delete the folder yourself if you mean it",
            folder.display()
        );
    }
    fs::remove_dir_all(folder).with_context(|| format!("deleting {}", folder.display()))
}

/// Whether a file at the top of the folder comes from us; `import-*` are the command line's notes on imports.
fn is_ours(name: &str) -> bool {
    matches!(name, "cluster.json" | "pki" | "contexts.toml" | "sample-imported")
        || name.starts_with("import-")
        || name.strip_prefix('n').is_some_and(|id| id.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYTHING: Wishes = Wishes { nodes: None, port_base: None };

    #[test]
    fn a_cluster_keeps_its_plan() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(Plan::load(folder.path(), ANYTHING).expect("an empty folder is no error").is_none());
        Plan::new(folder.path(), Wishes { nodes: Some(5), port_base: Some(9000) })
            .expect("a plan")
            .save()
            .expect("written");
        let again = Plan::load(folder.path(), ANYTHING).expect("readable").expect("there");
        assert_eq!((again.nodes.len(), again.nodes[4].ports.http), (5, 9042));
        assert!(Plan::load(folder.path(), Wishes { nodes: Some(5), port_base: None }).is_ok());
        let error = Plan::load(folder.path(), Wishes { nodes: Some(3), port_base: None })
            .err()
            .expect("another size")
            .to_string();
        assert!(error.contains("5 nodes") && error.contains("--fresh"), "{error}");
    }

    #[test]
    fn a_damaged_plan_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for text in ["{", "{}", r#"{"nodes": 3, "port_base": 70000}"#] {
            fs::write(folder.path().join("cluster.json"), text).expect("written");
            let error = format!("{:#}", Plan::load(folder.path(), ANYTHING).err().expect("damaged"));
            assert!(error.contains("--fresh"), "{error}");
        }
    }

    #[test]
    fn only_our_own_folders_are_deleted() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let ours = root.path().join("ours");
        fs::create_dir_all(ours.join("n1/data")).expect("made");
        Plan::new(&ours, ANYTHING).expect("a plan").save().expect("written");
        delete(&ours).expect("it is ours");
        assert!(!ours.exists());
        delete(&ours).expect("what is gone is gone");

        let theirs = root.path().join("theirs");
        fs::create_dir_all(&theirs).expect("made");
        fs::write(theirs.join("notes.txt"), "dear").expect("written");
        assert!(delete(&theirs).is_err());
        assert!(theirs.join("notes.txt").exists());
    }

    #[test]
    fn the_number_of_nodes_is_bounded() {
        for nodes in [0, 10] {
            assert!(Plan::new(Path::new("x"), Wishes { nodes: Some(nodes), port_base: None }).is_err());
        }
    }
}
