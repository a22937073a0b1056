//! Watchers through kills, orderly stops and slow reading: what each was told is what the log holds, no more, no less.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::workload::{NAMESPACE, Writers, prepare, wait_for_writes};
use muster_client::{Client, names, proto};
use nix::sys::signal::Signal;
use proto::watch_response::Content;
use tokio::task::JoinHandle;

use super::{everything, next, of, places, started, watch};

const WRITERS: usize = 6;
/// A watch whose reader takes its time.
const SLOW: u64 = 4;

fn specs() -> Vec<proto::WatchSpec> {
    vec![
        everything(1),
        of(2, &names::namespace(NAMESPACE)),
        of(3, &names::twin(NAMESPACE, "d1")),
        everything(SLOW),
        proto::WatchSpec { kinds: vec!["twin.*".to_owned()], ..of(5, &names::namespace(NAMESPACE)) },
    ]
}

type Told = anyhow::Result<Vec<(u64, u32)>>;

/// Watches from the beginning of the test to the revision that `end` names at last.
async fn follow(client: Client, spec: proto::WatchSpec, end: Arc<AtomicU64>) -> Told {
    let slow = spec.id == SLOW;
    let mut watcher = client.watch(watch(vec![spec]));
    let mut told = Vec::new();
    loop {
        if let Content::Events(events) = next(&mut watcher).await?.1 {
            told.extend(events.events);
        }
        if slow {
            // The node has to keep what this one does not take.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if watcher.positions().any(|(_, next)| next.is_some_and(|next| next > end.load(Ordering::Acquire))) {
            return places(&told);
        }
    }
}

/// What a watch must have been told from `first` to `last`, by the history of the cluster.
async fn expected(client: &Client, spec: &proto::WatchSpec, first: u64, last: u64) -> Told {
    let request = proto::ListEventsRequest {
        resource: spec.resource.clone(),
        kinds: spec.kinds.clone(),
        from_revision: first,
        to_revision: last,
        page_size: 1_000,
        ..Default::default()
    };
    let mut events = std::pin::pin!(client.history().list_all(request));
    let mut found = Vec::new();
    while let Some(event) = futures::StreamExt::next(&mut events).await {
        let event = event?;
        found.push((event.revision, event.index));
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_miss_nothing_and_hear_nothing_twice_whatever_happens_to_nodes() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, WRITERS).await?;
    let first = started(&mut client.watch(watch(vec![everything(1)]))).await?.from_revision;
    let end = Arc::new(AtomicU64::new(u64::MAX));
    let mut watchers: Vec<(proto::WatchSpec, JoinHandle<Told>)> = Vec::new();
    for (at, spec) in specs().into_iter().enumerate() {
        let mut order = cluster.ids();
        order.rotate_left(at % 3);
        let spec = proto::WatchSpec { from_revision: first, ..spec };
        let following = follow(cluster.client_of(&order)?, spec.clone(), Arc::clone(&end));
        watchers.push((spec, tokio::spawn(following)));
    }
    let writers = Writers::start((0..WRITERS).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);

    wait_for_writes(&client, 150).await?;
    let leader = cluster.leader().await?;
    cluster.kill(&[leader]).await?;
    wait_for_writes(&client, 150).await?;
    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;
    for id in cluster.ids() {
        // Hands its leadership over, and ends its watches.
        cluster.end(id, Signal::SIGTERM).await?;
        wait_for_writes(&client, 50).await?;
        cluster.start_node(id)?;
        cluster.wait_until_whole().await?;
    }
    writers.finish().await?;
    let status = client.cluster().status(proto::GetStatusRequest {}).await?;
    let last = status.header.map(|header| header.revision).unwrap_or_default();
    end.store(last, Ordering::Release);
    for (spec, watcher) in watchers {
        let told = watcher.await??;
        let expected = expected(&client, &spec, first, last).await?;
        let told: Vec<_> = told.into_iter().filter(|(revision, _)| *revision <= last).collect();
        ensure!(!expected.is_empty(), "watch {} has nothing to compare with", spec.id);
        ensure!(
            told == expected,
            "watch {} was told {} events, the log holds {}; the first difference is {:?}",
            spec.id,
            told.len(),
            expected.len(),
            told.iter().zip(&expected).find(|(told, expected)| told != expected)
        );
    }
    Ok(())
}
