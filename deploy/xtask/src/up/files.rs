//! Writes the files of a new development cluster: one configuration per node, and the command line's context.
//!
//! Knows the keys of `node.toml` (deploy/config/node.toml lists them all) and of `contexts.toml`. Certificates and
//! secrets are made by `musterd pki init`; this file only points at them. Nothing secret is written here.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::plan::{Plan, PlannedNode};
use crate::workspace;

/// The namespace of the sample fleet; the context names it, so that commands need no `--namespace`.
const NAMESPACE: &str = "sample";

/// The first line of the contexts that we wrote and may write again.
const CONTEXTS_OPENING: &str = "# Written by `cargo xtask up`; `muster` reads it from here.\n";

/// Makes everything that the nodes and the command line need.
pub(super) fn create(plan: &Plan) -> Result<()> {
    // Without cluster.json, what lies here is left from a start that did not come to its end.
    for left in [plan.pki()].iter().chain(plan.nodes.iter().map(|node| &node.folder)) {
        if left.exists() {
            fs::remove_dir_all(left).with_context(|| format!("deleting {}", left.display()))?;
        }
    }
    fs::create_dir_all(&plan.folder).with_context(|| format!("creating {}", plan.folder.display()))?;
    make_certificates(plan)?;
    let cluster_id = fs::read_to_string(plan.pki().join("cluster-id")).context("reading the cluster's id")?;
    for node in &plan.nodes {
        fs::create_dir_all(&node.folder).with_context(|| format!("creating {}", node.folder.display()))?;
        write(&node.config_file(), &node_config(plan, node, cluster_id.trim()))?;
    }
    plan.save()
}

/// Writes what depends on where the repository is today; done at every start.
pub(super) fn refresh(plan: &Plan) -> Result<()> {
    let folder = fs::canonicalize(&plan.folder).with_context(|| format!("finding {}", plan.folder.display()))?;
    // A file that somebody changed with `muster context set` has lost our first line, and is theirs now.
    let theirs = fs::read_to_string(plan.context_file()).is_ok_and(|text| !text.starts_with(CONTEXTS_OPENING));
    if !theirs {
        write(&plan.context_file(), &contexts(plan, &folder))?;
    }
    Ok(())
}

fn make_certificates(plan: &Plan) -> Result<()> {
    let output = Command::new(workspace::binary("musterd")?)
        .args(["pki", "init", "--nodes", &plan.nodes.len().to_string(), "--dir"])
        .arg(plan.pki())
        .output()
        .context("running musterd pki init")?;
    ensure!(output.status.success(), "musterd pki init failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// One node's configuration. Paths in it are relative to the file itself, so the folder may be moved.
fn node_config(plan: &Plan, node: &PlannedNode, cluster_id: &str) -> String {
    let name = node.name();
    let pki = format!("../pki/nodes/{name}");
    let mut text = String::from("# Written by `cargo xtask up`. Every key is described in deploy/config/node.toml.\n");
    let member = plan.nodes.len() > 1;
    section(&mut text, "node", &[("id", node.id.to_string()), ("name", quoted(&name)), ("data_dir", quoted("data"))]);
    section(&mut text, "cluster", &[("id", quoted(cluster_id))]);
    if member {
        for other in &plan.nodes {
            section(
                &mut text,
                "[cluster.members]",
                &[
                    ("id", other.id.to_string()),
                    ("name", quoted(&other.name())),
                    ("peer_address", quoted(&format!("127.0.0.1:{}", other.ports.peer))),
                    ("client_address", quoted(&format!("127.0.0.1:{}", other.ports.client))),
                ],
            );
        }
    }
    section(&mut text, "client_listener", &[("address", quoted(&format!("127.0.0.1:{}", node.ports.client)))]);
    section(
        &mut text,
        "client_listener.tls",
        &[
            ("cert_file", quoted(&format!("{pki}/server.crt"))),
            ("key_file", quoted(&format!("{pki}/server.key"))),
            ("client_ca_file", quoted(&format!("{pki}/client-ca.crt"))),
        ],
    );
    if member {
        section(&mut text, "peer_listener", &[("address", quoted(&format!("127.0.0.1:{}", node.ports.peer)))]);
        section(
            &mut text,
            "peer_listener.tls",
            &[
                ("cert_file", quoted(&format!("{pki}/peer.crt"))),
                ("key_file", quoted(&format!("{pki}/peer.key"))),
                ("ca_file", quoted(&format!("{pki}/peer-ca.crt"))),
            ],
        );
    }
    section(&mut text, "http", &[("address", quoted(&format!("127.0.0.1:{}", node.ports.http)))]);
    section(
        &mut text,
        "security",
        &[
            ("secrets_key_file", quoted(&format!("{pki}/secrets.key"))),
            ("admin_token_file", quoted(&format!("{pki}/admin.token"))),
        ],
    );
    text
}

/// The command line's context. Its paths are absolute, because it is used from anywhere.
fn contexts(plan: &Plan, folder: &Path) -> String {
    let endpoints: Vec<_> =
        plan.nodes.iter().map(|node| quoted(&format!("https://127.0.0.1:{}", node.ports.client))).collect();
    let pki = |name: &str| quoted(&folder.join("pki").join(name).display().to_string());
    let mut text = String::from(CONTEXTS_OPENING);
    text.push_str("current = \"local\"\n");
    section(
        &mut text,
        "contexts.local",
        &[
            ("endpoints", format!("[{}]", endpoints.join(", "))),
            ("ca_file", pki("client-ca.crt")),
            ("cert_file", pki("admin.crt")),
            ("key_file", pki("admin.key")),
            ("tls_server_name", quoted("localhost")),
            ("namespace", quoted(NAMESPACE)),
        ],
    );
    text
}

fn section(text: &mut String, name: &str, entries: &[(&str, String)]) {
    writeln!(text, "\n[{name}]").expect("writing to a string cannot fail");
    for (key, value) in entries {
        writeln!(text, "{key} = {value}").expect("writing to a string cannot fail");
    }
}

/// A TOML basic string. TOML takes JSON's escapes, so JSON's quoting serves.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a file that only its owner may read: it says where secrets lie.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::plan::Wishes;
    use super::*;

    fn plan(nodes: u16) -> Plan {
        Plan::new(Path::new(".muster"), Wishes { nodes: Some(nodes), port_base: None }).expect("a plan")
    }

    #[test]
    fn a_member_knows_all_members_and_its_own_addresses() {
        let plan = plan(3);
        let text = node_config(&plan, &plan.nodes[1], "0b0c");
        assert!(text.contains("[node]\nid = 2\nname = \"n2\"\n"), "{text}");
        assert!(text.contains("[cluster]\nid = \"0b0c\"\n"), "{text}");
        assert_eq!(text.matches("[[cluster.members]]").count(), 3, "{text}");
        assert!(text.contains("peer_address = \"127.0.0.1:7441\""), "{text}");
        assert!(text.contains("[client_listener]\naddress = \"127.0.0.1:7430\"\n"), "{text}");
        assert!(text.contains("key_file = \"../pki/nodes/n2/peer.key\""), "{text}");
    }

    #[test]
    fn a_single_node_has_no_peers() {
        let plan = plan(1);
        let text = node_config(&plan, &plan.nodes[0], "0b0c");
        assert!(!text.contains("members") && !text.contains("peer_listener"), "{text}");
    }

    #[test]
    fn the_context_lists_every_endpoint_and_quotes_its_paths() {
        let text = contexts(&plan(3), Path::new("/home/a \"b\"/m"));
        assert!(
            text.contains(
                r#"endpoints = ["https://127.0.0.1:7420", "https://127.0.0.1:7430", "https://127.0.0.1:7440"]"#
            ),
            "{text}"
        );
        assert!(text.contains(r#"cert_file = "/home/a \"b\"/m/pki/admin.crt""#), "{text}");
    }

    #[test]
    fn files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("node.toml");
        write(&file, "long text").expect("written");
        write(&file, "short").expect("written again");
        assert_eq!(fs::read_to_string(&file).expect("read"), "short");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    }
}
