//! As `std::sync::Mutex` and `Condvar`.

use ::std::fmt;
use ::std::ops::{Deref, DerefMut};
use ::std::sync::atomic::{AtomicUsize, Ordering};
use ::std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use ::std::time::Duration;

use crate::baton::{self, Flag};

type Waiting = ::std::sync::Mutex<Vec<(usize, Flag)>>;

/// Who waits for which lock. Nearly always empty, because only one thread runs.
static WAITING: Waiting = Waiting::new(Vec::new());
static WAITERS: AtomicUsize = AtomicUsize::new(0);

/// As `std::sync::Mutex`.
#[derive(Default)]
pub struct Mutex<T: ?Sized>(::std::sync::Mutex<T>);

/// As `std::sync::MutexGuard`.
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// `None` only while it is given away.
    guard: Option<::std::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    /// As in `std`.
    pub const fn new(value: T) -> Self {
        Self(::std::sync::Mutex::new(value))
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When a thread panicked with the lock.
    pub fn into_inner(self) -> LockResult<T> {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    fn address(&self) -> usize {
        (&raw const self.0).cast::<()>() as usize
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When a thread panicked with the lock.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        loop {
            match self.0.try_lock() {
                Ok(guard) => return Ok(MutexGuard { mutex: self, guard: Some(guard) }),
                Err(TryLockError::Poisoned(poisoned)) => {
                    let guard = Some(poisoned.into_inner());
                    return Err(PoisonError::new(MutexGuard { mutex: self, guard }));
                }
                Err(TryLockError::WouldBlock) => {
                    let flag = Flag::default();
                    WAITERS.fetch_add(1, Ordering::SeqCst);
                    WAITING.lock().unwrap_or_else(PoisonError::into_inner).push((self.address(), flag.clone()));
                    baton::wait(&flag, None);
                }
            }
        }
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When somebody has the lock, or panicked with it.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Ok(MutexGuard { mutex: self, guard: Some(guard) }),
            Err(TryLockError::Poisoned(poisoned)) => {
                let guard = Some(poisoned.into_inner());
                Err(TryLockError::Poisoned(PoisonError::new(MutexGuard { mutex: self, guard })))
            }
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        }
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When a thread panicked with the lock.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.0.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("it is held")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("it is held")
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.guard.take().is_some() && WAITERS.load(Ordering::SeqCst) > 0 {
            let address = self.mutex.address();
            let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|(of, flag)| {
                let is_ours = *of == address;
                if is_ours {
                    WAITERS.fetch_sub(1, Ordering::SeqCst);
                    flag.raise();
                }
                !is_ours
            });
        }
    }
}

/// As `std::sync::WaitTimeoutResult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// As in `std`.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

/// As `std::sync::Condvar`.
#[derive(Debug, Default)]
pub struct Condvar(::std::sync::Mutex<Vec<Flag>>);

impl Condvar {
    /// As in `std`.
    #[must_use]
    pub const fn new() -> Self {
        Self(::std::sync::Mutex::new(Vec::new()))
    }

    /// As in `std`.
    pub fn notify_all(&self) {
        let waiting = ::std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.iter().for_each(Flag::raise);
    }

    /// As in `std`.
    pub fn notify_one(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.is_empty() {
            waiting.remove(0).raise();
        }
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When a thread panicked with the lock.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.sleep(guard, None).0
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When a thread panicked with the lock.
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When a thread panicked with the lock.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let end_ns = baton::now_ns() + u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX / 2);
        let mut timed_out = false;
        while condition(&mut guard) {
            let now = baton::now_ns();
            if timed_out || now >= end_ns {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let (woken, raised) = self.sleep(guard, Some(Duration::from_nanos(end_ns - now)));
            match woken {
                Ok(woken) => guard = woken,
                Err(poisoned) => return Err(PoisonError::new((poisoned.into_inner(), WaitTimeoutResult(!raised)))),
            }
            // The driver, when it blocks, wakes sleepers before their time.
            timed_out = !raised;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    fn sleep<'a, T>(&self, guard: MutexGuard<'a, T>, limit: Option<Duration>) -> (LockResult<MutexGuard<'a, T>>, bool) {
        let (mutex, flag) = (guard.mutex, Flag::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(flag.clone());
        drop(guard);
        let raised = baton::wait(&flag, limit);
        (mutex.lock(), raised)
    }
}
