//! As `std::thread`, for threads that run one at a time.

pub use ::std::thread::*;

use ::std::fmt;
use ::std::io;
use ::std::panic::{AssertUnwindSafe, catch_unwind};
use ::std::sync::{Arc, Mutex, PoisonError};
use ::std::time::Duration;

use crate::baton::{self, Flag};

type Place<T> = Arc<Mutex<Option<Result<T>>>>;

/// As `std::thread::JoinHandle`.
pub struct JoinHandle<T> {
    result: Place<T>,
    finished: Flag,
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

impl<T> JoinHandle<T> {
    /// As in `std`.
    ///
    /// # Errors
    /// When the thread panicked.
    pub fn join(self) -> Result<T> {
        baton::wait(&self.finished, None);
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(Box::new("a thread without a result")))
    }

    /// As in `std`.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.is_raised()
    }
}

/// As `std::thread::Builder`.
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// As in `std`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As in `std`.
    #[must_use]
    pub fn name(self, name: String) -> Self {
        Self { name: Some(name) }
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn<F, T>(self, work: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        started(self.name.as_deref().unwrap_or("thread"), false, work)
    }
}

/// As `std::thread::spawn`.
///
/// # Panics
/// When the system has no thread to give.
pub fn spawn<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    started("thread", false, work).expect("a thread")
}

/// Blocking work of an async runtime.
///
/// # Panics
/// When the system has no thread to give.
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    started("blocking", true, work).expect("a thread")
}

/// As `std::thread::sleep`.
pub fn sleep(time: Duration) {
    baton::wait(&Flag::default(), Some(time));
}

fn started<F, T>(name: &str, blocking: bool, work: F) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (result, finished): (Place<T>, _) = (Arc::default(), Flag::default());
    let (place, flag) = (Arc::clone(&result), finished.clone());
    baton::start(name, blocking, move || {
        let made = catch_unwind(AssertUnwindSafe(work));
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        flag.raise();
    })?;
    Ok(JoinHandle { result, finished })
}
