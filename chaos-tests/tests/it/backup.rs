//! Backups of a running cluster: made under load, restored elsewhere, verified; and those that are damaged, refused.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_chaos::eventually::eventually;
use muster_chaos::invariants::{acked_writes_survive, replicas_agree};
use muster_chaos::workload::{NAMESPACE, Writers, prepare, wait_for_writes};
use muster_client::{Client, names, proto};
use tokio::process::Command;

use crate::table::Table;

mod interrupted;

const WRITERS: usize = 4;

async fn run(program: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    // Contexts of whoever runs the tests would lend their certificates.
    let nobody = tempfile::tempdir()?;
    Ok(Command::new(binary(program)?)
        .args(arguments)
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, nobody.path())))
        .current_dir(nobody.path())
        .output()
        .await?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `muster` with the connection to the given nodes.
async fn muster(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<Output> {
    let pki = cluster.pki();
    let path = |name: &str| pki.join(name).display().to_string();
    let (endpoint, ca, token) = (cluster.endpoint(1), path("client-ca.crt"), path("admin.token"));
    let connection = ["--endpoint", &endpoint, "--ca-file", &ca, "--token-file", &token, "--output", "json"];
    run("muster", &[&connection[..], arguments].concat()).await
}

async fn backup(cluster: &Cluster, to: &Path) -> anyhow::Result<serde_json::Value> {
    let made = muster(cluster, &["backup", "create", &to.display().to_string()]).await?;
    ensure!(made.status.success(), "muster backup create: {}", said(&made));
    Ok(serde_json::from_slice(&made.stdout)?)
}

/// A node on its own, started on a restored directory.
struct Restored {
    _process: tokio::process::Child,
    client: Client,
}

/// Keys, certificates and token of a node on its own are made in the directory when it starts.
async fn start(data_dir: &Path) -> anyhow::Result<Restored> {
    let address = format!("127.0.0.1:{}", muster_chaos::ports::free()?);
    let settings = data_dir.with_extension("toml");
    let text = format!(
        "[node]\ndata_dir = \"{}\"\n[client_listener]\naddress = \"{address}\"\n[http]\nenabled = false\n",
        data_dir.display()
    );
    std::fs::write(&settings, text)?;
    let log_file = data_dir.with_extension("log");
    let log = std::fs::File::create(&log_file)?;
    let process = Command::new(binary("musterd")?)
        .arg("--config")
        .arg(&settings)
        .env("XDG_CONFIG_HOME", data_dir)
        .env("HOME", data_dir)
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    let client = eventually("the restored node serves", std::time::Duration::from_secs(60), async || {
        let client = client_of(data_dir, &address).map_err(|error| error.to_string())?;
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        if status.can_write { Ok(client) } else { Err("no writes yet".to_owned()) }
    })
    .await
    .with_context(|| std::fs::read_to_string(&log_file).unwrap_or_default())?;
    Ok(Restored { _process: process, client })
}

fn client_of(data_dir: &Path, address: &str) -> anyhow::Result<Client> {
    let config = muster_client::ClientConfig::new([format!("https://{address}")])
        .ca_file(data_dir.join("pki/client-ca.crt"))?
        .server_name("localhost")
        .token_file(data_dir.join("pki/admin.token"))?;
    Ok(Client::new(config)?)
}

async fn restore(from: &Path, to: &Path) -> anyhow::Result<Output> {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    run("musterd", &["restore", "--from", &from, "--data-dir", &to]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_is_restored_elsewhere_and_revisions_go_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, WRITERS).await?;
    let query = proto::SavedQuery { text: "SELECT COUNT() AS n FROM devices".to_owned(), ..Default::default() };
    let request = proto::CreateSavedQueryRequest {
        parent: names::namespace(NAMESPACE),
        query_id: "all".to_owned(),
        query: Some(query),
        ..Default::default()
    };
    let saved = client.saved_queries().create(request).await?.query.context("the saved query")?;
    let writers = Writers::start((0..WRITERS).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);
    wait_for_writes(&client, 200).await?;
    let folder = cluster.scratch().join("backups");
    std::fs::create_dir(&folder)?;
    let first = backup(&cluster, &folder).await?;
    wait_for_writes(&client, 200).await?;
    let file = cluster.scratch().join("one.mbk");
    backup(&cluster, &file).await?;
    let second = backup(&cluster, &folder).await?;
    let acked = writers.finish().await?;
    replicas_agree::check(&client).await?;
    let revision = second["revision"].as_u64().context("a revision")?;
    ensure!(revision > first["revision"].as_u64().context("a revision")? + 200, "{first} and {second}");

    let path = folder.display().to_string();
    for arguments in [["backup", "verify", &path], ["backup", "list", &path]] {
        let checked = muster(&cluster, &arguments).await?;
        ensure!(checked.status.success(), "{arguments:?}: {}", said(&checked));
    }
    for from in [&path, &file.display().to_string()] {
        let verified = run("musterd", &["verify", "--backup", from]).await?;
        ensure!(verified.status.success(), "musterd verify: {}", said(&verified));
    }
    let elsewhere = cluster.scratch().join("elsewhere");
    let restored = restore(&folder, &elsewhere).await?;
    ensure!(restored.status.success(), "musterd restore: {}", said(&restored));
    let node = start(&elsewhere).await?;
    let status = node.client.cluster().status(proto::GetStatusRequest {}).await?;
    let header = status.header.context("a header")?;
    ensure!(header.cluster_id != second["clusterId"], "the cluster has an id of its own");
    ensure!(header.revision == revision + 1, "at revision {}, restored from {revision}", header.revision);
    let hash = proto::GetChainHashRequest { revision };
    let hash = node.client.cluster().chain_hash(hash).await?.chain_hash;
    ensure!(hash == second["chainHash"], "the chain of hashes goes on from the backup's");
    let before: Vec<_> = acked.into_iter().filter(|write| write.revision <= revision).collect();
    ensure!(before.len() > 200, "only {} writes to look for", before.len());
    acked_writes_survive::check(&node.client, &before, revision).await?;
    let request = proto::GetSavedQueryRequest { name: saved.name.clone(), ..Default::default() };
    ensure!(node.client.saved_queries().get(request).await?.query == Some(saved), "the saved query is there");
    let patch = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "d0"),
        desired_json: Some("{\"after\":true}".to_owned()),
        ..Default::default()
    };
    let after = node.client.twins().patch(patch).await?.header.context("a header")?.revision;
    ensure!(after > revision + 1, "revisions go on: {after}");
    drop(node);
    Ok(())
}

/// Changes one byte, or cuts the file there.
fn spoil(from: &Path, to: &Path, at: usize, change: impl Fn(&mut Vec<u8>, usize)) -> anyhow::Result<PathBuf> {
    let mut bytes = std::fs::read(from)?;
    ensure!(at < bytes.len(), "{at} lies beyond the end");
    change(&mut bytes, at);
    std::fs::write(to, bytes)?;
    Ok(to.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_damaged_cut_short_or_newer_is_refused_and_leaves_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, WRITERS).await?;
    let good = cluster.scratch().join("good.mbk");
    backup(&cluster, &good).await?;
    let length = usize::try_from(std::fs::metadata(&good)?.len())?;
    let scratch = |name: &str| cluster.scratch().join(name);
    let flip = |bytes: &mut Vec<u8>, at: usize| bytes[at] ^= 1;
    let cut = |bytes: &mut Vec<u8>, at: usize| bytes.truncate(at);
    // The number of the format follows the eight bytes that say what the file is.
    let newer = |bytes: &mut Vec<u8>, at: usize| bytes[at..at + 4].fill(0x7f);
    let cases = [
        ("damaged in its manifest", spoil(&good, &scratch("a.mbk"), 100, flip)?, "damaged"),
        ("damaged in a file", spoil(&good, &scratch("b.mbk"), length / 2, flip)?, "damaged"),
        ("damaged at its end", spoil(&good, &scratch("c.mbk"), length - 1, flip)?, "damaged"),
        ("cut in its manifest", spoil(&good, &scratch("d.mbk"), 60, cut)?, "cut short"),
        ("cut at its end", spoil(&good, &scratch("e.mbk"), length - 1, cut)?, "cut short"),
        ("of a newer format", spoil(&good, &scratch("f.mbk"), 8, newer)?, "newer version"),
        ("no backup", cluster.pki().join("client-ca.crt"), "not a backup"),
    ];
    let mut table = Table::default();
    let target = scratch("restored");
    for (case, from, expected) in cases {
        let refused = restore(&from, &target).await?;
        table.check(case, !refused.status.success() && said(&refused).contains(expected), || said(&refused));
        table.check(&format!("{case}: nothing is left"), !target.join("IDENTITY").exists(), || "IDENTITY".to_owned());
        let path = from.display().to_string();
        let verified = run("muster", &["backup", "verify", &path]).await?;
        table.check(&format!("{case}: verify"), !verified.status.success(), || said(&verified));
    }
    let own = restore(&good, &cluster.data_dir(1)).await?;
    table.check("onto a running node", !own.status.success(), || said(&own));
    let restored = restore(&good, &target).await?;
    table.check("the good one after all that", restored.status.success(), || said(&restored));
    let again = restore(&good, &target).await?;
    let refused = !again.status.success() && said(&again).contains("not empty");
    table.check("onto a directory in use", refused, || said(&again));
    table.finish();
    Ok(())
}
