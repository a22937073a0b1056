//! One task for each namespace with connected edges: it follows what happens there and keeps their scopes up to date.
//!
//! ```text
//! lane of the namespace ─▶ router ─▶ scope of an edge ─▶ its session, woken, takes what changed when its connection has room
//! ```
//!
//! It knows no message and no connection. Invariants:
//!
//! - Nobody waits for a session: a scope is changed under a lock that is held for a moment.
//! - [`Namespace::told`] names a revision only when every scope is as of it.
//! - When events were lost everything is looked at again; when the store fails or the node stops, sessions see
//!   [`Namespace::is_over`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use muster_domain::Key;
use tokio::sync::{Notify, oneshot};

use super::routing::Routing;
use super::scope::Scope;
use crate::read::{EventScope, Reader, ResourceType, ScanError, View, WalkPlace, WalkRange};
use crate::tasks;
use crate::watch::{FollowError, Tail, Tailed, Watches};

/// Bytes of records of one page while all places are looked for.
const PAGE_BYTES: usize = 4 << 20;

/// The scope of a connected edge, between the router and the edge's session.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    scope: Scope,
    /// As of when the scope is, if the namespace has told nothing later.
    revision: u64,
}

impl Shared {
    pub(super) fn new(scope: Scope, revision: u64) -> Self {
        Self { state: Mutex::new(State { scope, revision }), changed: Notify::new() }
    }

    /// Looks at the scope, or goes on in it.
    pub(super) fn read<T>(&self, look: impl FnOnce(&mut Scope) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).scope)
    }

    /// The same, with the revision that the scope is as of; `told` is what the namespace had told before.
    pub(super) fn read_at<T>(&self, told: u64, look: impl FnOnce(&mut Scope, u64) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = state.revision.max(told);
        look(&mut state.scope, revision)
    }

    /// Changes the scope to what it is as of `revision`, and wakes the session if anything changed.
    pub(super) fn update(&self, revision: u64, change: impl FnOnce(&mut Scope) -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.revision = revision;
        let is_changed = change(&mut state.scope);
        drop(state);
        if is_changed {
            self.wake();
        }
    }

    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits until something may have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// What the sessions of a namespace share.
pub(super) struct Namespace {
    id: Arc<str>,
    joining: Mutex<Vec<Joining>>,
    joined: Arc<Notify>,
    told: AtomicU64,
    over: AtomicBool,
}

struct Joining {
    edge: Arc<str>,
    /// The scope must not be older than this.
    from: u64,
    answer: oneshot::Sender<Arc<Shared>>,
}

impl Namespace {
    /// Begins to follow what happens in a namespace.
    pub(super) fn start(id: &str, reader: &Arc<Reader>, watches: &Arc<Watches>) -> Arc<Self> {
        let tail = Tail::open(watches, id);
        let told = AtomicU64::new(tail.first() - 1);
        let (joining, joined) = (Mutex::default(), Arc::default());
        let namespace = Arc::new(Self { id: Arc::from(id), joining, joined, told, over: AtomicBool::new(false) });
        tasks::spawn("sync-router", run(Arc::downgrade(&namespace), tail, Arc::clone(reader)));
        namespace
    }

    /// The scope of an edge as of `from`, a revision of this namespace, or later, kept up to date from then on; `None` when that
    /// has ended.
    pub(super) async fn join(&self, edge: &str, from: u64) -> Option<Arc<Shared>> {
        let (answer, joined) = oneshot::channel();
        self.lock().push(Joining { edge: Arc::from(edge), from, answer });
        self.joined.notify_one();
        if self.is_over() {
            self.lock().clear();
        }
        joined.await.ok()
    }

    /// Those who join and want nothing newer than `upto`.
    fn joining(&self, upto: u64) -> Vec<Joining> {
        let mut waiting = self.lock();
        let (now, later) = std::mem::take(&mut *waiting).into_iter().partition(|joining| joining.from <= upto);
        *waiting = later;
        now
    }

    /// The revision up to which all scopes are known.
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }

    /// Whether scopes are not kept up to date any more.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Joining>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.lock().clear();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The task waits for this, among others.
        self.joined.notify_one();
    }
}

async fn run(namespace: Weak<Namespace>, tail: Tail, reader: Arc<Reader>) {
    let ended = follow(&namespace, tail, &reader).await;
    if let Some(namespace) = namespace.upgrade() {
        namespace.end();
    }
    match ended {
        Ok(()) | Err(FollowError::Stopping) => {}
        Err(error) => tracing::error!(%error, "the edges of a namespace are not kept up to date any more"),
    }
}

async fn follow(weak: &Weak<Namespace>, mut tail: Tail, reader: &Arc<Reader>) -> Result<(), FollowError> {
    let Some((id, joined)) = weak.upgrade().map(|own| (Arc::clone(&own.id), Arc::clone(&own.joined))) else {
        return Ok(());
    };
    let mut routing = find_places(reader, &id, tail.first() - 1).await?;
    joined.notify_one();
    loop {
        let tailed = tokio::select! {
            tailed = tail.next() => Some(tailed?),
            () = joined.notified() => None,
        };
        let Some(namespace) = weak.upgrade() else { return Ok(()) };
        let mut lost = None;
        let upto = match &tailed {
            Some(Tailed::Events(tailing)) => tailing.upto(),
            Some(Tailed::Lost) => {
                metrics::counter!("muster_sync_rebuilds_total").increment(1);
                let newest = reader.local().revision();
                tail.skip_to(newest);
                lost = Some(find_places(reader, &id, newest).await?);
                newest
            }
            None => routing.revision,
        };
        let joining = namespace.joining(upto);
        let is_quiet = lost.is_none() && joining.is_empty();
        let view = reader.local_for_followers();
        routing = match tailed {
            Some(Tailed::Events(tailing)) if is_quiet && !routing.is_concerned(&tailing) => routing.at(upto),
            None if is_quiet => routing,
            tailed => view.beside(move |view| step(routing, view, tailed, lost, joining)).await?,
        };
        namespace.told.store(routing.revision, Ordering::Release);
    }
}

fn step(
    mut routing: Routing,
    view: &View,
    tailed: Option<Tailed>,
    lost: Option<Routing>,
    joining: Vec<Joining>,
) -> Result<Routing, crate::read::StoreError> {
    if let Some(found) = lost {
        routing.replace(view, found)?;
    }
    if let Some(Tailed::Events(tailing)) = &tailed {
        routing.step(view, tailing)?;
    }
    for Joining { edge, answer, .. } in joining {
        let shared = routing.join(view, &edge)?;
        // One that went away meanwhile needs no scope.
        drop(answer.send(shared));
    }
    Ok(routing)
}

/// Looks through all devices and assets of the namespace: about a second for some 100,000 of them, once for the first edge that
/// connects.
async fn find_places(reader: &Arc<Reader>, namespace: &str, revision: u64) -> Result<Routing, ScanError> {
    let view = reader.local_for_followers();
    let scope = EventScope::Namespace(namespace.to_owned());
    let range = WalkRange { scope, types: vec![ResourceType::Device, ResourceType::Asset] };
    let mut routing = Routing::new(revision);
    let mut place = Some(WalkPlace::default());
    while let Some(from) = place.take() {
        let page = view.walk(range.clone(), revision, from, PAGE_BYTES).await?;
        place = page.next;
        let things: Vec<Key> = page.resources.into_iter().map(|(key, _)| key).collect();
        routing = view
            .beside(move |view| {
                let states = view.pinned(revision);
                things.iter().for_each(|thing| routing.put(&states, thing));
                states.finish().map(|()| routing)
            })
            .await?;
    }
    Ok(routing)
}
