//! Watchers through kills, orderly stops, changes of the leader, compaction and slow reading: what each was told is what
//! the log held, no more, no less.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
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

/// How far a watch has come, and how far it is to go.
#[derive(Clone)]
struct Course {
    next: Arc<AtomicU64>,
    end: Arc<AtomicU64>,
}

/// Watches from the beginning of the test to the revision that is the end at last.
async fn follow(client: Client, spec: proto::WatchSpec, course: Course) -> Told {
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
        if let Some(next) = watcher.positions().find_map(|(_, next)| next) {
            course.next.store(next, Ordering::Release);
            if next > course.end.load(Ordering::Acquire) {
                return places(&told);
            }
        }
    }
}

/// What the log held, written down before it is compacted.
struct Record {
    client: Client,
    events: Vec<proto::Event>,
    /// The first revision that is not written down.
    next: u64,
}

impl Record {
    async fn write_down(&mut self, to: u64) -> anyhow::Result<()> {
        if to < self.next {
            return Ok(());
        }
        let request = proto::ListEventsRequest {
            from_revision: self.next,
            to_revision: to,
            page_size: 1_000,
            ..Default::default()
        };
        let mut events = std::pin::pin!(self.client.history().list_all(request));
        while let Some(event) = futures::StreamExt::next(&mut events).await {
            self.events.push(event?);
        }
        self.next = to + 1;
        Ok(())
    }

    fn expected(&self, spec: &proto::WatchSpec) -> Vec<(u64, u32)> {
        let within = |resource: &str| match spec.resource.as_str() {
            "" => true,
            wanted if wanted.ends_with("/twin") => resource == wanted,
            wanted => resource == wanted || resource.starts_with(&format!("{wanted}/")),
        };
        let is_kind = |kind: &str| spec.kinds.is_empty() || kind.starts_with("twin.");
        let wanted = self.events.iter().filter(|event| within(&event.resource) && is_kind(&event.kind));
        wanted.map(|event| (event.revision, event.index)).collect()
    }
}

/// Compacts what every watch was told and what is written down, again and again, until it is told to stop. The floor at
/// the end.
async fn compact(mut record: Record, courses: Vec<Course>) -> anyhow::Result<(Record, u64)> {
    let mut floor = 0;
    while courses.iter().any(|course| course.end.load(Ordering::Acquire) == u64::MAX) {
        let told = courses.iter().map(|course| course.next.load(Ordering::Acquire)).min().unwrap_or_default();
        if told > record.next + 50 {
            record.write_down(told - 1).await?;
            floor = told - 20;
            let request = proto::CompactEventsRequest { floor, ..Default::default() };
            record.client.retention().compact(request).await?;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok((record, floor))
}

async fn hand_over(client: &Client) -> anyhow::Result<()> {
    // Who has just begun to lead has not heard everybody yet, and hands nothing to whom it has not heard.
    eventually("leadership moves", Duration::from_secs(20), async || {
        let asked = client.members().transfer_leadership(proto::TransferLeadershipRequest::default()).await;
        asked.map(drop).map_err(|error| error.to_string())
    })
    .await
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
    let mut courses = Vec::new();
    for (at, spec) in specs().into_iter().enumerate() {
        let mut order = cluster.ids();
        order.rotate_left(at % 3);
        let spec = proto::WatchSpec { from_revision: first, ..spec };
        let course = Course { next: Arc::new(AtomicU64::new(first)), end: Arc::clone(&end) };
        courses.push(course.clone());
        watchers.push((spec.clone(), tokio::spawn(follow(cluster.client_of(&order)?, spec, course))));
    }
    let record = Record { client: cluster.client()?, events: Vec::new(), next: first };
    let compacting = tokio::spawn(compact(record, courses));
    let writers = Writers::start((0..WRITERS).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);

    wait_for_writes(&client, 150).await?;
    let leader = cluster.leader().await?;
    cluster.kill(&[leader]).await?;
    wait_for_writes(&client, 150).await?;
    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;
    for id in cluster.ids() {
        hand_over(&client).await?;
        wait_for_writes(&client, 50).await?;
        // Hands its leadership over, if it leads, and ends its watches.
        cluster.end(id, Signal::SIGTERM).await?;
        wait_for_writes(&client, 50).await?;
        cluster.start_node(id)?;
        cluster.wait_until_whole().await?;
    }
    writers.finish().await?;
    let status = client.cluster().status(proto::GetStatusRequest {}).await?;
    let last = status.header.map(|header| header.revision).unwrap_or_default();
    end.store(last, Ordering::Release);
    let (mut record, floor) = compacting.await?.context("compaction")?;
    ensure!(floor > first, "nothing was compacted");
    record.write_down(last).await?;
    for (spec, watcher) in watchers {
        let told = watcher.await??;
        let expected = record.expected(&spec);
        let told: Vec<_> = told.into_iter().filter(|(revision, _)| *revision <= last).collect();
        let expected: Vec<_> = expected.into_iter().filter(|(revision, _)| *revision <= last).collect();
        ensure!(!expected.is_empty(), "watch {} has nothing to compare with", spec.id);
        ensure!(
            told == expected,
            "watch {} was told {} events, the log held {}; the first difference is {:?}",
            spec.id,
            told.len(),
            expected.len(),
            told.iter().zip(&expected).find(|(told, expected)| told != expected)
        );
    }
    Ok(())
}
