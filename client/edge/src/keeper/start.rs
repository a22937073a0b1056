//! From an opened store to a running keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_domain::Limits;
use rand::Rng;
use tokio::sync::{mpsc, oneshot};

use super::{JOBS_MAX, Job, Keeper, Recent};
use crate::clock::Monotonic;
use crate::protocol::{Protocol, Settings};
use crate::published::{Now, Published};
use crate::store::{Left, Loaded, Room, Store, StoreError};

/// A keeper that runs.
pub(crate) struct Started {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) published: Arc<Published>,
    /// How it ended.
    pub(crate) ended: oneshot::Receiver<Result<(), StoreError>>,
}

/// Starts the thread. It ends when all senders of jobs are gone, or with a fault of the store.
///
/// # Errors
/// When what waits cannot be read.
pub(crate) fn start(
    store: Store,
    loaded: Loaded,
    settings: Settings,
    limits: Limits,
    room: Arc<Room>,
) -> Result<Started, StoreError> {
    let Loaded { state, index, queue, damaged } = loaded;
    let now = Now { cluster_id: state.cluster_id.clone(), cursor: state.cursor, pending: BTreeMap::new() };
    let published = Arc::new(Published::new(now));
    let told = state.cursor;
    let chance = Box::new(|| rand::rng().random());
    let (jobs, inbox) = mpsc::channel(JOBS_MAX);
    let mut keeper = Keeper {
        reader: store.reader(),
        store,
        room,
        left: Left::Enough,
        protocol: Protocol::new(settings, state, index, queue, chance),
        limits,
        views: BTreeMap::new(),
        recent: Recent::default(),
        published: Arc::clone(&published),
        link: None,
        links: 0,
        jobs: jobs.downgrade(),
        clock: Monotonic::start(),
        changed: BTreeMap::new(),
        damaged: BTreeSet::from_iter(damaged),
        mark_ms: 0,
        told,
        last_state: None,
    };
    keeper.restore_views()?;
    let (report, ended) = oneshot::channel();
    let run = move || {
        let result = keeper.run(inbox);
        if let Err(error) = &result {
            tracing::error!(%error, "the store failed: the agent ends");
        }
        report.send(result).ok();
    };
    let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(run);
    thread.map_err(|cause| StoreError::Files { path: "the keeper's thread".into(), cause })?;
    Ok(Started { jobs, published, ended })
}

impl Keeper {
    /// Shows what waited when the agent ended, and knows its request ids.
    fn restore_views(&mut self) -> Result<(), StoreError> {
        let names: Vec<String> = self.protocol.queue().pending_names().map(str::to_owned).collect();
        for name in &names {
            self.renew_view(name)?;
        }
        // Also those that were answered and whose effect is not seen yet: an application may not know of it either.
        let queue = self.protocol.queue();
        let mut known: Vec<_> = names.iter().flat_map(|name| queue.pending_of(name)).collect();
        known.sort_unstable_by_key(|entry| entry.key);
        for entry in known {
            if let Some(view) = self.views.get(entry.name()) {
                self.recent.note(&entry.request_id, &entry.operation, &view.resource());
            }
        }
        let views = self.views.iter().map(|(name, view)| (name.clone(), Arc::new(view.resource()))).collect();
        self.published.update(|now| now.pending = views);
        Ok(())
    }
}
