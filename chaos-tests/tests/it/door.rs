//! Who gets in, and how far: credentials, roles, the row of every RPC, and the listener of the peers.

use std::path::Path;

use anyhow::ensure;
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_client::{Client, names, proto};
use tokio::process::Command;

use crate::wire;

mod credentials;
mod devices;
mod roles;
mod rows;

/// The namespace that scoped callers belong to, and another.
const OWN: &str = "plant1";
const OTHER: &str = "plant2";

async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let admin = cluster.client()?;
    for namespace_id in [OWN, OTHER] {
        let request = proto::CreateNamespaceRequest { namespace_id: namespace_id.to_owned(), ..Default::default() };
        admin.namespaces().create(request).await?;
        for device_id in ["pump7", "pump8"] {
            let parent = names::namespace(namespace_id);
            let request = proto::CreateDeviceRequest { parent, device_id: device_id.to_owned(), ..Default::default() };
            admin.devices().create(request).await?;
        }
    }
    admin.twins().patch(patch(OWN, "pump7", 0)).await?;
    Ok((cluster, admin))
}

fn patch(namespace: &str, device: &str, value: u64) -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(namespace, device),
        tags_json: Some("{\"owner\":\"back end\"}".to_owned()),
        desired_json: Some(format!("{{\"value\":{value}}}")),
        ..Default::default()
    }
}

fn report(namespace: &str, device: &str) -> proto::ReportPropertiesRequest {
    proto::ReportPropertiesRequest {
        name: names::twin(namespace, device),
        reported_json: "{\"seen\":true}".to_owned(),
        ..Default::default()
    }
}

fn twin(namespace: &str, device: &str) -> proto::GetTwinRequest {
    proto::GetTwinRequest { name: names::twin(namespace, device), ..Default::default() }
}

fn tags(namespace: &str, device: &str) -> proto::GetTwinRequest {
    proto::GetTwinRequest { section: proto::TwinSection::Tags.into(), ..twin(namespace, device) }
}

fn list(namespace: &str) -> proto::ListDevicesRequest {
    proto::ListDevicesRequest { parent: names::namespace(namespace), ..Default::default() }
}

fn keys(namespace: &str) -> proto::GetDeviceKeysRequest {
    proto::GetDeviceKeysRequest { name: names::device(namespace, "pump7"), ..Default::default() }
}

async fn pki(arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let made = Command::new(binary("musterd")?).arg("pki").args(arguments).arg("--dir").arg(folder).output().await?;
    ensure!(made.status.success(), "musterd pki {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

fn with_token(cluster: &Cluster, token: &str) -> anyhow::Result<Client> {
    Ok(Client::new(wire::once(cluster)?.token(token))?)
}

fn with_certificate(cluster: &Cluster, name: &str) -> anyhow::Result<Client> {
    let file = |ending: &str| cluster.pki().join(format!("{name}.{ending}"));
    Ok(Client::new(wire::once(cluster)?.identity_files(file("crt"), file("key"))?)?)
}
