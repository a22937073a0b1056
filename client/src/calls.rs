//! The one way of a call: choose an endpoint, add credentials and a deadline, try, judge, wait, try again.
//!
//! A macro turns each noun's list of calls into methods, so that no call can be made any other way.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::connection::Client;
use crate::error::CallError;
use crate::retry::{Kind, Mutation, Verdict, judge, leaves_doubt};

impl Client {
    /// Calls something that changes nothing.
    pub(crate) async fn read<Q, A, F, R>(&self, operation: &'static str, request: Q, call: F) -> Result<A, CallError>
    where
        Q: Clone,
        F: Fn(Channel, Request<Q>) -> R,
        R: Future<Output = Result<Response<A>, Status>>,
    {
        self.call(operation, Kind::Read, request, call).await
    }

    /// Calls something that changes something, under one request id for all tries.
    pub(crate) async fn write<Q, A, F, R>(
        &self,
        operation: &'static str,
        mut request: Q,
        call: F,
    ) -> Result<A, CallError>
    where
        Q: Clone + Mutation,
        F: Fn(Channel, Request<Q>) -> R,
        R: Future<Output = Result<Response<A>, Status>>,
    {
        request.name_itself();
        self.call(operation, Kind::Write, request, call).await
    }

    async fn call<Q, A, F, R>(&self, operation: &'static str, kind: Kind, request: Q, call: F) -> Result<A, CallError>
    where
        Q: Clone,
        F: Fn(Channel, Request<Q>) -> R,
        R: Future<Output = Result<Response<A>, Status>>,
    {
        let endpoints = &self.shared().endpoints;
        let policy = self.retry_policy();
        let deadline = Instant::now() + policy.deadline;
        let (mut attempts, mut failed_in_round, mut rounds) = (0, 0, 0);
        let mut in_doubt = false;
        loop {
            attempts += 1;
            let node = endpoints.preferred();
            let limit = policy.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
            let attempt = call(node.channel.clone(), self.request(request.clone(), limit));
            let status = match tokio::time::timeout(limit, attempt).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded(format!("no answer within {limit:?}")),
            };
            in_doubt = kind == Kind::Write && leaves_doubt(&status, in_doubt);
            let wait = match judge(kind, &status) {
                Verdict::Final => None,
                Verdict::Later(delay) => {
                    rounds += 1;
                    Some(policy.wait(rounds, Some(delay)))
                }
                Verdict::Elsewhere => {
                    self.leave(&node);
                    failed_in_round += 1;
                    if failed_in_round < endpoints.count() {
                        Some(Duration::ZERO)
                    } else {
                        failed_in_round = 0;
                        rounds += 1;
                        Some(policy.wait(rounds - 1, None))
                    }
                }
            };
            match wait {
                Some(wait) if attempts < policy.attempts_max && Instant::now() + wait < deadline => {
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(CallError::new(operation, in_doubt, &node.address, attempts, &status)),
            }
        }
    }

    /// Adds what every call carries.
    pub(crate) fn request<Q>(&self, message: Q, limit: Duration) -> Request<Q> {
        let mut request = self.authorized(message);
        request.set_timeout(limit);
        request
    }

    /// Adds the credentials only.
    pub(crate) fn authorized<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.shared().authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

/// Declares a noun: a type with one method per call, each a `read` or a `write`.
macro_rules! noun {
    (
        $(#[$about:meta])*
        $noun:ident, $accessor:ident, $stub:ident in $service:ident;
        $($(#[$call_about:meta])* $kind:ident $method:ident($request:ident) -> $answer:ident = $rpc:ident;)*
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $noun {
            client: $crate::Client,
        }

        impl $crate::Client {
            $(#[$about])*
            #[must_use]
            pub fn $accessor(&self) -> $noun {
                $noun { client: self.clone() }
            }
        }

        pub(crate) fn stub(
            channel: tonic::transport::Channel,
        ) -> $crate::proto::$service::$stub<tonic::transport::Channel> {
            $crate::proto::$service::$stub::new(channel)
                .max_decoding_message_size($crate::MESSAGE_BYTES_MAX)
                .max_encoding_message_size($crate::MESSAGE_BYTES_MAX)
        }

        impl $noun {
            /// The client that makes these calls.
            #[must_use]
            pub fn client(&self) -> &$crate::Client {
                &self.client
            }

            $(
                $(#[$call_about])*
                ///
                /// # Errors
                /// When the call was refused or could not be made in time; see [`CallError`](crate::CallError).
                pub async fn $method(
                    &self,
                    request: $crate::proto::$request,
                ) -> Result<$crate::proto::$answer, $crate::CallError> {
                    const OPERATION: &str = stringify!($rpc);
                    self.client
                        .$kind(OPERATION, request, |channel, request| async move { stub(channel).$rpc(request).await })
                        .await
                }
            )*
        }
    };
}
pub(crate) use noun;
