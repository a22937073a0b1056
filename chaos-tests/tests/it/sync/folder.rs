//! The bridge to files: whatever happens, the folder ends up equal to the scope, and nobody ever reads half a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, ensure};
use muster_chaos::eventually::eventually;
use muster_client::{Client, names, proto};
use rand::Rng;
use serde_json::Value;

use super::{EDGE, NAMESPACE, connected, create, device, newest, twin, want};
use muster_chaos::edges::agent::{Agent, PATIENCE};

/// All files below, relative to the folder.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(own) = path.strip_prefix(root) {
                found.push(own.to_owned());
            }
        }
    }
    found
}

/// What the files shall hold: the version of the desired section for a twin, 0 for a device.
async fn wanted(client: &Client, extension: &str) -> anyhow::Result<BTreeMap<PathBuf, u64>> {
    let parent = names::namespace(NAMESPACE);
    let request = proto::ListDevicesRequest { parent, page_size: 1_000, edge: EDGE.to_owned(), ..Default::default() };
    let mut wanted = BTreeMap::from([(PathBuf::from(".muster-edge"), 0)]);
    for device in client.devices().list(request).await?.devices {
        let id = names::last(&device.name);
        let folder = Path::new("devices").join(id);
        wanted.insert(folder.join(format!("device.{extension}")), 0);
        let desired = twin(client, id).await?.desired.context("desired")?;
        wanted.insert(folder.join(format!("twin.{extension}")), desired.version);
    }
    Ok(wanted)
}

/// What the files hold; fails with a file that is not whole.
fn held(root: &Path) -> Result<BTreeMap<PathBuf, u64>, String> {
    let mut held = BTreeMap::new();
    for path in files(root) {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        let version = if path.extension().is_some_and(|extension| extension == "json") {
            let value: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            value["properties"]["desired"]["$version"].as_u64().unwrap_or(0)
        } else {
            let versions = text.split("desired:").nth(1).and_then(|rest| rest.split("$version: ").nth(1));
            versions.and_then(|rest| rest.split_whitespace().next()).map_or(0, |text| text.parse().unwrap_or(0))
        };
        held.insert(path, version);
    }
    Ok(held)
}

async fn equal(agent: &Agent, client: &Client, root: &Path, extension: &str) -> anyhow::Result<()> {
    agent.in_step(newest(client).await?).await?;
    let wanted = wanted(client, extension).await?;
    let waited = eventually("the folder is the scope", PATIENCE, async || {
        let held = held(root)?;
        if held == wanted { Ok(()) } else { Err(format!("{held:?} of {wanted:?}")) }
    });
    waited.await.with_context(|| agent.log())
}

/// Reads every file over and over; returns how many it read.
fn reader(root: PathBuf, over: Arc<AtomicBool>, read: Arc<AtomicU64>) -> std::thread::JoinHandle<Result<(), String>> {
    std::thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            for path in files(&root) {
                if path.extension().is_some_and(|extension| extension == "json")
                    && let Ok(text) = fs::read_to_string(root.join(&path))
                {
                    serde_json::from_str::<Value>(&text).map_err(|error| format!("{}: {error}", path.display()))?;
                    read.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        Ok(())
    })
}

/// Creates, changes, moves and deletes devices, so many times or until it is over.
async fn churn(client: &Client, steps: u64, over: &AtomicBool) -> anyhow::Result<()> {
    for step in (0..steps).take_while(|_| !over.load(Ordering::SeqCst)) {
        let (chosen, what) = (rand::rng().random_range(0..12), rand::rng().random_range(0..6));
        let id = device(chosen);
        let name = names::device(NAMESPACE, &id);
        match what {
            0 => {
                let request = proto::DeleteDeviceRequest { name, ..Default::default() };
                client.devices().delete(request).await.ok();
            }
            1 => {
                let mask = prost_types::FieldMask { paths: vec!["edge".to_owned()] };
                let device = Some(proto::Device { name, ..Default::default() });
                let request = proto::UpdateDeviceRequest { device, update_mask: Some(mask), ..Default::default() };
                client.devices().update(request).await.ok();
            }
            2 => {
                create(client, &id, EDGE).await.ok();
            }
            _ => {
                let text = "x".repeat(usize::try_from(step % 40)? * 100);
                want(client, &id, &format!(r#"{{"n":{step},"text":"{text}"}}"#)).await.ok();
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_is_the_scope_after_churn_and_kills_and_is_never_half_written() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, _wire, mut agent) = connected(1, 12).await?;
    let root = agent.folder().join("resources");
    agent.kill().await?;
    agent.add_settings("[folder]\npath = \"resources\"\n")?;
    agent.start().await?;
    equal(&agent, &client, &root, "json").await?;
    let text = fs::read_to_string(root.join("devices/pump-003/device.json"))?;
    assert_eq!(serde_json::from_str::<Value>(&text)?["deviceId"], "pump-003", "{text}");

    let (over, read) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reading = reader(root.clone(), Arc::clone(&over), Arc::clone(&read));
    for _ in 0..4 {
        let enough = Arc::new(AtomicBool::new(false));
        let changing = tokio::spawn({
            let (client, enough) = (client.clone(), Arc::clone(&enough));
            async move { churn(&client, u64::MAX, &enough).await }
        });
        let before = agent.status().await?["folder"]["written"].as_u64().context("a number")?;
        eventually("files are written", PATIENCE, async || {
            let status = agent.status().await.map_err(|error| error.to_string())?;
            if status["folder"]["written"].as_u64() > Some(before + 5) { Ok(()) } else { Err(status.to_string()) }
        })
        .await?;
        agent.kill().await?;
        enough.store(true, Ordering::SeqCst);
        changing.await??;
        agent.start().await?;
    }
    churn(&client, 60, &AtomicBool::new(false)).await?;
    equal(&agent, &client, &root, "json").await?;
    over.store(true, Ordering::SeqCst);
    reading.join().expect("the reader ends").map_err(|error| anyhow::anyhow!("half a file: {error}"))?;
    ensure!(read.load(Ordering::SeqCst) > 100, "nothing was read, so nothing was checked");

    agent.kill().await?;
    agent.start().await?;
    equal(&agent, &client, &root, "json").await?;
    let folder = agent.status().await?["folder"].clone();
    assert_eq!((folder["written"].as_u64(), folder["removed"].as_u64()), (Some(0), Some(0)), "as it was: {folder}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_takes_the_place_of_json_and_what_is_not_the_bridges_stays() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client, _wire, mut agent) = connected(1, 3).await?;
    let root = agent.folder().join("resources");
    agent.kill().await?;
    fs::create_dir(&root)?;
    fs::write(root.join("precious"), "mine")?;
    agent.add_settings("[folder]\npath = \"resources\"\n")?;
    let refused = agent.refuses().await?;
    assert!(refused.contains("is not empty and was not made by this bridge"), "{refused}");
    assert_eq!(files(&root), [Path::new("precious")], "nothing happened to it");
    fs::remove_file(root.join("precious"))?;
    agent.start().await?;
    want(&client, &device(1), r#"{"on":"no","list":["a: b"]}"#).await?;
    equal(&agent, &client, &root, "json").await?;

    let notes = root.join("devices/pump-000/notes.txt");
    fs::write(&notes, "mine")?;
    fs::write(root.join("devices/pump-000/twin.yaml"), "stale")?;
    fs::create_dir(root.join("devices/ghost"))?;
    fs::write(root.join("devices/ghost/twin.json"), "{}")?;
    agent.kill().await?;
    agent.add_settings("format = \"yaml\"\n")?;
    agent.start().await?;
    eventually("the notes are all that is left of the old format", PATIENCE, async || {
        let left: Vec<_> =
            files(&root).into_iter().filter(|path| path.extension().is_some_and(|e| e != "yaml")).collect();
        if left == [Path::new("devices/pump-000/notes.txt")] { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await?;
    fs::remove_file(notes)?;
    equal(&agent, &client, &root, "yaml").await?;
    let text = fs::read_to_string(root.join("devices/pump-001/twin.yaml"))?;
    assert!(text.contains("\"no\"") || text.contains("'no'"), "{text}");
    assert!(!root.join("devices/ghost").exists());
    drop(cluster);
    Ok(())
}
