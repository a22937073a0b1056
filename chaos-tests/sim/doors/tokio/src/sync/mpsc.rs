//! As `tokio::sync::mpsc`, the bounded kind.

pub use ::tokio::sync::mpsc::{OwnedPermit, Permit, UnboundedReceiver, UnboundedSender, error, unbounded_channel};

use ::tokio::sync::mpsc as real;
use muster_sim_std::baton::block_on;
use std::task::{Context, Poll};

/// As `tokio::sync::mpsc::Sender`.
#[derive(Debug)]
pub struct Sender<T>(real::Sender<T>);

/// As `tokio::sync::mpsc::Receiver`.
#[derive(Debug)]
pub struct Receiver<T>(real::Receiver<T>);

/// As `tokio::sync::mpsc::channel`.
#[must_use]
pub fn channel<T>(bound: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = real::channel(bound);
    (Sender(sender), Receiver(receiver))
}

/// As `tokio::sync::mpsc::WeakSender`.
#[derive(Debug)]
pub struct WeakSender<T>(real::WeakSender<T>);

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> WeakSender<T> {
    /// As in `tokio`.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.0.upgrade().map(Sender)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// As in `tokio`, on a simulated thread.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn blocking_send(&self, value: T) -> Result<(), error::SendError<T>> {
        block_on(self.0.send(value))
    }

    /// As in `tokio`.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn send(&self, value: T) -> Result<(), error::SendError<T>> {
        self.0.send(value).await
    }

    /// As in `tokio`.
    ///
    /// # Errors
    /// When it is full, or nobody listens.
    pub fn try_send(&self, value: T) -> Result<(), error::TrySendError<T>> {
        self.0.try_send(value)
    }

    /// As in `tokio`.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, error::SendError<()>> {
        self.0.reserve().await
    }

    /// As in `tokio`.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.downgrade())
    }

    /// As in `tokio`.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// As in `tokio`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// As in `tokio`.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// As in `tokio`.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.0.max_capacity()
    }
}

impl<T> Receiver<T> {
    /// As in `tokio`, on a simulated thread.
    pub fn blocking_recv(&mut self) -> Option<T> {
        block_on(self.0.recv())
    }

    /// As in `tokio`.
    pub async fn recv(&mut self) -> Option<T> {
        self.0.recv().await
    }

    /// As in `tokio`.
    pub async fn recv_many(&mut self, into: &mut Vec<T>, most: usize) -> usize {
        self.0.recv_many(into, most).await
    }

    /// As in `tokio`.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn try_recv(&mut self) -> Result<T, error::TryRecvError> {
        self.0.try_recv()
    }

    /// As in `tokio`.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// As in `tokio`.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }

    /// As in `tokio`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// As in `tokio`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As in `tokio`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// For what takes tokio's own.
    #[must_use]
    pub fn into_inner(self) -> real::Receiver<T> {
        self.0
    }
}
