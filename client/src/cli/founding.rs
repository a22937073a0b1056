//! `muster cluster init`: the configurations of the members that are to found a cluster. Calls nobody.
//!
//! - Nothing is overwritten, and nothing is written before everything was checked.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::exit::UsageError;
use crate::output::{self, talk};

/// Arguments of `muster cluster init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of `musterd pki init`; each configuration is written beside its node's certificates
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// The nodes, in the order and with the names given to `musterd pki init`; ports default to 7420 and 7421
    #[arg(required = true, value_name = "NAME=HOST[:CLIENT_PORT:PEER_PORT]", value_parser = Founder::parse)]
    nodes: Vec<Founder>,
}

/// One node of a new cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Founder {
    name: String,
    host: String,
    client_port: u16,
    peer_port: u16,
}

impl Founder {
    fn parse(text: &str) -> Result<Self, String> {
        let malformed = || "write NAME=HOST or NAME=HOST:CLIENT_PORT:PEER_PORT".to_owned();
        let (name, rest) = text.split_once('=').ok_or_else(malformed)?;
        let parts: Vec<&str> = rest.split(':').collect();
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(malformed);
        let (host, client_port, peer_port) = match parts[..] {
            [host] => (host, 7420, 7421),
            [host, client, peer] => (host, port(client)?, port(peer)?),
            _ => return Err(malformed()),
        };
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if !plain(name) || !plain(host) || client_port == peer_port {
            return Err(malformed());
        }
        Ok(Self { name: name.to_owned(), host: host.to_owned(), client_port, peer_port })
    }

    /// Where it listens: on all addresses, unless it is reached on its own machine only.
    fn listens_on(&self) -> &'static str {
        if self.host == "localhost" || self.host.starts_with("127.") { "127.0.0.1" } else { "0.0.0.0" }
    }
}

/// Writes one `node.toml` for each node.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { pki, nodes } = arguments;
    let path = pki.join("cluster-id");
    let cluster_id =
        std::fs::read_to_string(&path).with_context(|| format!("{}; `musterd pki init` writes it", path.display()))?;
    let files: Vec<PathBuf> = nodes.iter().map(|node| pki.join("nodes").join(&node.name).join("node.toml")).collect();
    for (node, file) in nodes.iter().zip(&files) {
        let certificate = file.with_file_name("peer.crt");
        if !certificate.exists() {
            let message = format!("{} has no certificates: {} is missing", node.name, certificate.display());
            return Err(UsageError(message).into());
        }
        if file.exists() {
            return Err(UsageError(format!("{} exists already and is not overwritten", file.display())).into());
        }
    }
    for (id, (node, file)) in (1..).zip(nodes.iter().zip(&files)) {
        write_new(file, &configuration(id, node, cluster_id.trim(), nodes))?;
        output::line(&file.display().to_string())?;
    }
    talk(format_args!(
        "Copy each node's folder to its machine and start it there: musterd --config node.toml\n\
         The cluster is founded once all {} run. admin.token in each folder is the first administrator's token.",
        nodes.len()
    ));
    Ok(())
}

fn configuration(id: u64, node: &Founder, cluster_id: &str, nodes: &[Founder]) -> String {
    let listens_on = node.listens_on();
    let Founder { name, client_port, peer_port, .. } = node;
    let http_port = peer_port.checked_add(1).filter(|port| port != client_port).unwrap_or(7422);
    let members: String = (1..)
        .zip(nodes)
        .map(|(id, Founder { name, host, client_port, peer_port }): (u64, &Founder)| {
            format!(
                "\n[[cluster.members]]\nid = {id}\nname = \"{name}\"\npeer_address = \"{host}:{peer_port}\"\n\
                 client_address = \"{host}:{client_port}\"\n"
            )
        })
        .collect();
    format!(
        "# Written by `muster cluster init`. Every key: musterd config default\n\
         [node]\nid = {id}\nname = \"{name}\"\ndata_dir = \"data\"\n\n\
         [client_listener]\naddress = \"{listens_on}:{client_port}\"\n\n\
         [client_listener.tls]\ncert_file = \"server.crt\"\nkey_file = \"server.key\"\nclient_ca_file = \"client-ca.crt\"\n\n\
         [peer_listener]\naddress = \"{listens_on}:{peer_port}\"\n\n\
         [peer_listener.tls]\ncert_file = \"peer.crt\"\nkey_file = \"peer.key\"\nca_file = \"peer-ca.crt\"\n\n\
         [http]\naddress = \"127.0.0.1:{http_port}\"\n\n\
         [security]\nsecrets_key_file = \"secrets.key\"\nadmin_token_file = \"admin.token\"\n\n\
         [cluster]\nid = \"{cluster_id}\"\n{members}"
    )
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_written_as_name_and_host() {
        let node = Founder::parse("n1=muster-1.example").expect("a node");
        assert_eq!((node.client_port, node.peer_port, node.listens_on()), (7420, 7421, "0.0.0.0"));
        let node = Founder::parse("n1=127.0.0.1:8001:9001").expect("a node");
        assert_eq!((node.client_port, node.peer_port, node.listens_on()), (8001, 9001, "127.0.0.1"));
        for bad in
            ["", "n1", "n1=", "=h", "n1=h:1", "n1=h:1:0", "n1=h:1:x", "n1=h:1:2:3", "n1=h:7:7", "../n=h", "n1=h/x"]
        {
            assert!(Founder::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_node_has_a_configuration_that_names_them_all_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pki = folder.path().to_owned();
        std::fs::write(pki.join("cluster-id"), "0f0e0d0c-0000-4000-8000-000000000000\n").expect("written");
        let nodes: Vec<Founder> =
            ["n1=a.example", "n2=b.example"].iter().map(|text| Founder::parse(text).expect("a node")).collect();
        let arguments = Arguments { pki: pki.clone(), nodes };
        let error = run(&arguments).expect_err("no certificates").to_string();
        assert!(error.contains("n1 has no certificates"), "{error}");
        for name in ["n1", "n2"] {
            std::fs::create_dir_all(pki.join("nodes").join(name)).expect("made");
            std::fs::write(pki.join("nodes").join(name).join("peer.crt"), "x").expect("written");
        }
        run(&arguments).expect("written");
        let text = std::fs::read_to_string(pki.join("nodes/n2/node.toml")).expect("there");
        let table: toml::Table = text.parse().expect("TOML");
        assert_eq!(table["node"]["id"].as_integer(), Some(2));
        assert_eq!(table["cluster"]["members"].as_array().map(Vec::len), Some(2));
        assert_eq!(table["cluster"]["members"][0]["peer_address"].as_str(), Some("a.example:7421"));
        assert!(run(&arguments).expect_err("exists").to_string().contains("not overwritten"));
    }
}
