//! An edge whose disk is nearly full, and then full: nothing new is taken, reads go on, what was answered is not lost, and
//! everything is back by itself when there is room.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::ensure;
use muster_chaos::eventually::eventually;
use muster_client::{CallError, Client, Code};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{Reporters, check_once, connected, device, newest, progress, report, twin, want};
use crate::disk_full::{SmallDisk, available_bytes};
use muster_chaos::edges::agent::{Agent, PATIENCE};

/// Fills the disk until so many bytes are left.
fn fill(folder: &Path, left: usize) -> anyhow::Result<()> {
    let mut filler = fs::File::options().create(true).append(true).open(folder.join("filler"))?;
    let mut more = available_bytes(folder)?.saturating_sub(left);
    while more > 0 {
        let count = more.min(1 << 20);
        match filler.write(&vec![1; count]) {
            Ok(0) => break,
            Ok(written) => more -= written,
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn refused(client: &Client, number: u64) -> anyhow::Result<CallError> {
    eventually("reports are refused", PATIENCE, async || {
        match report(client, &device(3), &format!(r#"{{"refused":{number}}}"#)).await {
            Err(error) => Ok(error),
            Ok(_) => Err("taken".to_owned()),
        }
    })
    .await
}

async fn offline(agent: &Agent) -> anyhow::Result<serde_json::Value> {
    eventually("there is no link", PATIENCE, async || {
        let status = agent.status().await.map_err(|error| error.to_string())?;
        let is_so = status["link"] == "offline" && status["message"].as_str().is_some_and(|why| why.contains("disk"));
        if is_so { Ok(status) } else { Err(status.to_string()) }
    })
    .await
}

async fn taken(client: &Client, number: u64) -> anyhow::Result<()> {
    eventually("reports are taken again", PATIENCE, async || {
        report(client, &device(3), &format!(r#"{{"k{number}":1}}"#)).await.map(drop).map_err(|error| error.to_string())
    })
    .await
}

async fn waits_for_room(agent: &Agent) -> anyhow::Result<()> {
    let status = eventually("status says what it waits for", PATIENCE, async || {
        let status = agent.status().await.map_err(|error| error.to_string())?;
        if status["awaits_room"] == true { Ok(status) } else { Err(status.to_string()) }
    })
    .await?;
    ensure!(status["disk_low"] == true && status.get("queued_operations").is_none(), "it knows no more: {status}");
    Ok(())
}

/// Every report that was answered has had one effect.
async fn each_once(client: &Client, reporters: &Reporters, devices: usize) -> anyhow::Result<()> {
    let told = reporters.told();
    for number in 0..devices {
        let id = device(number);
        let own: Vec<u64> = told.iter().copied().filter(|number| reporters.device_of(*number) == id).collect();
        check_once(client, &id, &own).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_reports_and_is_back_by_itself_when_there_is_room() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, _wire, mut agent) = connected(1, 8).await?;
    agent.stop().await?;
    let store = agent.store();
    let _disk = SmallDisk::over(&store, 128)?;
    agent.start().await?;
    agent.in_step(1).await?;
    let local = agent.client()?;
    report(&local, &device(3), r#"{"k0":1}"#).await?;
    agent.in_step(newest(&client).await?).await?;
    let session = progress(&agent).await?.0;

    // Less than the bound of 32 MiB, more than a quarter of it.
    fill(&store, 20 << 20)?;
    let error = refused(&local, 1).await?;
    assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, Some("EDGE_DISK_FULL")), "{error}");
    let status = agent.in_step(want(&client, &device(3), r#"{"fw":"2"}"#).await?).await?;
    assert_eq!((status["disk_low"].as_bool(), progress(&agent).await?.0), (Some(true), session), "its session goes on");
    assert_eq!(twin(&local, &device(3)).await?.desired.map(|desired| desired.json), Some(r#"{"fw":"2"}"#.to_owned()));

    fill(&store, 0)?;
    offline(&agent).await?;
    want(&client, &device(3), r#"{"fw":"3"}"#).await?;
    twin(&local, &device(3)).await?;
    let error = refused(&local, 2).await?;
    assert_eq!(error.reason(), Some("EDGE_DISK_FULL"));

    fs::remove_file(store.join("filler"))?;
    taken(&local, 1).await?;
    let status = agent.in_step(newest(&client).await?).await?;
    assert_eq!((status["disk_low"].as_bool(), status["defects"].as_u64()), (Some(false), Some(0)), "{status}");
    check_once(&client, &device(3), &[0, 1]).await?;
    ensure!(agent.log().contains("has room again"), "{}", agent.log());
    agent.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_others_fill_while_reports_are_written_loses_no_answered_report() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let devices = 8;
    let (_cluster, client, _wire, mut agent) = connected(1, devices).await?;
    agent.stop().await?;
    let store = agent.store();
    let _disk = SmallDisk::over(&store, 128)?;
    let reporters = Reporters::new(devices as u64);
    for round in 0..6 {
        agent.start().await?;
        let local = agent.client()?;
        let running: Vec<_> = (0..4).map(|_| reporters.start(&local)).collect();
        reporters.wait_for(40).await?;
        fill(&store, 0)?;
        for reporter in running {
            // Each ends with the first report that is refused, or that waits for room for too long.
            tokio::time::timeout(PATIENCE, reporter).await??;
        }
        ensure!(agent.status().await.is_ok(), "it lives:\n{}", agent.log());
        twin(&local, &device(3)).await?;
        if round % 2 == 0 {
            agent.kill().await?;
            fs::remove_file(store.join("filler"))?;
        } else {
            fs::remove_file(store.join("filler"))?;
            agent.in_step(newest(&client).await?).await?;
            agent.stop().await?;
        }
    }
    agent.start().await?;
    agent.in_step(newest(&client).await?).await?;
    each_once(&client, &reporters, devices).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_write_finds_no_room_says_so_and_can_be_stopped() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let devices = 8;
    let (_cluster, client, _wire, mut agent) = connected(1, devices).await?;
    agent.stop().await?;
    // No bound and no reserve: what is written runs into the end of the disk.
    agent.add_settings("[disk]\nfree_min_bytes = 0\n")?;
    let store = agent.store();
    fs::remove_file(store.join("RESERVE"))?;
    let _disk = SmallDisk::over(&store, 64)?;
    agent.start().await?;
    agent.in_step(1).await?;
    let reporters = Reporters::new(devices as u64);
    let local = agent.client()?;
    let running: Vec<_> = (0..4).map(|_| reporters.start(&local)).collect();
    reporters.wait_for(40).await?;
    fill(&store, 0)?;
    waits_for_room(&agent).await?;
    agent.stop().await?;
    for reporter in running {
        tokio::time::timeout(PATIENCE, reporter).await??;
    }

    // It may wait for room to open its store, or open it.
    let waits = "a write waits for room";
    let before = agent.log().matches(waits).count();
    agent.begin()?;
    eventually("it answers or waits", PATIENCE, async || match agent.status().await {
        Err(error) if agent.log().matches(waits).count() == before => Err(error.to_string()),
        Err(_) | Ok(_) => Ok(()),
    })
    .await?;
    agent.stop().await?;

    fs::remove_file(store.join("filler"))?;
    agent.start().await?;
    agent.in_step(newest(&client).await?).await?;
    each_once(&client, &reporters, devices).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_wait_behind_a_write_without_room_hold_up_nobody() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let devices = 64;
    let (_cluster, client, wire, mut agent) = connected(1, devices).await?;
    agent.stop().await?;
    agent.add_settings("[disk]\nfree_min_bytes = 0\n")?;
    let store = agent.store();
    fs::remove_file(store.join("RESERVE"))?;
    let _disk = SmallDisk::over(&store, 64)?;
    agent.start().await?;
    agent.in_step(1).await?;
    // What comes is written at once, and synced with the mark behind it: what is read lies in pages that wait for room.
    wire.cut();
    let text = "x".repeat(4 << 10);
    for number in 0..devices {
        want(&client, &device(number), &format!(r#"{{"text":"{text}"}}"#)).await?;
    }
    fill(&store, 0)?;
    wire.mend();
    waits_for_room(&agent).await?;
    let local = agent.client()?;
    let reads: Vec<_> = (0..devices)
        .map(|number| {
            let local = local.clone();
            tokio::spawn(async move { twin(&local, &device(number)).await.map(drop) })
        })
        .collect();
    for _ in 0..8 {
        waits_for_room(&agent).await?;
    }
    fs::remove_file(store.join("filler"))?;
    for read in reads {
        tokio::time::timeout(PATIENCE, read).await???;
    }
    agent.in_step(newest(&client).await?).await?;
    agent.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_its_disk_keeps_waiting_at_the_start_can_be_stopped() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, _wire, mut agent) = connected(1, 1).await?;
    agent.stop().await?;
    // A pipe in the place of a file is as slow as its writer.
    let marker = agent.store().join("STORE");
    let text = fs::read(&marker)?;
    fs::remove_file(&marker)?;
    mkfifo(&marker, Mode::S_IRUSR | Mode::S_IWUSR)?;
    agent.begin()?;
    let _held = eventually("it reads its store", PATIENCE, async || {
        let pipe = fs::File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&marker);
        pipe.map_err(|error| error.to_string())
    })
    .await?;
    agent.stop().await?;
    fs::remove_file(&marker)?;
    fs::write(&marker, text)?;
    agent.start().await?;
    agent.in_step(newest(&client).await?).await?;
    agent.stop().await
}
