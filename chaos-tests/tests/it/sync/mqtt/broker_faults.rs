//! The broker goes away, comes back, comes back empty, or asks who is there.

use std::fs;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_away_is_told_the_newest_once() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut plant = Plant::new(5, "").await?;
    let (id, listener) = (device(2), plant.listener().await?);
    listener.heard(&desired(&id)).await?;

    plant.broker.end(Signal::SIGTERM).await?;
    plant.mqtt_that("not connected", |mqtt| mqtt["connected"] == false && mqtt["message"] != "").await?;
    listener.clear();
    let mut newest = 0;
    for number in 0..50 {
        newest = plant.want(&id, &format!(r#"{{"n":{number}}}"#)).await?;
    }
    plant.agent.in_step(newest).await?;
    let local = plant.agent.client()?;
    super::super::report(&local, &id, r#"{"k0":1}"#).await.context("the agent goes on")?;
    plant.check_once(&id, &[0]).await?;
    let published = plant.mqtt().await?["published"].as_u64().context("a number")?;

    plant.broker.start_again().await?;
    let told = plant.bridged().await?;
    assert!(told[&desired(&id)].contains(r#""n":49"#), "{told:?}");
    let mqtt = plant.mqtt_that("told once", |mqtt| mqtt["published"].as_u64() > Some(published)).await?;
    assert_eq!(mqtt["published"].as_u64(), Some(published + 1), "what did not change is not told again: {mqtt}");

    plant.broker.end(Signal::SIGKILL).await?;
    plant.broker.forget()?;
    plant.broker.start_again().await?;
    plant.bridged().await.context("a broker that has lost everything is told everything")?;
    let listener = plant.listener().await?;
    plant.want(&id, r#"{"n":"live"}"#).await?;
    listener.heard_that(&desired(&id), |heard| heard.payload.contains("live")).await?;
    listener.publish(&patch(&id), report(1)).await?;
    listener.heard_that(&result(&id), is_accepted).await?;
    plant.check_once(&id, &[0, 1]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_for_certificate_and_password_gets_them() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client, wire, mut agent) = connected(1, 1).await?;
    let node = cluster.pki().join("nodes/n1");
    let passwords = agent.folder().join("passwords");
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-b", "-c", passwords.to_str().context("text")?, "press", "secret"])
        .status()?;
    ensure!(made.success(), "mosquitto_passwd");
    let node = node.display();
    let listener = format!(
        "allow_anonymous false\npassword_file {}\ncafile {node}/client-ca.crt\ncertfile {node}/server.crt\n\
         keyfile {node}/server.key\nrequire_certificate true\n",
        passwords.display()
    );
    let broker = Broker::start_with(cluster.scratch().join("broker"), &listener).await?;
    agent.kill().await?;
    fs::write(agent.folder().join("password"), "wrong\n")?;
    let pki = cluster.pki();
    let issued = std::process::Command::new(muster_chaos::cluster::binary("musterd")?)
        .args(["pki", "issue-client", "--role", "edge", "--name", "mqtt", "--namespace", NAMESPACE, "--edge", "press"])
        .arg("--dir")
        .arg(&pki)
        .output()?;
    ensure!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let files = String::from_utf8_lossy(&issued.stdout).into_owned();
    let find = |extension: &str| {
        let found = walk(&pki).into_iter().find(|path| path.ends_with(format!("mqtt.{extension}")));
        found.with_context(|| format!("mqtt.{extension}: {files}"))
    };
    agent.add_settings(&format!(
        "[mqtt]\nbroker = \"mqtts://localhost:{}\"\nusername = \"press\"\npassword_file = \"password\"\n\
         ca_file = {:?}\ncert_file = {:?}\nkey_file = {:?}\n",
        broker.port(),
        pki.join("client-ca.crt"),
        find("crt")?,
        find("key")?,
    ))?;
    agent.start().await?;
    let plant = Plant { cluster, client, wire, agent, broker };
    let mqtt = plant.mqtt_that("it is refused", |mqtt| mqtt["message"] != "").await?;
    assert!(mqtt["message"].as_str().is_some_and(|message| message.contains("NotAuthorized")), "{mqtt}");
    fs::write(plant.agent.folder().join("password"), "secret\n")?;
    plant.mqtt_that("it connects with the new password", |mqtt| mqtt["published"].as_u64() > Some(0)).await?;
    Ok(())
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// A packet of MQTT 3.1.1 that is shorter than 128 bytes.
fn packet(kind: u8, parts: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
    let body = parts.concat();
    Ok([&[kind, u8::try_from(body.len())?][..], &body].concat())
}

fn text(text: &str) -> anyhow::Result<Vec<u8>> {
    Ok([&u16::try_from(text.len())?.to_be_bytes()[..], text.as_bytes()].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_speak_the_older_protocol_are_served_as_well() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(1, "").await?;
    let (id, protocol) = (device(0), text("MQTT")?);
    let mut line = TcpStream::connect(("127.0.0.1", plant.broker.port())).await?;
    // Level 4 is 3.1.1: no properties, no reasons.
    line.write_all(&packet(0x10, &[&protocol, &[4, 2, 0, 60], &text("old")?])?).await?;
    for (number, filter) in [(1, desired(&id)), (2, result(&id))] {
        line.write_all(&packet(0x82, &[&[0, number], &text(&filter)?, &[0]])?).await?;
    }
    line.write_all(&packet(0x32, &[&text(&patch(&id))?, &[0, 3], report(0).as_bytes()])?).await?;
    let (mut heard, wanted) = (Vec::new(), [r#"{"$version":1}"#, r#""accepted":true"#]);
    tokio::time::timeout(PATIENCE, async {
        let told = |heard: &[u8], wanted: &str| heard.windows(wanted.len()).any(|part| part == wanted.as_bytes());
        while !wanted.iter().all(|wanted| told(&heard, wanted)) {
            ensure!(line.read_buf(&mut heard).await? > 0, "the broker hung up: {heard:?}");
        }
        Ok(())
    })
    .await??;
    plant.check_once(&id, &[0]).await
}
