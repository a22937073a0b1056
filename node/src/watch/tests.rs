//! One watch over a real store: from where it tells, how far it says it has come, what it misses, and to whom it tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{Key, Operation, Reason, Rejection};
use muster_proto::v1;
use prost::Message;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::raft::tests::support::{TestNode, settings, start};
use crate::read::tests::node::{Node, create_device};

/// Long enough for a busy machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    node: Node,
    watches: Arc<Watches>,
    /// Nobody asks it anything: these watches prove nothing.
    _raft: TestNode,
    _stop: tasks::Stopper,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let (node, folder) = (Node::new(), tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let raft = start(settings(1, folder.path()), listener).await;
        let (stop, stopped) = tasks::stop_pair();
        let applier = node.applier();
        let reader = Reader::new(Arc::clone(&raft.raft), node.states(), applier.positions(), PATIENCE);
        let watches = Watches::start(Arc::new(reader), applier.positions(), applier.recent(), 100, stopped);
        Self { node, watches, _raft: raft, _stop: stop, _folder: folder }
    }

    /// Creates namespaces, all in one revision.
    fn create(&mut self, namespaces: impl IntoIterator<Item = String>) {
        let create = |namespace| Operation::CreateNamespace { namespace, definition: NamespaceDefinition::default() };
        let outcome = self.node.run(namespaces.into_iter().map(create).collect());
        assert!(outcome.results.iter().all(crate::outcome::OperationResult::is_accepted));
    }

    /// As many revisions of one namespace each.
    fn create_each(&mut self, numbers: std::ops::RangeInclusive<u64>) {
        numbers.for_each(|number| self.create([format!("plant-{number}")]));
    }

    fn patch(&mut self, tags: &str) {
        let tags = Some(tags.to_owned());
        self.node.run(vec![Operation::PatchTwin { key: twin(), tags, desired: None, etag: None }]);
    }

    fn follow(&self, from: u64, change: impl FnOnce(&mut Following)) -> Follower {
        let mut asked = Following {
            filter: EventFilter::of(EventScope::All),
            audience: Audience::User,
            images: Images::default(),
            from,
            interval: Duration::from_millis(300),
            proves: false,
            admitted: Arc::new(|| Ok(())),
        };
        change(&mut asked);
        Follower::open(&self.watches, asked).unwrap()
    }
}

fn twin() -> Key {
    Key::DeviceTwin("plant".to_owned(), "pump".to_owned())
}

async fn next(follower: &mut Follower) -> Result<Told, FollowError> {
    timeout(PATIENCE, follower.next()).await.expect("something is told, if only how far it is")
}

fn decode(told: &frame::Events) -> Vec<v1::WatchEvent> {
    told.events.iter().map(|event| v1::WatchEvent::decode(event.clone()).unwrap()).collect()
}

/// The revisions of all events from a revision on until progress as far as `head` is told, which is then returned too. Each message
/// says no more than was told.
async fn told(follower: &mut Follower, from: u64, head: u64) -> (Vec<u64>, u64) {
    let mut revisions = Vec::new();
    loop {
        match next(follower).await.unwrap() {
            // It comes earlier, too, when the machine stands still for the interval.
            Told::Progress(revision) if revision < head => {
                assert_eq!(revision, revisions.last().copied().unwrap_or(from - 1), "no further than what was told");
            }
            Told::Progress(revision) => return (revisions, revision),
            Told::Events(events) => {
                revisions.extend(decode(&events).into_iter().map(|event| event.event.unwrap_or_default().revision));
                assert_eq!(Some(&events.revision), revisions.last(), "all is wanted, so each revision is told itself");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_from_the_revision_that_it_asks_for() {
    let mut scene = Scene::new().await;
    scene.create_each(1..=6);
    for from in 1..=6 {
        let mut follower = scene.follow(from, |_| {});
        assert_eq!(told(&mut follower, from, 6).await, ((from..=6).collect(), 6), "from the log");
    }
    let mut follower = scene.follow(7, |_| {});
    scene.create_each(7..=8);
    assert_eq!(told(&mut follower, 7, 8).await, (vec![7, 8], 8), "live");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_says_that_it_came_as_far_as_what_is_in_it() {
    let mut scene = Scene::new().await;
    for revision in 0..4 {
        // Two of these are too much for one message.
        scene.create((0..600).map(|number| format!("plant-{revision}-{number}")));
    }
    let mut follower = scene.follow(1, |_| {});
    let (revisions, upto) = told(&mut follower, 1, 4).await;
    assert_eq!((revisions.len(), upto), (2_400, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_overtaken_by_its_window_misses_nothing() {
    let mut scene = Scene::new().await;
    scene.create(["plant".to_owned()]);
    scene.node.run(vec![create_device("plant", "pump")]);
    let mut follower = scene.follow(3, |asked| asked.filter = EventFilter::of(EventScope::Resource(twin())));
    for number in 3..=60 {
        scene.patch(&format!(r#"{{"n":{number}}}"#));
        // The window of a single resource is small, and it is filled step by step.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(told(&mut follower, 3, 60).await, ((3..=60).collect(), 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_falls_below_the_floor_says_so_and_tells_the_floor_itself() {
    let mut scene = Scene::new().await;
    scene.create_each(1..=6);
    let mut followers: Vec<_> = (1..=4).map(|from| scene.follow(from, |_| {})).collect();
    scene.node.run(vec![Operation::CompactEvents { namespace: None, floor: 4 }]);
    let mut at_floor = followers.pop().expect("four");
    for (wanted, mut follower) in (1..).zip(followers) {
        let ended = next(&mut follower).await.err();
        let floor = match &ended {
            Some(FollowError::Compacted { wanted: named, floor }) if *named == wanted => Some(*floor),
            _ => None,
        };
        assert_eq!(floor, Some(4), "from {wanted}: {ended:?}");
    }
    assert_eq!(told(&mut at_floor, 4, 6).await.0[..3], [4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_may_not_go_on_is_told_nothing_more() {
    let mut scene = Scene::new().await;
    scene.create_each(1..=2);
    let may = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&may);
    let mut follower = scene.follow(1, |following| {
        following.admitted = Arc::new(move || match asked.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(Rejection::new(Reason::PermissionDenied, "", "not any more")),
        });
    });
    assert!(matches!(next(&mut follower).await, Ok(Told::Events(events)) if events.events.len() == 2));
    may.store(false, Ordering::Release);
    scene.create_each(3..=3);
    assert!(matches!(next(&mut follower).await, Err(FollowError::Denied(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_show_a_device_its_twin_without_tags() {
    let mut scene = Scene::new().await;
    scene.create(["plant".to_owned()]);
    scene.node.run(vec![create_device("plant", "pump")]);
    scene.patch(r#"{"secret":1}"#);
    scene.patch(r#"{"secret":2}"#);
    for (audience, shows_tags) in [(Audience::User, true), (Audience::Device, false)] {
        let mut follower = scene.follow(4, |asked| {
            asked.filter = EventFilter::of(EventScope::Resource(twin()));
            asked.audience = audience;
            asked.images = Images { before: true, after: true };
        });
        let Ok(Told::Events(events)) = next(&mut follower).await else { panic!("an event") };
        let event = decode(&events).remove(0);
        let shown = format!("{:?}", (&event.before, &event.after));
        assert!(event.before.is_some() && event.after.is_some());
        assert_eq!(shown.contains("secret"), shows_tags, "{audience:?}: {shown}");
    }
}
