//! Stands in for `tokio-stream`: the same, over the channels of `muster_sim_tokio`.

pub use ::tokio_stream::*;

/// As `tokio_stream::wrappers`.
pub mod wrappers {
    pub use ::tokio_stream::wrappers::*;

    use std::pin::Pin;
    use std::task::{Context, Poll};

    use muster_sim_tokio::sync::mpsc::Receiver;

    /// As `tokio_stream::wrappers::ReceiverStream`.
    #[derive(Debug)]
    pub struct ReceiverStream<T>(Receiver<T>);

    impl<T> ReceiverStream<T> {
        /// As in `tokio-stream`.
        #[must_use]
        pub fn new(receiver: Receiver<T>) -> Self {
            Self(receiver)
        }

        /// As in `tokio-stream`.
        #[must_use]
        pub fn into_inner(self) -> Receiver<T> {
            self.0
        }
    }

    impl<T> ::tokio_stream::Stream for ReceiverStream<T> {
        type Item = T;

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
            self.0.poll_recv(context)
        }
    }
}
