//! Keys of devices: shown to the call that made them and to the one that asks for them, and nowhere else.

use anyhow::ensure;
use muster_chaos::cluster::{Cluster, binary};
use muster_client::{names, proto};
use proto::regenerate_keys_request::Which;
use tokio::process::Command;

use super::{NAMESPACE, device, events, present, single};

async fn export(cluster: &Cluster, more: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(binary("muster")?)
        // Contexts of whoever runs the tests, or of `cargo xtask up` here, would lend their certificates.
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(["export", "-n", NAMESPACE, "--endpoint", &cluster.endpoint(1)])
        .args(more)
        .arg("--ca-file")
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .output()
        .await?;
    ensure!(output.status.success(), "muster export: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_to_those_who_ask_for_them_only() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    let devices = client.devices();
    let name = names::device(NAMESPACE, "pump7");
    let made = present(devices.create(device("pump7")).await?.device)?;
    let first = present(present(made.authentication)?.symmetric_key)?;
    let ask = proto::GetDeviceKeysRequest { name: name.clone(), ..Default::default() };
    assert_eq!(present(devices.keys(ask.clone()).await?.symmetric_key)?, first);
    assert_ne!(first.primary_key, first.secondary_key);

    let request =
        proto::RegenerateKeysRequest { name: name.clone(), which: Which::Secondary.into(), ..Default::default() };
    let answer = devices.regenerate_keys(request.clone()).await?;
    let new = present(answer.symmetric_key)?;
    assert_eq!(new.primary_key, "", "only the new one is told");
    let now = present(devices.keys(ask).await?.symmetric_key)?;
    assert_eq!((&now.primary_key, &now.secondary_key), (&first.primary_key, &new.secondary_key));
    assert_ne!(new.secondary_key, first.secondary_key);
    let tried = devices.regenerate_keys(proto::RegenerateKeysRequest { validate_only: true, ..request }).await?;
    assert_eq!(tried.symmetric_key, None, "a trial makes no keys");

    let keys = [&first.primary_key, &first.secondary_key, &new.secondary_key];
    let hidden = |place: &str, text: &str| {
        for key in keys {
            assert!(!text.contains(key.as_str()), "a key is shown in {place}: {text}");
        }
    };
    let got = devices.get(proto::GetDeviceRequest { name: name.clone(), ..Default::default() }).await?;
    hidden("get", &format!("{got:?}"));
    let list = proto::ListDevicesRequest { parent: names::namespace(NAMESPACE), ..Default::default() };
    hidden("a list", &format!("{:?}", devices.list(list).await?));
    let updated = proto::Device { name: name.clone(), model: "P7".to_owned(), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["model".to_owned()] });
    let request = proto::UpdateDeviceRequest { device: Some(updated), update_mask, ..Default::default() };
    hidden("an update", &format!("{:?}", devices.update(request).await?));
    let history = events(&client, proto::ListEventsRequest::default()).await?;
    ensure!(history.iter().any(|event| event.kind == "device.keys_regenerated"), "{history:?}");
    hidden("the history", &format!("{history:?}"));
    let past =
        proto::GetAtRequest { name, revision: history.last().map_or(1, |event| event.revision), ..Default::default() };
    hidden("the past", &format!("{:?}", client.history().get_at(past).await?));
    hidden("an export", &export(&cluster, &[]).await?);
    let with_keys = export(&cluster, &["--include-keys"]).await?;
    assert!(with_keys.contains(&now.primary_key) && with_keys.contains(&now.secondary_key), "{with_keys}");
    let log = std::fs::read_to_string(cluster.data_dir(1).with_file_name("log"))?;
    ensure!(!log.is_empty(), "the node writes a log");
    hidden("the node's log", &log);
    let token = std::fs::read_to_string(cluster.pki().join("admin.token"))?;
    assert!(!log.contains(token.trim()), "the admin's token is in the node's log");
    Ok(())
}
