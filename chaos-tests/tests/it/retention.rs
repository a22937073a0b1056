//! Event retention on real nodes: every one of them honours the same floor, before and after it swept its disk, after a
//! restart, and when it came back by a snapshot.

use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::invariants::chains_agree;
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{CallError, Client, Code, names, proto};

/// What the sweeper logs when it is done.
const SWEPT: &str = "swept compacted events";

fn local() -> Option<proto::ReadOptions> {
    Some(proto::ReadOptions { consistency: proto::read_options::Consistency::Local.into(), min_revision: 0 })
}

async fn patch(client: &Client, device: &str, value: u64) -> anyhow::Result<u64> {
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, device),
        desired_json: Some(format!("{{\"value\":{value}}}")),
        ..Default::default()
    };
    let answer = client.twins().patch(request).await?;
    Ok(answer.header.context("a header")?.revision)
}

fn twin_at(device: &str, revision: u64) -> proto::GetAtRequest {
    proto::GetAtRequest { name: names::twin(NAMESPACE, device), revision, read: local() }
}

fn events_from(resource: &str, from_revision: u64) -> proto::ListEventsRequest {
    proto::ListEventsRequest {
        resource: resource.to_owned(),
        from_revision,
        page_size: 1_000,
        read: local(),
        ..Default::default()
    }
}

fn check_compacted<T: std::fmt::Debug>(what: &str, answer: Result<T, CallError>, floor: u64) -> Result<(), String> {
    match answer {
        Err(error) if error.reason() == Some("COMPACTED") => {
            let told = (error.code(), error.floor());
            if told == (Code::OutOfRange, Some(floor)) { Ok(()) } else { Err(format!("{what}: {told:?}, {error}")) }
        }
        other => Err(format!("{what}: {other:?}")),
    }
}

/// What one node answers about the past, `values` being those of `d0` by revision.
async fn check_node(client: &Client, floor: u64, values: &[(u64, u64)]) -> Result<(), String> {
    let history = client.history();
    let told = |error: CallError| error.to_string();
    let read = proto::GetRetentionRequest { parent: String::new(), read: local() };
    let retention = client.retention().get(read).await.map_err(told)?.retention.unwrap_or_default();
    if retention.floor != floor {
        return Err(format!("the floor is {}, not yet {floor}", retention.floor));
    }
    for resource in ["".to_owned(), names::namespace(NAMESPACE), names::twin(NAMESPACE, "d0")] {
        let below = history.list_events(events_from(&resource, floor - 1)).await;
        check_compacted(&format!("events of {resource:?} from below"), below, floor)?;
        let from_floor = history.list_events(events_from(&resource, floor)).await.map_err(told)?.events;
        let from_oldest = history.list_events(events_from(&resource, 0)).await.map_err(told)?.events;
        if from_floor != from_oldest || from_floor.first().is_none_or(|event| event.revision < floor) {
            return Err(format!("events of {resource:?} do not begin at the floor: {:?}", from_floor.first()));
        }
    }
    check_compacted("a twin as of below", history.get_at(twin_at("d0", floor - 1)).await, floor)?;
    for (revision, value) in values.iter().filter(|(revision, _)| *revision >= floor) {
        let then = history.get_at(twin_at("d0", *revision)).await.map_err(told)?;
        let Some(proto::get_at_response::Resource::Twin(twin)) = then.resource else {
            return Err("no twin".to_owned());
        };
        let found = twin.desired.map(|section| section.json).unwrap_or_default();
        if found != format!("{{\"value\":{value}}}") {
            return Err(format!("as of {revision} it was {found}, not {value}"));
        }
    }
    // Not changed since long before the floor.
    let still = history.get_at(twin_at("d3", floor)).await.map_err(told)?;
    if still.changed_at >= floor {
        return Err(format!("d3 changed at {}", still.changed_at));
    }
    let hash = proto::GetChainHashRequest { revision: floor - 1 };
    client.cluster().chain_hash(hash).await.map_err(told)?;
    let hash = proto::GetChainHashRequest { revision: floor - 2 };
    check_compacted("a chain hash", client.cluster().chain_hash(hash).await, floor - 1)
}

async fn check_all(cluster: &Cluster, floor: u64, values: &[(u64, u64)]) -> anyhow::Result<()> {
    for id in cluster.ids() {
        let client = cluster.client_of(&[id])?;
        eventually(&format!("node {id} honours the floor {floor}"), Duration::from_secs(30), async || {
            check_node(&client, floor, values).await
        })
        .await?;
    }
    Ok(())
}

async fn wait_until_swept(cluster: &Cluster, ids: &[u64], times: usize) -> anyhow::Result<()> {
    for id in ids {
        eventually(&format!("node {id} has swept"), Duration::from_secs(30), async || {
            let log = cluster.log_of(*id).map_err(|error| error.to_string())?;
            let found = log.matches(SWEPT).count();
            if found >= times { Ok(()) } else { Err(format!("{found} of {times} times")) }
        })
        .await?;
    }
    Ok(())
}

async fn compact(client: &Client, floor: u64) -> Result<proto::Retention, CallError> {
    let request = proto::CompactEventsRequest { floor, ..Default::default() };
    Ok(client.retention().compact(request).await?.retention.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_honours_the_floor_swept_restarted_or_fed_by_a_snapshot() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let settings = "[raft]\nsnapshot_entries = 100\nlog_keep_entries = 20\n".to_owned();
    let mut cluster = Cluster::start(Options { settings, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 4).await?;
    let leader = cluster.leader().await?;
    let away = cluster.ids().into_iter().find(|id| *id != leader).context("a follower")?;
    cluster.kill(&[away]).await?;
    let mut values = Vec::new();
    for value in 1..=300 {
        values.push((patch(&client, "d0", value).await?, value));
    }
    let newest = values.last().context("values")?.0;
    let future = compact(&client, newest + 1_000).await.err().context("a floor to come")?;
    assert_eq!((future.code(), future.reason()), (Code::OutOfRange, Some("REVISION_IN_FUTURE")), "{future}");

    let floor = newest - 200;
    assert_eq!(compact(&client, floor).await?.floor, floor);
    assert_eq!(compact(&client, floor - 1).await?.floor, floor, "a lower one changes nothing");
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != away).collect();
    wait_until_swept(&cluster, &others, 1).await?;
    // Its first change above the floor: what it was before must have been kept.
    values.push((patch(&client, "d1", 1).await?, 300));
    let before = client.history().get_at(twin_at("d1", floor)).await?;
    assert!(before.changed_at < floor, "d1 was made long before: {}", before.changed_at);

    eventually("the log is purged", Duration::from_secs(60), async || {
        // Snapshots and purges come with entries.
        patch(&client, "d2", 1).await.map_err(|error| error.to_string())?;
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        let purged = status.members.iter().filter(|member| member.reachable).map(|member| member.purged_index).min();
        if purged > Some(20) { Ok(()) } else { Err(format!("{purged:?}")) }
    })
    .await?;
    cluster.start_node(away)?;
    cluster.wait_until_whole().await?;
    check_all(&cluster, floor, &values).await?;
    let returned = cluster.status_of(away).await?;
    let own = returned.members.iter().find(|member| member.node_id == away).context("itself")?;
    ensure!(own.snapshot_index > 20, "it came back by a snapshot: {own:?}");

    let ids = cluster.ids();
    cluster.kill(&ids).await?;
    for id in &ids {
        cluster.start_node(*id)?;
    }
    cluster.wait_until_whole().await?;
    check_all(&cluster, floor, &values).await?;
    chains_agree::check(&cluster).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_carried_out_by_itself_and_a_namespace_may_keep_more() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 4).await?;
    let other = proto::CreateNamespaceRequest { namespace_id: "other".to_owned(), ..Default::default() };
    client.namespaces().create(other).await?;
    let keep_all = proto::UpdateRetentionRequest {
        parent: names::namespace("other"),
        policy: Some(proto::RetentionPolicy::default()),
        ..Default::default()
    };
    let own = client.retention().update(keep_all).await?.retention.context("retention")?;
    assert_eq!((own.name.as_str(), own.floor), ("namespaces/other/retention", 1));
    let newest = proto::RetentionPolicy { max_revisions: 20, ..Default::default() };
    let request = proto::UpdateRetentionRequest { policy: Some(newest), ..Default::default() };
    client.retention().update(request).await?;
    let devices = |page_token: &str| proto::ListDevicesRequest {
        parent: names::namespace(NAMESPACE),
        page_size: 2,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let first_page = client.devices().list(devices("")).await?;
    assert_eq!(first_page.devices.len(), 2);
    client.devices().list(devices(&first_page.next_page_token)).await?;
    let mut last = 0;
    for value in 0..60 {
        last = patch(&client, "d0", value).await?;
    }
    let floor = eventually("the floor follows", Duration::from_secs(30), async || {
        let read = proto::GetRetentionRequest { parent: names::namespace(NAMESPACE), read: local() };
        let retention = client.retention().get(read).await.map_err(|error| error.to_string())?.retention;
        let floor = retention.map(|retention| retention.floor).unwrap_or_default();
        if floor + 22 >= last { Ok(floor) } else { Err(format!("floor {floor}, newest {last}")) }
    })
    .await?;
    assert!(floor <= last, "the newest revision stays");
    check_compacted("events", client.history().list_events(events_from("", floor - 1)).await, floor)
        .map_err(anyhow::Error::msg)?;
    let late = client.devices().list(devices(&first_page.next_page_token)).await.err().context("an old page")?;
    assert_eq!(late.reason(), Some("PAGE_TOKEN_EXPIRED"), "{late}");
    let kept = client.history().list_events(events_from(&names::namespace("other"), 1)).await?;
    assert_eq!(kept.events.first().map(|event| event.kind.as_str()), Some("namespace.created"));
    // Compacting makes revisions itself; that must come to rest.
    let settled = client.cluster().status(proto::GetStatusRequest {}).await?.header.context("a header")?.revision;
    assert!(settled <= last + 5, "{settled} after {last}");
    chains_agree::check(&cluster).await?;
    Ok(())
}
