//! Threads that run one at a time: whoever has the baton runs, all others wait, and who gets it next is decided here.
//!
//! ```text
//! driver (the thread of the runtime) ── turn() ──▶ thread 1 runs until it waits ──▶ thread 2 … ──▶ driver
//! ```
//!
//! - A thread gives the baton back only where it waits for something ([`wait`]); between two waits nothing else runs.
//! - A thread that works on a disk gets its turn only after the time that the disk takes at that moment: so the work of a turn is
//!   done at one instant, and what comes of it is late.
//! - When the driver itself has to wait for a thread (a lock, a join), the others run at once, without any delay: a thread of the
//!   runtime that blocks stops the simulated time of all nodes.

use ::std::any::Any;
use ::std::cell::RefCell;
use ::std::future::Future;
use ::std::pin::pin;
use ::std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use ::std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use ::std::task::{Context, Poll, Wake, Waker};
use ::std::time::Duration;

use crate::chance::Chance;
use crate::{disk, trace};

/// Says that something waited for has happened.
#[derive(Clone, Debug, Default)]
pub struct Flag(Arc<AtomicBool>);

impl Flag {
    /// Says so.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
        poke();
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.raise();
    }
}

#[derive(Debug)]
enum State {
    /// Waits for a flag or a time.
    Waiting {
        flag: Flag,
        until_ns: Option<u64>,
        due_ns: Option<u64>,
    },
    Running,
    Finished,
}

pub(crate) struct Runner {
    number: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// The disk it works on, once it did.
    disk: AtomicU64,
    /// Whether it does work for a task of the runtime.
    blocking: bool,
}

const NO_DISK: u64 = u64::MAX;

struct Stage {
    runners: Vec<Arc<Runner>>,
    made: u64,
    chance: Chance,
    turns: u64,
}

static STAGE: Mutex<Option<Stage>> = Mutex::new(None);
static CLOCK: OnceLock<Box<dyn Fn() -> u64 + Send + Sync>> = OnceLock::new();
static LAST_NS: AtomicU64 = AtomicU64::new(0);
static POKE: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
static ENTER: OnceLock<Box<dyn Fn() -> Box<dyn Any> + Send + Sync>> = OnceLock::new();

thread_local! {
    static SELF: RefCell<Option<Arc<Runner>>> = const { RefCell::new(None) };
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_stage<T>(work: impl FnOnce(&mut Stage) -> T) -> T {
    let mut stage = locked(&STAGE);
    work(stage.get_or_insert_with(|| Stage { runners: Vec::new(), made: 0, chance: Chance::new(0), turns: 0 }))
}

/// Sets what tells the simulated time, what wakes the driver up, what each thread keeps as long as it runs, and the seed of small
/// delays. Once in a process.
pub fn begin(
    seed: u64,
    clock: impl Fn() -> u64 + Send + Sync + 'static,
    wake: impl Fn() + Send + Sync + 'static,
    enter: impl Fn() -> Box<dyn Any> + Send + Sync + 'static,
) {
    with_stage(|stage| stage.chance = Chance::new(seed));
    assert!(ENTER.set(Box::new(enter)).is_ok(), "one run in a process");
    assert!(CLOCK.set(Box::new(clock)).is_ok(), "one run in a process");
    assert!(POKE.set(Box::new(wake)).is_ok(), "one run in a process");
}

/// Nanoseconds since the run began.
#[must_use]
pub fn now_ns() -> u64 {
    let now = CLOCK.get().map_or(0, |clock| clock());
    LAST_NS.store(now, Ordering::Relaxed);
    now
}

/// What [`now_ns`] said last, without asking the clock.
#[must_use]
pub fn last_known_ns() -> u64 {
    LAST_NS.load(Ordering::Relaxed)
}

/// Tells the driver that somebody may go on.
pub fn poke() {
    if let Some(wake) = POKE.get() {
        wake();
    }
}

/// How many turns were taken so far, and how many threads there are.
#[must_use]
pub fn turns() -> (u64, usize) {
    with_stage(|stage| (stage.turns, stage.runners.len()))
}

/// Starts a thread. It runs when it is its turn.
pub(crate) fn start(name: &str, blocking: bool, work: impl FnOnce() + Send + 'static) -> ::std::io::Result<()> {
    let runner = with_stage(|stage| {
        stage.made += 1;
        let flag = Flag::default();
        flag.0.store(true, Ordering::SeqCst);
        let runner = Arc::new(Runner {
            number: stage.made,
            state: Mutex::new(State::Waiting { flag, until_ns: None, due_ns: None }),
            changed: Condvar::new(),
            disk: AtomicU64::new(NO_DISK),
            blocking,
        });
        stage.runners.push(Arc::clone(&runner));
        runner
    });
    let this = Arc::clone(&runner);
    let body = move || {
        SELF.with(|me| *me.borrow_mut() = Some(Arc::clone(&this)));
        this.wait_for_turn();
        let _entered = ENTER.get().map(|enter| enter());
        // The end is told even if the work panics.
        let _end = End(this);
        work();
    };
    ::std::thread::Builder::new().name(name.to_owned()).stack_size(1 << 20).spawn(body)?;
    poke();
    Ok(())
}

struct End(Arc<Runner>);

impl Drop for End {
    fn drop(&mut self) {
        *locked(&self.0.state) = State::Finished;
        self.0.changed.notify_all();
    }
}

impl Runner {
    fn wait_for_turn(&self) {
        let mut state = locked(&self.state);
        while !matches!(*state, State::Running) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs it until it waits again or ends.
    fn take_turn(&self) {
        let mut state = locked(&self.state);
        *state = State::Running;
        self.changed.notify_all();
        while matches!(*state, State::Running) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The thread that runs now, unless it is the driver.
fn me() -> Option<Arc<Runner>> {
    SELF.with(|me| me.borrow().clone())
}

/// Remembers which disk the running thread works on.
pub(crate) fn works_on(disk: u64) {
    if let Some(me) = me() {
        me.disk.store(disk, Ordering::Relaxed);
    }
}

/// Waits until the flag is raised or the time has come; the baton goes on meanwhile. Whether the flag was raised.
pub fn wait(flag: &Flag, limit: Option<Duration>) -> bool {
    let until_ns = limit.map(|limit| now_ns() + u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX / 2));
    let Some(me) = me() else { return drive_until(flag, until_ns) };
    if flag.is_raised() {
        return true;
    }
    {
        let mut state = locked(&me.state);
        *state = State::Waiting { flag: flag.clone(), until_ns, due_ns: None };
        me.changed.notify_all();
    }
    me.wait_for_turn();
    flag.is_raised()
}

/// Waits for a future on a thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let flag = Flag::default();
        let waker = Waker::from(Arc::new(flag.clone()));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                wait(&flag, None);
            }
        }
    }
}

/// Gives each thread that can go on its turn, and again, until none can. Returns when the next one can, if that is known.
pub fn turn() -> Option<u64> {
    run(false, &Flag::default())
}

/// The driver waits: the others run at once.
fn drive_until(flag: &Flag, until_ns: Option<u64>) -> bool {
    while !flag.is_raised() {
        let before = turns().0;
        run(true, flag);
        if !flag.is_raised() && turns().0 == before {
            assert!(until_ns.is_some(), "the driver waits for something that no thread can do");
            return false;
        }
    }
    true
}

fn run(at_once: bool, stop: &Flag) -> Option<u64> {
    loop {
        let now = now_ns();
        let (chosen, next) = with_stage(|stage| stage.choose(now, at_once));
        let Some(runner) = chosen else { return next };
        trace::note("turn", [runner.number, 0, 0]);
        runner.take_turn();
        if at_once && stop.is_raised() {
            return None;
        }
    }
}

impl Stage {
    /// Who goes on now; else when somebody can.
    fn choose(&mut self, now: u64, at_once: bool) -> (Option<Arc<Runner>>, Option<u64>) {
        self.runners.retain(|runner| !matches!(*locked(&runner.state), State::Finished));
        let mut next: Option<u64> = None;
        let mut soonest: Option<Arc<Runner>> = None;
        for runner in &self.runners {
            let mut state = locked(&runner.state);
            let State::Waiting { flag, until_ns, due_ns } = &mut *state else { continue };
            if due_ns.is_none() {
                if flag.is_raised() {
                    *due_ns = Some(now + delay(runner, &mut self.chance));
                } else if let Some(until) = until_ns.filter(|until| *until <= now) {
                    *due_ns = Some(until);
                }
            }
            let Some(due) = due_ns.or(*until_ns) else { continue };
            if due_ns.is_some() && (due <= now || at_once && flag.is_raised()) {
                self.turns += 1;
                return (Some(Arc::clone(runner)), None);
            }
            if next.is_none_or(|next| due < next) {
                next = Some(due);
                soonest = Some(Arc::clone(runner));
            }
        }
        // Nobody can go on by what has happened: the driver, who blocks, waits for the first whose time comes.
        if at_once && let Some(runner) = soonest {
            self.turns += 1;
            return (Some(runner), None);
        }
        (None, next)
    }
}

/// How long a thread takes to come round to what it was waiting for.
fn delay(runner: &Runner, chance: &mut Chance) -> u64 {
    match runner.disk.load(Ordering::Relaxed) {
        NO_DISK if runner.blocking => chance.between(50_000, 2_000_000),
        NO_DISK => chance.between(1_000, 50_000),
        disk => disk::latency_ns(disk),
    }
}
