//! What a newcomer sees when the cluster runs: where it listens, and commands that work as they stand.
//!
//! Knows the words of the command line and ids of the sample fleet; runs nothing. A test checks that each id it names
//! is in the sample.

use std::path::Path;

use super::cluster::Cluster;
use super::plan::Plan;
use super::processes::Nodes;
use crate::{say, workspace};

/// A device and an asset of the sample fleet that the commands below speak of.
const DEVICE: &str = "pump-001";
const ASSET: &str = "gdn-compressor";

/// Prints the addresses and what to try.
pub(super) fn print(plan: &Plan, cluster: &Cluster, nodes: &Nodes, root: &Path) {
    let leader = cluster.leader();
    say::plain("");
    say::plain("  node  client                   http                     process");
    for node in &plan.nodes {
        let process = nodes.pid(node.id).map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let role = if leader == Some(node.id) { "  leader" } else { "" };
        say::plain(&format!(
            "  {:<4}  {:<23}  {:<23}  {process}{role}",
            node.name(),
            format!("https://127.0.0.1:{}", node.ports.client),
            format!("http://127.0.0.1:{}", node.ports.http)
        ));
    }
    let shown = workspace::shown(&plan.folder, root);
    say::plain("");
    say::plain("Try, in another terminal in this folder:");
    say::plain("");
    for line in commands(plan, &shown, leader.and_then(|leader| nodes.pid(leader))) {
        say::plain(&format!("  {line}"));
    }
    say::plain("");
    say::plain(&format!("Logs: {shown}/n*/log.txt. Stop with Ctrl-C; the data stays in {shown}."));
}

/// The commands, each on a line of its own, comments included.
fn commands(plan: &Plan, shown: &str, leader_pid: Option<u32>) -> Vec<String> {
    let mut lines = vec!["alias muster=\"$(cargo xtask where)/muster\"".to_owned()];
    if shown != ".muster" {
        lines.push(format!("export MUSTER_CONTEXT_FILE=\"{}\"", plan.context_file().display()));
    }
    lines.extend([
        "muster cluster status".to_owned(),
        "muster device list".to_owned(),
        format!("muster twin get {DEVICE}"),
        format!("muster twin patch {DEVICE} --desired '{{\"speedRpm\": 1500}}'"),
        format!("muster history list devices/{DEVICE}/twin"),
        format!("muster asset get {ASSET}"),
        format!("curl -s http://127.0.0.1:{}/metrics", plan.nodes[0].ports.http),
    ]);
    if let Some(pid) = leader_pid.filter(|_| plan.nodes.len() > 2) {
        lines.push(format!(
            "kill -9 {pid}   # the leader: the others go on, and it is started again after a few seconds"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::plan::Wishes;
    use super::*;

    fn plan(nodes: u16) -> Plan {
        Plan::new(Path::new("/r/.muster"), Wishes { nodes: Some(nodes), port_base: None }).expect("a plan")
    }

    #[test]
    fn what_the_guide_names_is_in_the_sample() {
        let sample = workspace::root().expect("inside the repository").join("deploy/sample");
        let fleet = fs::read_to_string(sample.join("fleet.ndjson")).expect("the sample fleet");
        assert!(fleet.contains(&format!("\"id\": \"{DEVICE}\"")));
        let assets = fs::read_to_string(sample.join("assets.yaml")).expect("the sample assets");
        assert!(assets.contains(&format!("name: {ASSET}\n")));
    }

    #[test]
    fn a_folder_elsewhere_needs_its_context_named() {
        assert!(!commands(&plan(3), ".muster", None).iter().any(|line| line.contains("MUSTER_CONTEXT_FILE")));
        assert!(commands(&plan(3), "other", None).iter().any(|line| line.contains("MUSTER_CONTEXT_FILE")));
    }

    #[test]
    fn only_a_cluster_that_survives_it_is_told_to_lose_its_leader() {
        assert!(commands(&plan(3), ".muster", Some(77)).iter().any(|line| line.starts_with("kill -9 77")));
        assert!(!commands(&plan(1), ".muster", Some(77)).iter().any(|line| line.contains("kill")));
    }
}
