//! `muster edge`, `muster site`, and where `muster device` and `muster asset` put things.

use muster_chaos::cluster::{Cluster, binary};
use serde_json::Value;
use tokio::process::Command;

use super::{NAMESPACE, single};
use crate::table::Table;

/// What the command line prints, as JSON lines or as a table.
pub(super) async fn muster(
    cluster: &Cluster,
    output: &str,
    arguments: &[&str],
) -> anyhow::Result<(Option<i32>, String)> {
    let output = Command::new(binary("muster")?)
        // Contexts of whoever runs the tests, or of `cargo xtask up` here, would lend their certificates.
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(["--endpoint", &cluster.endpoint(1), "--namespace", NAMESPACE, "--output", output, "--ca-file"])
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?))
}

pub(super) async fn json(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<Value> {
    let (code, text) = muster(cluster, "json", arguments).await?;
    anyhow::ensure!(code == Some(0), "muster {arguments:?} ended with {code:?}: {text}");
    Ok(text.lines().next().map(serde_json::from_str).transpose()?.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_moves_and_ends_edges_and_sites() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, _client) = single().await?;
    let mut table = Table::default();
    let made = json(&cluster, &["edge", "create", "press", "--display-name", "Press hall"]).await?;
    table.same("made", (made["edge"].as_str(), made["enabled"].as_bool()), (Some("press"), Some(true)));
    json(&cluster, &["edge", "create", "paint", "--enabled", "false"]).await?;
    let status = json(&cluster, &["edge", "status", "press"]).await?;
    table.same("how far", status["connection"].as_str(), Some("never"));
    let (code, statuses) = muster(&cluster, "table", &["edge", "status"]).await?;
    table.check("how far all are", code == Some(0) && statuses.lines().count() == 3, || statuses.clone());

    for arguments in [
        &["site", "create", "plant", "--edge", "press"][..],
        &["site", "create", "hall-1", "--within", "plant"],
        &["site", "create", "hall-2", "--within", "plant", "--edge", "paint"],
    ] {
        json(&cluster, arguments).await?;
    }
    let (_, tree) = muster(&cluster, "table", &["site", "tree"]).await?;
    let told: Vec<Vec<&str>> = tree.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    table.same(
        "a tree",
        told,
        vec![vec!["plant", "press"], vec!["hall-1", "press", "(from", "above)"], vec!["hall-2", "paint"]],
    );
    let (_, listed) = muster(&cluster, "json", &["site", "list", "--within", "plant"]).await?;
    table.same("listed", listed.lines().count(), 2);

    json(&cluster, &["device", "create", "oven", "--edge", "press", "--site", "hall-1"]).await?;
    let shown = json(&cluster, &["device", "get", "oven"]).await?;
    table.same("a device", (shown["edge"].as_str(), shown["site"].as_str()), (Some("press"), Some("hall-1")));
    let moved = json(&cluster, &["device", "update", "oven", "--edge", ""]).await?;
    table.same("moved", (moved["edge"].as_str(), moved["site"].as_str()), (None, Some("hall-1")));
    let (_, listed) = muster(&cluster, "json", &["device", "list", "--site", "hall-1"]).await?;
    table.same("listed by its site", listed.lines().count(), 1);
    assets(&cluster, &mut table).await?;

    table.same("nothing to change", muster(&cluster, "json", &["edge", "update", "press"]).await?.0, Some(2));
    table.same("taken", muster(&cluster, "json", &["edge", "create", "press"]).await?.0, Some(4));
    table.same("not there", muster(&cluster, "json", &["site", "get", "nowhere"]).await?.0, Some(3));
    let (code, token) = muster(&cluster, "table", &["token", "create", "--role", "edge", "--edge", "press"]).await?;
    table.check("a token", code == Some(0) && token.starts_with("mst_"), || format!("{code:?}"));
    let without = muster(&cluster, "table", &["token", "create", "--role", "edge"]).await?;
    table.same("a token of no edge", without.0, Some(2));
    table.same("ended", muster(&cluster, "json", &["edge", "delete", "paint"]).await?.0, Some(0));
    table.same("gone", muster(&cluster, "json", &["edge", "get", "paint"]).await?.0, Some(3));
    table.finish();
    Ok(())
}

async fn assets(cluster: &Cluster, table: &mut Table) -> anyhow::Result<()> {
    let file = |name: &str, text: &str| {
        let path = cluster.scratch().join(name);
        std::fs::write(&path, text).map(|()| path.display().to_string())
    };
    let endpoints = file("endpoints.json", r#"{"inbound":{"opc":{"address":"opc.tcp://oven","endpointType":"t"}}}"#)?;
    json(cluster, &["device", "update", "oven", "--endpoints-file", &endpoints]).await?;
    let definition = file("heat.json", r#"{"deviceRef":{"deviceName":"oven","endpointName":"opc"},"model":"A"}"#)?;
    let made = json(cluster, &["asset", "create", "--name", "heat", "-f", &definition, "--edge", "press"]).await?;
    table.same("an asset", (made["edge"].as_str(), made["model"].as_str()), (Some("press"), Some("A")));
    let definition = file("heat.json", r#"{"deviceRef":{"deviceName":"oven","endpointName":"opc"},"model":"B"}"#)?;
    let changed = json(cluster, &["asset", "update", "--name", "heat", "-f", &definition]).await?;
    let told = (changed["edge"].as_str(), changed["model"].as_str());
    table.same("defined again, and where it was", told, (Some("press"), Some("B")));
    let moved = json(cluster, &["asset", "update", "--name", "heat", "--edge", "paint", "--site", "hall-2"]).await?;
    let told = (moved["edge"].as_str(), moved["site"].as_str(), moved["model"].as_str());
    table.same("moved without a file", told, (Some("paint"), Some("hall-2"), Some("B")));
    let exported = muster(cluster, "json", &["export", "--no-etags"]).await?.1;
    let exported: Value = serde_json::from_str(exported.lines().next().unwrap_or_default())?;
    table.same("exported", exported["site"].as_str(), Some("hall-1"));
    Ok(())
}
