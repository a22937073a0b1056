//! An edge that is away for long: what it queued meanwhile all arrives once and in order, of what is wanted only the newest comes
//! down, and its clock has no say in anything.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use muster_chaos::eventually::eventually;
use muster_client::{Client, names, proto};
use proto::watch_response::Content;

use super::{NAMESPACE, check_once, connected, device, newest, report, twin, want};
use muster_chaos::edges::agent::Agent;

/// Operations of a long absence: as many as may wait unless the settings say otherwise.
const QUEUED: u64 = 100_000;
const REPORTERS: u64 = 50;
/// How long all of them may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(300);
/// What the agent may take at most, KiB: 64 MiB of queue at most, and the rest.
const MEMORY_KIB_MAX: u64 = 400 << 10;

/// The numbers that a device has reported, in the order in which they took effect.
async fn effects(client: &Client, id: &str) -> anyhow::Result<Vec<u64>> {
    let (mut numbers, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListEventsRequest {
            resource: names::twin(NAMESPACE, id),
            kinds: vec!["twin.reported".to_owned()],
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = client.history().list_events(request).await?;
        for event in page.events {
            let data: serde_json::Value = serde_json::from_str(&event.data_json)?;
            let found = data.pointer("/reported/n").or_else(|| data.pointer("/patch/n")).or_else(|| data.pointer("/n"));
            numbers.push(found.and_then(serde_json::Value::as_u64).with_context(|| data.to_string())?);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(numbers);
        }
    }
}

async fn away(agent: &Agent) -> anyhow::Result<()> {
    eventually("the agent sees that the link is gone", muster_chaos::edges::agent::PATIENCE, async || {
        let status = agent.status().await.map_err(|error| error.to_string())?;
        if status["link"] == "offline" { Ok(()) } else { Err(status["link"].to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_operations_that_waited_all_arrive_once_and_in_order() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let devices = usize::try_from(REPORTERS)?;
    let (_cluster, client, wire, agent) = connected(1, devices).await?;
    wire.cut();
    away(&agent).await?;
    let each = QUEUED / REPORTERS;
    let (before, began) = (agent.memory_kib()?, Instant::now());
    let mut reporters = Vec::new();
    for number in 0..devices {
        let local = agent.client()?;
        reporters.push(tokio::spawn(async move {
            for n in 1..=each {
                report(&local, &device(number), &format!(r#"{{"n":{n}}}"#)).await?;
            }
            anyhow::Ok(())
        }));
    }
    for reporter in reporters {
        reporter.await??;
    }
    let (queued, began) = (began.elapsed(), Instant::now());
    let status = agent.status().await?;
    assert_eq!(status["queued_operations"].as_u64(), Some(each * REPORTERS), "{status}");
    wire.mend();
    let arrived = eventually("all of it arrives", ARRIVAL, async || {
        let status = agent.status().await.map_err(|error| error.to_string())?;
        if status["queued_operations"] == 0 && status["link"] == "in-step" {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    })
    .await?;
    let arrival = began.elapsed();
    assert_eq!((arrived["refused_operations"].as_u64(), arrived["defects"].as_u64()), (Some(0), Some(0)), "{arrived}");
    for number in 0..devices {
        let id = device(number);
        let told = effects(&client, &id).await?;
        ensure!(told == (1..=each).collect::<Vec<_>>(), "{id}: {} effects, not {each} in order", told.len());
        assert_eq!(twin(&client, &id).await?.reported, twin(&agent.client()?, &id).await?.reported, "{id}");
    }
    let after = agent.memory_kib()?;
    ensure!(after < MEMORY_KIB_MAX, "the agent took {after} KiB");
    #[allow(clippy::print_stderr, reason = "a measurement is told")]
    {
        eprintln!(
            "{} operations: queued in {queued:?}, arrived in {arrival:?}; the agent took {before} KiB before and {after} KiB at most",
            each * REPORTERS
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_was_wanted_meanwhile_the_edge_sees_the_newest_once_and_the_cloud_keeps_all() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, wire, agent) = connected(1, 3).await?;
    let local = agent.client()?;
    let request = proto::WatchRequest {
        watches: vec![proto::WatchSpec { id: 1, resource: names::namespace(NAMESPACE), ..Default::default() }],
        ..Default::default()
    };
    let mut watcher = local.watch(request);
    let began = tokio::time::timeout(muster_chaos::edges::agent::PATIENCE, watcher.next()).await??;
    ensure!(!matches!(began.content, Some(Content::Events(_))), "{began:?}");
    wire.cut();
    away(&agent).await?;
    let wanted = 300;
    for number in 1..=wanted {
        want(&client, &device(1), &format!(r#"{{"fw":{number}}}"#)).await?;
    }
    wire.mend();
    agent.in_step(newest(&client).await?).await?;
    // Something after it, so that all before has come.
    agent.in_step(want(&client, &device(2), r#"{"fw":0}"#).await?).await?;
    let mut seen = Vec::new();
    while !seen.iter().any(|name: &String| name.contains(&device(2))) {
        let response = tokio::time::timeout(muster_chaos::edges::agent::PATIENCE, watcher.next()).await??;
        if let Some(Content::Events(events)) = response.content {
            let told = events.events.into_iter().filter_map(|event| event.event);
            seen.extend(told.map(|event| event.resource));
        }
    }
    let of_it: Vec<_> = seen.iter().filter(|name| name.contains(&device(1))).collect();
    assert_eq!(of_it, [&names::twin(NAMESPACE, &device(1))], "once: {seen:?}");
    let shown = twin(&local, &device(1)).await?.desired.context("desired")?;
    assert_eq!(shown.json, format!(r#"{{"fw":{wanted}}}"#), "and it is the newest");
    let request = proto::ListEventsRequest {
        resource: names::twin(NAMESPACE, &device(1)),
        page_size: 1_000,
        ..Default::default()
    };
    let events = client.history().list_events(request).await?.events;
    ensure!(events.len() >= wanted, "the cloud keeps every change: {}", events.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_whose_clock_is_years_off_does_all_the_same() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, wire, mut agent) = connected(1, 4).await?;
    let year: i64 = 365 * 24 * 3_600_000;
    let mut told = Vec::new();
    for (round, years) in [30, -40, 0, -100, 7].into_iter().enumerate() {
        agent.stop().await?;
        agent.set_clock_off(years * year);
        agent.start().await?;
        let local = agent.client()?;
        let mut next = || {
            told.push(told.len() as u64);
            format!(r#"{{"k{}":1}}"#, told.len() - 1)
        };
        report(&local, &device(3), &next()).await?;
        agent.in_step(want(&client, &device(3), &format!(r#"{{"fw":{round}}}"#)).await?).await?;
        // What waits over a jump of the clock keeps its order.
        wire.cut();
        away(&agent).await?;
        for _ in 0..5 {
            report(&local, &device(3), &next()).await?;
        }
        agent.kill().await?;
        agent.set_clock_off(-years * year);
        agent.start().await?;
        report(&agent.client()?, &device(3), &next()).await?;
        wire.mend();
        agent.in_step(newest(&client).await?).await?;
    }
    check_once(&client, &device(3), &told).await?;
    let status = agent.status().await?;
    assert_eq!((status["refused_operations"].as_u64(), status["defects"].as_u64()), (Some(0), Some(0)), "{status}");
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let request = proto::ListEventsRequest {
        resource: names::twin(NAMESPACE, &device(3)),
        kinds: vec!["twin.reported".to_owned()],
        page_size: 1_000,
        ..Default::default()
    };
    let events = client.history().list_events(request).await?.events;
    assert_eq!(events.len(), told.len());
    for event in events {
        let at = event.time.as_ref().map_or(0, |time| u64::try_from(time.seconds).unwrap_or_default());
        ensure!(now_s.abs_diff(at) < 3_600, "the time of an effect is the cluster's: {at}, and it is {now_s}");
    }
    let found = client.edges().verify(proto::VerifyEdgeRequest { name: names::edge(NAMESPACE, super::EDGE) }).await?;
    ensure!(found.agree, "{found:?}");
    Ok(())
}
