//! As `std::sync::mpsc`, the bounded kind.

pub use ::std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use ::std::collections::VecDeque;
use ::std::fmt;
use ::std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use ::std::time::Duration;

use crate::baton::{self, Flag};

struct Inner<T> {
    queue: VecDeque<T>,
    bound: usize,
    senders: usize,
    is_heard: bool,
    waiting: Vec<Flag>,
}

struct Channel<T>(Mutex<Inner<T>>);

impl<T> Channel<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    fn tell(&mut self) {
        self.waiting.drain(..).for_each(|flag| flag.raise());
    }

    fn flag(&mut self) -> Flag {
        let flag = Flag::default();
        self.waiting.push(flag.clone());
        flag
    }
}

/// As `std::sync::mpsc::SyncSender`.
pub struct SyncSender<T>(Arc<Channel<T>>);

/// As `std::sync::mpsc::Receiver`.
pub struct Receiver<T>(Arc<Channel<T>>);

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// As `std::sync::mpsc::sync_channel`; a bound of 0 counts as 1.
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let inner = Inner { queue: VecDeque::new(), bound: bound.max(1), senders: 1, is_heard: true, waiting: Vec::new() };
    let channel = Arc::new(Channel(Mutex::new(inner)));
    (SyncSender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> SyncSender<T> {
    /// As in `std`.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        loop {
            let flag = {
                let mut inner = self.0.lock();
                if !inner.is_heard {
                    return Err(SendError(value));
                }
                if inner.queue.len() < inner.bound {
                    inner.queue.push_back(value);
                    inner.tell();
                    return Ok(());
                }
                inner.flag()
            };
            baton::wait(&flag, None);
        }
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When the receiver is gone or the queue is full.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut inner = self.0.lock();
        if !inner.is_heard {
            return Err(TrySendError::Disconnected(value));
        }
        if inner.queue.len() >= inner.bound {
            return Err(TrySendError::Full(value));
        }
        inner.queue.push_back(value);
        inner.tell();
        Ok(())
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for SyncSender<T> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.senders -= 1;
        if inner.senders == 0 {
            inner.tell();
        }
    }
}

impl<T> Receiver<T> {
    /// As in `std`.
    ///
    /// # Errors
    /// When there is nothing now, or never will be.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut inner = self.0.lock();
        match inner.queue.pop_front() {
            Some(value) => {
                inner.tell();
                Ok(value)
            }
            None if inner.senders == 0 => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    fn within(&self, limit: Option<Duration>) -> Result<T, RecvTimeoutError> {
        loop {
            match self.try_recv() {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let flag = self.0.lock().flag();
            // With a limit it may wait longer than that, when others were quicker; nobody here has others.
            if !baton::wait(&flag, limit) {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When nothing will ever come.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.within(None).map_err(|_| RecvError)
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When nothing came in time, or nothing will ever come.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.within(Some(limit))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.is_heard = false;
        let left = ::std::mem::take(&mut inner.queue);
        inner.tell();
        drop(inner);
        drop(left);
    }
}
