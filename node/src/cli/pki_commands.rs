//! `musterd pki`: certificates for a cluster and its clients.
//!
//! Deliberately knows no layout (`pki/`): it turns arguments into names.

use super::say;
use crate::clock::{Clock, SystemClock};
use crate::identity::{CertIdentity, Role};
use crate::ids_source::{IdsSource, OsIds};
use crate::pki::{self, NodeNames, Paths};
use anyhow::Context;
use clap::{ArgGroup, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum PkiCommand {
    /// Make authorities, certificates, keys and the first token for a new cluster
    #[command(group(ArgGroup::new("members").required(true).args(["node", "nodes"])))]
    Init {
        /// Folder to write into; nothing in it is overwritten
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// A node and the DNS names and addresses clients reach it by; may be repeated, numbered 1, 2, 3 in this order
        #[arg(long, value_name = "NAME=DNS-OR-IP,..", value_parser = NodeNames::parse)]
        node: Vec<NodeNames>,
        /// This many nodes on this machine, named n1, n2, n3
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9))]
        nodes: Option<u8>,
        /// UUID of the cluster [default: a new one]
        #[arg(long, value_name = "UUID")]
        cluster_id: Option<String>,
    },
    /// Issue the certificates of one more node: DIR/nodes/NAME, for the id that `muster cluster join` printed
    Node {
        /// Folder of `pki init`, with client-ca.key and peer-ca.key
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The id it was admitted under
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        id: u64,
        /// Its name and the DNS names and addresses clients reach it by
        #[arg(long, value_name = "NAME=DNS-OR-IP,..", value_parser = NodeNames::parse)]
        node: NodeNames,
    },
    /// Issue a client certificate: NAME.crt and NAME.key
    IssueClient {
        /// Folder of `pki init`, with client-ca.key
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// What its holder may do
        #[arg(long)]
        role: RoleArgument,
        /// Names the holder in the history, and the files
        #[arg(long)]
        name: String,
        /// For the roles device and edge: where it is registered
        #[arg(long, required_if_eq_any([("role", "device"), ("role", "edge")]))]
        namespace: Option<String>,
        /// For the role device: its id
        #[arg(long, required_if_eq("role", "device"))]
        device: Option<String>,
        /// For the role edge: its id
        #[arg(long, required_if_eq("role", "edge"))]
        edge: Option<String>,
        /// Folder to write into [default: DIR]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleArgument {
    Viewer,
    Operator,
    Admin,
    Device,
    Edge,
}

impl PkiCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Init { dir, node, nodes, cluster_id } => init(dir, node, nodes, cluster_id),
            Self::Node { dir, id, node } => {
                pki::issue_node(&dir, &node, id, &SystemClock, &OsIds)?;
                let folder = Paths::new(&dir).node_file(&node.name, "");
                say(&format!("node {id}: {} holds all it needs; copy it there", folder.display()));
                Ok(())
            }
            Self::IssueClient { dir, role, name, namespace, device, edge, out } => {
                let identity = identity(role, &name, namespace, device, edge)?;
                let out = out.unwrap_or_else(|| dir.clone());
                pki::issue_client(&dir, &identity, &name, &out, &SystemClock, &OsIds)?;
                say(&format!("wrote {name}.crt and {name}.key to {} for {identity}", out.display()));
                Ok(())
            }
        }
    }
}

fn init(dir: PathBuf, node: Vec<NodeNames>, nodes: Option<u8>, cluster_id: Option<String>) -> anyhow::Result<()> {
    let members: Vec<NodeNames> = match nodes {
        Some(count) => (1..=count).map(|number| NodeNames::local(format!("n{number}"))).collect(),
        None => node,
    };
    let cluster_id = cluster_id.unwrap_or_else(|| OsIds.uuid());
    let canonical = uuid::Uuid::try_parse(&cluster_id).is_ok_and(|uuid| uuid.hyphenated().to_string() == cluster_id);
    anyhow::ensure!(canonical, "--cluster-id must be a UUID in lower case with hyphens");
    pki::init(&dir, &cluster_id, &members, &SystemClock as &dyn Clock, &OsIds)?;
    let paths = Paths::new(&dir);
    say(&format!("wrote certificates for cluster {cluster_id}"));
    for (member, id) in members.iter().zip(1..) {
        let folder = paths.node_file(&member.name, "");
        say(&format!("  node {id}: {} holds all it needs; copy it there", folder.display()));
    }
    say(&format!("  {} and client-ca.key: take them off this machine", paths.file("peer-ca.key").display()));
    Ok(())
}

fn identity(
    role: RoleArgument,
    name: &str,
    namespace: Option<String>,
    device: Option<String>,
    edge: Option<String>,
) -> anyhow::Result<CertIdentity> {
    let role = match role {
        RoleArgument::Viewer => Role::Viewer,
        RoleArgument::Operator => Role::Operator,
        RoleArgument::Admin => Role::Admin,
        RoleArgument::Device => {
            let namespace = namespace.context("--role device needs --namespace")?;
            let device = device.context("--role device needs --device")?;
            anyhow::ensure!(edge.is_none(), "--edge goes with --role edge only");
            return Ok(CertIdentity::Device { namespace, device });
        }
        RoleArgument::Edge => {
            let namespace = namespace.context("--role edge needs --namespace")?;
            let edge = edge.context("--role edge needs --edge")?;
            anyhow::ensure!(device.is_none(), "--device goes with --role device only");
            return Ok(CertIdentity::Edge { namespace, edge });
        }
    };
    let bound = namespace.is_some() || device.is_some() || edge.is_some();
    anyhow::ensure!(!bound, "--namespace, --device and --edge go with the roles device and edge only");
    Ok(CertIdentity::Role { role, name: name.to_owned() })
}
