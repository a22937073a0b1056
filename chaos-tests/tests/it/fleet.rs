//! A real fleet through the real CLI: import, count, look, export, and the same again from the export.

use std::path::Path;
use std::process::Output;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options, binary, shared_data};
use tokio::process::Command;

/// Devices in `zigbee-fleet.ndjson`.
const FLEET: usize = 4_440;

async fn muster(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<Output> {
    let endpoints = cluster.ids().into_iter().flat_map(|id| ["--endpoint".to_owned(), cluster.endpoint(id)]);
    let output = Command::new(binary("muster")?)
        // Contexts of whoever runs the tests, or of `cargo xtask up` here, would lend their certificates.
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(arguments)
        .args(endpoints)
        .arg("--ca-file")
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .output()
        .await?;
    Ok(output)
}

async fn succeeds(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<String> {
    let output = muster(cluster, arguments).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "muster {arguments:?} ended with {}: {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_fleet_is_imported_exported_and_imported_again() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let fleet = shared_data("zigbee-fleet.ndjson")?;
    let state = cluster.scratch().join("state");
    let import = ["import", text(&fleet)?, "--create-namespace", "--state", text(&state)?, "-n"];
    succeeds(&cluster, &[&import[..], &["plant1"]].concat()).await?;
    let listed = succeeds(&cluster, &["device", "list", "-n", "plant1", "--output", "json"]).await?;
    assert_eq!(listed.lines().count(), FLEET);

    let device = "ams-b21-ITCMDR_Contact-00000";
    let twin = succeeds(&cluster, &["twin", "get", "-n", "plant1", device, "--output", "json"]).await?;
    let twin: serde_json::Value = serde_json::from_str(&twin)?;
    assert_eq!(twin["tags"]["vendor"], "IT Commander");
    assert_eq!(twin["properties"]["desired"]["reporting"]["maxSeconds"], 3600);
    assert_eq!(twin["properties"]["reported"]["temperature"], 16.4);
    for section in ["desired", "reported"] {
        assert!(twin["properties"][section]["$version"].as_u64() >= Some(1), "{twin}");
        assert!(twin["properties"][section]["$metadata"]["firmware"]["$lastUpdated"].is_string(), "{twin}");
    }

    let export = ["export", "--no-etags", "--include-keys", "-n"];
    let first = succeeds(&cluster, &[&export[..], &["plant1"]].concat()).await?;
    assert_eq!(first.lines().count(), FLEET);
    let file = cluster.scratch().join("exported.ndjson");
    std::fs::write(&file, &first)?;
    succeeds(&cluster, &["import", text(&file)?, "--create-namespace", "-n", "plant2"]).await?;
    let second = succeeds(&cluster, &[&export[..], &["plant2"]].concat()).await?;
    assert!(first == second, "an export that was imported exports the same");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn device_registry_resources_are_imported_in_any_order() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let files = [
        "rest-server-asset1-definition.yaml",
        "rest-server-asset2-definition.yaml",
        "rest-server-device-definition.yaml",
    ];
    let files = files.map(|name| shared_data(&format!("assets/{name}")));
    let mut arguments = vec!["import".to_owned(), "--create-namespace".to_owned()];
    for file in files {
        arguments.push(text(&file?)?.to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    succeeds(&cluster, &arguments).await?;
    let assets = succeeds(&cluster, &["asset", "list", "-n", "azure-iot-operations", "--output", "json"]).await?;
    assert_eq!(assets.lines().count(), 2, "{assets}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_wrong_are_named_and_change_nothing() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    succeeds(&cluster, &["namespace", "create", "plant1"]).await?;
    let file = cluster.scratch().join("wrong.ndjson");
    let long = format!("{{\"id\":\"long\",\"tags\":{{\"a\":\"{}\"}}}}", "x".repeat(1 << 20));
    let lines =
        ["{\"id\":\"good\"}", "not json", "{\"id\":\"mode\",\"importMode\":\"explode\"}", &long, "{\"id\":\"bad id\"}"];
    std::fs::write(&file, lines.join("\n"))?;
    let errors = cluster.scratch().join("errors.ndjson");
    let refused = muster(&cluster, &["import", "-n", "plant1", text(&file)?, "--errors", text(&errors)?]).await?;
    assert_eq!(refused.status.code(), Some(7), "{}", String::from_utf8_lossy(&refused.stderr));
    let named: Vec<serde_json::Value> =
        std::fs::read_to_string(&errors)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let lines: Vec<_> = named.iter().filter_map(|error| error["line"].as_u64()).collect();
    assert_eq!(lines, [2, 3, 4, 5], "{named:?}");
    let listed = succeeds(&cluster, &["device", "list", "-n", "plant1", "--output", "json"]).await?;
    assert_eq!(listed.lines().count(), 1, "only the good line changed anything: {listed}");
    Ok(())
}
