//! `muster discovered`: what edges found, listed, accepted, dismissed and forgotten.

use super::command_line::{json, muster};
use super::discovered::{plc, report, report_asset};
use super::{edge, single};
use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_accepts_and_dismisses() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    for id in ["press", "paint"] {
        edge(&client, id).await?;
    }
    report(&client, "press", "plc", "1", plc("X1", "opc")).await?;
    report(&client, "paint", "cam", "1", plc("C1", "http")).await?;
    report_asset(&client, "press", "oven", "plc").await?;
    let mut table = Table::default();
    let (code, all) = muster(&cluster, "table", &["discovered", "list"]).await?;
    table.check("all", code == Some(0) && all.lines().count() == 4, || all.clone());
    let rows = async |arguments: &[&str]| -> anyhow::Result<Vec<String>> {
        let (_, text) = muster(&cluster, "table", &[&["discovered", "list"], arguments].concat()).await?;
        let short = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        Ok(text.lines().skip(1).map(short).collect())
    };
    table.same("assets", rows(&["--kind", "asset"]).await?, vec!["asset press oven new".to_owned()]);
    table.same("of an edge", rows(&["--edge", "paint"]).await?, vec!["device paint cam new".to_owned()]);
    let shown = json(&cluster, &["discovered", "get", "press/plc"]).await?;
    let told = (shown["state"].as_str(), shown["version"].as_u64(), shown["discoveryId"].as_str());
    table.same("shown", told, (Some("new"), Some(1), Some("1")));
    let address = shown["endpoints"]["inbound"]["opc"]["address"].as_str();
    table.same("its endpoint", address, Some("opc.tcp://plc:4840"));

    let made = json(&cluster, &["discovered", "accept", "press/plc", "--as", "press-plc"]).await?;
    table.same("accepted", (made["deviceId"].as_str(), made["edge"].as_str()), (Some("press-plc"), Some("press")));
    let made = json(&cluster, &["discovered", "accept", "--kind", "asset", "press/oven"]).await?;
    table.same("with its asset", made["deviceRef"]["deviceName"].as_str(), Some("press-plc"));
    let again = muster(&cluster, "json", &["discovered", "accept", "press/plc"]).await?.0;
    table.same("twice", again, Some(1));
    let (code, _) = muster(&cluster, "json", &["discovered", "dismiss", "paint/cam"]).await?;
    table.same(
        "dismissed",
        (code, rows(&["--state", "dismissed"]).await?),
        (Some(0), vec!["device paint cam dismissed".to_owned()]),
    );
    table.same("accepted ones", rows(&["--state", "accepted"]).await?.len(), 2);
    table.same("new ones", rows(&["--state", "new"]).await?.len(), 0);
    let name = "namespaces/plant1/edges/paint/discoveredDevices/cam";
    table.same("forgotten", muster(&cluster, "json", &["discovered", "delete", name]).await?.0, Some(0));
    table.same("gone", muster(&cluster, "json", &["discovered", "get", "paint/cam"]).await?.0, Some(3));
    table.same("no name", muster(&cluster, "json", &["discovered", "get", "cam"]).await?.0, Some(2));
    table.finish();
    Ok(())
}
