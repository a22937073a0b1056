//! What the clients of a recorded cluster were told, and how far each node's recording had come by then.
//!
//! ```text
//! <folder>/facts.json      cluster, nodes, data folders
//!          acked           one acknowledgement a line
//!          n1.recording    what the node did to its files
//!          n1.final/       its data after an orderly stop, and n1.earlier/ after an earlier one
//!          reference.json  what a rehearsal says of the first node's final data
//! ```
//!
//! Invariants:
//! - An acknowledgement is noted after it was received, and positions are read after that: at a crash at these
//!   positions or later the write was acknowledged.
//! - Lines are in the order of noting, so that each node's positions never go back from line to line.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use serde_json::{Value, json};

/// One acknowledged write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Who answered, and in which term.
    pub node: u64,
    /// See `node`.
    pub term: u64,
    /// The revision it got.
    pub revision: u64,
    /// Its id.
    pub request_id: String,
    /// How far the recording of each node had come, in the order of their numbers.
    pub positions: Vec<u64>,
}

impl Acknowledged {
    fn line(&self) -> String {
        let positions: Vec<String> = self.positions.iter().map(ToString::to_string).collect();
        format!("{} {} {} {} {}\n", self.node, self.term, self.revision, self.request_id, positions.join(" "))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let mut number = || parts.next()?.parse().ok();
        let (node, term, revision) = (number()?, number()?, number()?);
        let request_id = parts.next()?.to_owned();
        let positions = parts.map(|position| position.parse().ok()).collect::<Option<_>>()?;
        Some(Self { node, term, revision, request_id, positions })
    }
}

/// Where acknowledgements are noted while a cluster is recorded.
#[derive(Debug)]
pub struct Notes {
    file: Mutex<File>,
    recordings: Vec<PathBuf>,
}

impl Notes {
    /// Into `folder/acked`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path, nodes: u64) -> anyhow::Result<Self> {
        let recordings = (1..=nodes).map(|node| folder.join(format!("n{node}.recording"))).collect();
        Ok(Self { file: Mutex::new(File::create(folder.join("acked"))?), recordings })
    }

    /// Notes that a write was acknowledged just now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, node: u64, term: u64, revision: u64, request_id: &str) -> anyhow::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let positions =
            self.recordings.iter().map(|path| Ok(fs::metadata(path)?.len())).collect::<anyhow::Result<_>>()?;
        let request_id = request_id.to_owned();
        Ok(file.write_all(Acknowledged { node, term, revision, request_id, positions }.line().as_bytes())?)
    }
}

/// A recorded cluster.
#[derive(Debug)]
pub struct Facts {
    /// Where it lies.
    pub folder: PathBuf,
    /// The cluster's id.
    pub cluster_id: String,
    /// Where each node's data lay when it ran.
    pub roots: Vec<String>,
    /// Everything that was acknowledged, in its order.
    pub acknowledged: Vec<Acknowledged>,
    /// See the module; absent while the recording is made.
    pub reference: Value,
}

impl Facts {
    /// Of the recording in `folder`.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            fs::read_to_string(folder.join(name))
                .with_context(|| format!("{}: not a recording", folder.join(name).display()))
        };
        let facts: Value = serde_json::from_str(&text("facts.json")?)?;
        let roots = facts["roots"].as_array().context("facts.json: no roots")?;
        let acknowledged = text("acked")?.lines().map(Acknowledged::parse).collect::<Option<_>>();
        Ok(Self {
            folder: folder.to_owned(),
            cluster_id: facts["cluster_id"].as_str().context("facts.json: no cluster_id")?.to_owned(),
            roots: roots.iter().filter_map(|root| Some(root.as_str()?.to_owned())).collect(),
            acknowledged: acknowledged.context("a line of acked is none")?,
            reference: fs::read_to_string(folder.join("reference.json"))
                .map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?,
        })
    }

    /// Writes `facts.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(folder: &Path, cluster_id: &str, roots: &[String]) -> anyhow::Result<()> {
        let facts = json!({ "cluster_id": cluster_id, "roots": roots });
        Ok(fs::write(folder.join("facts.json"), facts.to_string())?)
    }

    /// Nodes.
    #[must_use]
    pub fn nodes(&self) -> u64 {
        self.roots.len() as u64
    }

    /// Those that had been acknowledged when each node had come to its position.
    #[must_use]
    pub fn before(&self, positions: &[u64]) -> &[Acknowledged] {
        let is_before =
            |acked: &Acknowledged| acked.positions.iter().zip(positions).all(|(noted, crash)| noted <= crash);
        &self.acknowledged[..self.acknowledged.partition_point(is_before)]
    }
}

#[cfg(test)]
mod tests {
    use super::{Acknowledged, Facts};

    #[test]
    fn what_was_acknowledged_before_a_crash_is_told_by_all_positions() {
        let acked = |revision, positions: [u64; 2]| Acknowledged {
            node: 1,
            term: 2,
            revision,
            request_id: format!("r{revision}"),
            positions: positions.to_vec(),
        };
        let all = vec![acked(1, [10, 5]), acked(2, [20, 5]), acked(3, [20, 30])];
        for one in &all {
            assert_eq!(Acknowledged::parse(one.line().trim_end()), Some(one.clone()));
        }
        let facts = Facts {
            folder: "x".into(),
            cluster_id: String::new(),
            roots: vec![String::new(); 2],
            acknowledged: all,
            reference: serde_json::Value::Null,
        };
        for (positions, count) in [([9, 9], 0), ([10, 5], 1), ([20, 29], 2), ([19, 99], 1), ([20, 30], 3)] {
            assert_eq!(facts.before(&positions).len(), count, "{positions:?}");
        }
    }
}
