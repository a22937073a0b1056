//! What members need before they run: certificates, settings, folders, ports.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::ensure;
use muster_client::proto;
use tokio::process::Command;

use super::{Cluster, DISK_FAULTS, Node, Options};
use crate::ports;

impl Cluster {
    pub(super) async fn make_certificates(&self, nodes: u64) -> anyhow::Result<()> {
        let made = Command::new(&self.musterd)
            .args(["pki", "init", "--nodes", &nodes.to_string(), "--dir"])
            .arg(self.pki())
            .output()
            .await?;
        ensure!(made.status.success(), "musterd pki init: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    pub(super) fn write_settings(&mut self, options: &Options) -> anyhow::Result<()> {
        let cluster_id = fs::read_to_string(self.pki().join("cluster-id"))?;
        let ports: Vec<[u16; 3]> = (0..options.nodes).map(|_| free_ports()).collect::<anyhow::Result<_>>()?;
        let members: String = (1..=options.nodes)
            .zip(&ports)
            .map(|(id, [client, peer, _])| {
                format!(
                    "[[cluster.members]]\nid = {id}\nname = \"n{id}\"\npeer_address = \"127.0.0.1:{peer}\"\n\
                     client_address = \"127.0.0.1:{client}\"\n"
                )
            })
            .collect();
        for (id, ports) in (1..=options.nodes).zip(&ports) {
            let cluster = format!("[cluster]\nid = \"{}\"\n{members}", cluster_id.trim());
            self.write_node(
                id,
                ports,
                &format!("admin_token_file = \"{}\"", self.pki().join("admin.token").display()),
                &cluster,
            )?;
        }
        Ok(())
    }

    fn write_node(&mut self, id: u64, ports: &[u16; 3], security: &str, cluster: &str) -> anyhow::Result<()> {
        let [client, peer, http] = ports;
        let folder = self.folder.path().join(format!("n{id}"));
        fs::create_dir(&folder)?;
        let pki = self.pki().join(format!("nodes/n{id}"));
        let pki = pki.display();
        let settings = format!(
            "[node]\nid = {id}\nname = \"n{id}\"\ndata_dir = \"data\"\n\
             [client_listener]\naddress = \"127.0.0.1:{client}\"\n\
             [client_listener.tls]\ncert_file = \"{pki}/server.crt\"\nkey_file = \"{pki}/server.key\"\n\
             client_ca_file = \"{pki}/client-ca.crt\"\n\
             [peer_listener]\naddress = \"127.0.0.1:{peer}\"\n\
             [peer_listener.tls]\ncert_file = \"{pki}/peer.crt\"\nkey_file = \"{pki}/peer.key\"\n\
             ca_file = \"{pki}/peer-ca.crt\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n\
             [security]\nsecrets_key_file = \"{pki}/secrets.key\"\n{security}\n\
             {}\n{cluster}",
            self.settings,
        );
        fs::write(folder.join("node.toml"), settings)?;
        fs::write(folder.join(DISK_FAULTS), [0; 64])?;
        self.nodes.push(Node { id, client_port: *client, peer_port: *peer, folder, process: None });
        Ok(())
    }

    /// Admits a node, makes what it needs, and starts it; returns its id.
    ///
    /// # Errors
    /// When a step fails, with what it printed.
    pub async fn add_node(&mut self, admission: proto::AdmitNodeRequest) -> anyhow::Result<u64> {
        let answer = self.client()?.members().admit(admission).await?;
        self.prepare_node(&answer).await?;
        self.start_node(answer.node_id)?;
        Ok(answer.node_id)
    }

    /// Makes certificates and settings of a node that was admitted, without starting it.
    ///
    /// # Errors
    /// When a step fails, with what it printed.
    pub async fn prepare_node(&mut self, admitted: &proto::AdmitNodeResponse) -> anyhow::Result<()> {
        let id = admitted.node_id;
        let made = Command::new(&self.musterd)
            .args(["pki", "node", "--id", &id.to_string(), "--node", &format!("n{id}=localhost,127.0.0.1"), "--dir"])
            .arg(self.pki())
            .output()
            .await?;
        ensure!(made.status.success(), "musterd pki node: {}", String::from_utf8_lossy(&made.stderr));
        let cluster_id = fs::read_to_string(self.pki().join("cluster-id"))?;
        let join: Vec<String> = admitted.peer_addresses.iter().map(|address| format!("\"{address}\"")).collect();
        let cluster = format!(
            "[cluster]\nid = \"{}\"\njoin = [{}]\njoin_token_file = \"join.token\"\n",
            cluster_id.trim(),
            join.join(", ")
        );
        self.write_node(id, &free_ports()?, "", &cluster)?;
        let token = self.node(id).folder.join("join.token");
        fs::write(&token, format!("{}\n", admitted.join_token))?;
        Ok(fs::set_permissions(token, fs::Permissions::from_mode(0o600))?)
    }
}

/// For clients, peers and HTTP.
fn free_ports() -> anyhow::Result<[u16; 3]> {
    Ok([ports::free()?, ports::free()?, ports::free()?])
}
