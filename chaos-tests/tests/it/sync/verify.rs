//! `muster edge verify`: both sides hold the same by content, at any node, and an edge that does not is found and repaired.

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, binary};
use muster_client::{Client, Code, names, proto};
use muster_edge::store::Store;
use muster_proto::v1::resource::Resource;
use serde_json::Value;
use tokio::process::Command;

use super::{EDGE, NAMESPACE, connected, device, newest, report, serving};
use muster_chaos::edges::agent::Agent;

fn edge_name() -> String {
    names::edge(NAMESPACE, EDGE)
}

/// A client of one node alone.
fn at(cluster: &Cluster, node: u64) -> anyhow::Result<Client> {
    Ok(Client::new(cluster.client_config(&[node])?.token_file(cluster.pki().join("admin.token"))?)?)
}

async fn verify(client: &Client) -> Result<proto::VerifyEdgeResponse, muster_client::CallError> {
    client.edges().verify(proto::VerifyEdgeRequest { name: edge_name() }).await
}

/// What the command line prints, and its exit code.
async fn command(cluster: &Cluster) -> anyhow::Result<(Option<i32>, Value, String)> {
    let output = Command::new(binary("muster")?)
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(["--endpoint", &cluster.endpoint(1), "--namespace", NAMESPACE, "--output", "json", "--ca-file"])
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .args(["edge", "verify", EDGE])
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8(output.stderr)?;
    let told = String::from_utf8(output.stdout)?;
    let told = told.lines().next().map(serde_json::from_str).transpose()?.unwrap_or_default();
    Ok((output.status.code(), told, said))
}

/// Changes what the store of an agent that does not run holds of a twin: same name, same revision, and a sound record.
fn flip(agent: &Agent, id: &str) -> anyhow::Result<u64> {
    let (store, _) = Store::open(&agent.store(), &edge_name(), &mut || [0; 16])?;
    let mut item = store.reader().item(&names::twin(NAMESPACE, id))?.context("held")?;
    let revision = item.revision;
    let resource = item.resource.as_mut().and_then(|resource| resource.resource.as_mut());
    let Some(Resource::Twin(twin)) = resource else { anyhow::bail!("a twin") };
    twin.desired.as_mut().context("desired")?.json = r#"{"flipped":1}"#.to_owned();
    store.commit(&[muster_edge::protocol::Write::PutItem(Box::new(item))], true)?;
    Ok(revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_proved_at_any_node_and_a_flipped_byte_is_found_and_mended() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client, wire, mut agent) = connected(3, 100).await?;
    report(&agent.client()?, &device(3), r#"{"k0":1}"#).await?;
    agent.in_step(newest(&client).await?).await?;
    for node in cluster.ids() {
        let found = verify(&at(&cluster, node)?).await?;
        ensure!(found.agree && found.agree_now && found.differences == 0, "{found:?}");
        ensure!(found.cluster == found.edge && found.edge == found.repaired, "{found:?}");
        assert_eq!(found.cluster.as_ref().map(|cluster| cluster.items), Some(200), "devices and their twins");
        let header = found.header.context("a header")?;
        assert_eq!((header.node_id, found.name), (node, edge_name()));
        assert_eq!(found.serving_node_id, serving(&client, &agent).await?);
    }

    agent.stop().await?;
    let refused = verify(&client).await.expect_err("it is not connected");
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, Some("EDGE_NOT_CONNECTED")), "{refused}");
    let revision = flip(&agent, &device(41))?;
    flip(&agent, &device(77))?;
    agent.start().await?;
    let status = agent.in_step(newest(&client).await?).await?;
    assert_eq!(status["repairs"], 0, "by revisions nothing is wrong");
    let local = super::twin(&agent.client()?, &device(41)).await?.desired.context("desired")?;
    assert_eq!(local.json, r#"{"flipped":1}"#, "it serves garbage and does not know");

    let (code, told, said) = command(&cluster).await?;
    assert_eq!(code, Some(1), "{told} {said}");
    let name = names::twin(NAMESPACE, &device(41));
    assert_eq!((&told["agree"], &told["agreeNow"]), (&Value::Bool(false), &Value::Bool(true)), "{told}");
    assert_eq!((told["differences"].as_u64(), told["firstDifference"]["name"].as_str()), (Some(2), Some(&*name)));
    let first = &told["firstDifference"];
    assert_eq!((first["clusterRevision"].as_u64(), first["edgeRevision"].as_u64()), (Some(revision), Some(revision)));
    assert_eq!(first["field"].as_str(), Some("twin.desired.json"), "{told}");
    ensure!(first["clusterHash"].is_string() && first["clusterHash"] != first["edgeHash"], "{told}");
    ensure!(told["cluster"] == told["edgeHoldsNow"] && told["cluster"] != told["edgeHeld"], "{told}");
    ensure!(said.contains(&format!("`twin.desired.json` of revision {revision} differs")), "{said}");

    let (code, told, said) = command(&cluster).await?;
    assert_eq!(code, Some(0), "{told} {said}");
    for id in [device(41), device(77)] {
        let (here, there) = (super::twin(&agent.client()?, &id).await?, super::twin(&client, &id).await?);
        assert_eq!(here.desired, there.desired, "{id}");
    }
    drop(wire);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_proved_while_things_change() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, _wire, agent) = connected(1, 60).await?;
    let reporters = super::Reporters::new(60);
    let running: Vec<_> = (0..4).map(|_| reporters.start(&agent.client().expect("a client"))).collect();
    for round in 0..20_u64 {
        reporters.wait_for(5).await?;
        let asked = super::want(&client, &device(3), &format!(r#"{{"round":{round}}}"#)).await?;
        let (one, other) = tokio::join!(verify(&client), verify(&client));
        for found in [one?, other?] {
            let revision = found.header.as_ref().map_or(0, |header| header.revision);
            ensure!(found.agree && revision >= asked, "asked at {asked}: {found:?}");
        }
    }
    running.iter().for_each(tokio::task::JoinHandle::abort);
    let status = agent.in_step(newest(&client).await?).await?;
    assert_eq!((status["defects"].as_u64(), status["repairs"].as_u64()), (Some(0), Some(0)), "{status}");
    Ok(())
}
