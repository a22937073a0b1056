//! What processes take while things break: memory, descriptors, disk. R1 and R2: all of it stays within bounds.
//!
//! Source: reliability notes R1 and R2. The bound of memory is wide, because load decides most of it; what it finds is what grows
//! without end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::ensure;

/// Memory of a process, bytes.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// Open descriptors of a process.
const DESCRIPTORS_MAX: u64 = 2_000;

/// The most that was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of memory in use.
    pub memory_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Bytes of files.
    pub disk_bytes: u64,
}

/// The most that each node took.
#[derive(Debug, Default)]
pub struct Resources(BTreeMap<u64, Taken>);

impl Resources {
    /// Looks at a process now; one that is gone takes nothing.
    pub fn look(&mut self, node: u64, pid: Option<u32>, folder: &Path) {
        let most = self.0.entry(node).or_default();
        if let Some(pid) = pid {
            most.memory_bytes = most.memory_bytes.max(memory(pid).unwrap_or_default());
            most.descriptors = most.descriptors.max(descriptors(pid).unwrap_or_default());
        }
        most.disk_bytes = most.disk_bytes.max(bytes_below(folder));
    }

    /// The most of all nodes, once it is within bounds.
    ///
    /// # Errors
    /// Names the node that took more, and what.
    pub fn check(&self) -> anyhow::Result<Taken> {
        let mut most = Taken::default();
        for (node, taken) in &self.0 {
            ensure!(
                taken.memory_bytes <= MEMORY_BYTES_MAX,
                "R1: node {node} took {} bytes of memory",
                taken.memory_bytes
            );
            ensure!(taken.descriptors <= DESCRIPTORS_MAX, "R1: node {node} had {} descriptors", taken.descriptors);
            most.memory_bytes = most.memory_bytes.max(taken.memory_bytes);
            most.descriptors = most.descriptors.max(taken.descriptors);
            most.disk_bytes = most.disk_bytes.max(taken.disk_bytes);
        }
        Ok(most)
    }
}

fn memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

fn descriptors(pid: u32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}

/// Files that vanish meanwhile do not count.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_below(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something_and_bounds_are_bounds() {
        let mut resources = Resources::default();
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), [0; 100]).expect("written");
        resources.look(1, Some(std::process::id()), folder.path());
        let taken = resources.check().expect("within bounds");
        assert!(taken.memory_bytes > 1 << 20 && taken.descriptors > 2 && taken.disk_bytes == 100, "{taken:?}");
        resources.0.insert(2, Taken { descriptors: DESCRIPTORS_MAX + 1, ..taken });
        assert!(resources.check().is_err());
    }
}
