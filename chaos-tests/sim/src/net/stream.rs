//! One connection: two pipes, each with what is on its way.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use muster_sim_std::trace;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::transport::server::Connected;

use super::Net;

/// Bytes that may be on their way; a writer waits when there are more.
const WINDOW_BYTES: usize = 256 << 10;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) from: u64,
    pub(super) to: u64,
    flow: Mutex<Flow>,
}

#[derive(Debug, Default)]
struct Flow {
    queue: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    last: Option<Instant>,
    /// The writer has said that nothing follows.
    is_ended: bool,
    is_broken: bool,
    /// The host that is off: who reads or writes there is dead, and the other side hears nothing.
    silent: Option<u64>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Flow {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Pipe {
    pub(super) fn new(from: u64, to: u64) -> Arc<Self> {
        Arc::new(Self { from, to, flow: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.lock().wake();
    }

    pub(super) fn break_off(&self) {
        let mut flow = self.lock();
        flow.is_broken = true;
        flow.queue.clear();
        flow.wake();
    }

    pub(super) fn fall_silent(&self, host: u64) {
        let mut flow = self.lock();
        flow.silent = Some(host);
        flow.queue.clear();
        flow.bytes = 0;
        flow.wake();
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Stream {
    net: Net,
    read: Arc<Pipe>,
    write: Arc<Pipe>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(super) fn new(net: Net, read: Arc<Pipe>, write: Arc<Pipe>) -> Self {
        Self { net, read, write, timer: None }
    }
}

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let is_cut = this.net.is_cut(this.read.from, this.read.to);
            let mut flow = this.read.lock();
            if flow.is_broken || flow.silent == Some(this.read.to) {
                return Poll::Ready(Err(reset()));
            }
            let next = flow.queue.front().map(|(at, _)| *at).filter(|_| !is_cut);
            let Some(at) = next else {
                if flow.is_ended && flow.queue.is_empty() && flow.silent.is_none() {
                    return Poll::Ready(Ok(()));
                }
                flow.reader = Some(context.waker().clone());
                return Poll::Pending;
            };
            if at <= Instant::now() {
                let flow = &mut *flow;
                if let Some((_, bytes)) = flow.queue.front_mut() {
                    let count = bytes.len().min(into.remaining());
                    into.put_slice(&bytes[..count]);
                    bytes.advance(count);
                    flow.bytes -= count;
                    if bytes.is_empty() {
                        flow.queue.pop_front();
                    }
                }
                if let Some(writer) = flow.writer.take() {
                    writer.wake();
                }
                return Poll::Ready(Ok(()));
            }
            // Also woken when the connection breaks meanwhile.
            flow.reader = Some(context.waker().clone());
            drop(flow);
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            timer.as_mut().reset(at);
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let (from, to) = (this.write.from, this.write.to);
        let arrival = this.net.arrival(from, to);
        let mut flow = this.write.lock();
        if flow.is_broken || flow.silent == Some(from) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if flow.silent.is_some() {
            // Nobody takes it, and nobody says so.
            return Poll::Ready(Ok(bytes.len()));
        }
        if flow.bytes >= WINDOW_BYTES {
            flow.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        trace::note("send", [from << 32 | to, bytes.len() as u64, trace::number_of(bytes)]);
        let arrival = flow.last.map_or(arrival, |last| last.max(arrival));
        flow.last = Some(arrival);
        flow.bytes += bytes.len();
        flow.queue.push_back((arrival, Bytes::copy_from_slice(bytes)));
        if let Some(reader) = flow.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut flow = self.write.lock();
        flow.is_ended = true;
        flow.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut write = self.write.lock();
        write.is_ended = true;
        write.wake();
        drop(write);
        // What still comes is for nobody: its sender is told.
        let mut read = self.read.lock();
        if read.silent.is_none() {
            read.is_broken = true;
        }
        read.wake();
    }
}
