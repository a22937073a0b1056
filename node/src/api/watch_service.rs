//! The gRPC service `muster.v1.WatchService`, written by hand instead of generated: its answers are frames whose events
//! are encoded already and shared by all watches, which the generated type could not carry.
//!
//! It knows gRPC's glue and nothing of watches; `watch.rs` does.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use muster_proto::v1;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::node::Services;
use crate::watch::Frame;

/// See the module.
#[derive(Clone)]
pub(crate) struct WatchServer {
    services: Arc<Services>,
    message_bytes_max: usize,
}

impl WatchServer {
    /// A message that comes in has at most `message_bytes_max` bytes.
    pub(crate) fn new(services: Arc<Services>, message_bytes_max: usize) -> Self {
        Self { services, message_bytes_max }
    }
}

impl NamedService for WatchServer {
    const NAME: &'static str = "muster.v1.WatchService";
}

impl Service<http::Request<Body>> for WatchServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            if request.uri().path() != "/muster.v1.WatchService/Watch" {
                let status = Status::unimplemented(format!("no method {}", request.uri().path()));
                return Ok(status.into_http());
            }
            let mut grpc = Grpc::new(ProstCodec::<Frame, v1::WatchRequest>::default())
                .max_decoding_message_size(server.message_bytes_max);
            Ok(grpc.server_streaming(Watching(server.services), request).await)
        })
    }
}

struct Watching(Arc<Services>);

impl ServerStreamingService<v1::WatchRequest> for Watching {
    type Response = Frame;
    type ResponseStream = BoxStream<'static, Result<Frame, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<v1::WatchRequest>) -> Self::Future {
        let services = Arc::clone(&self.0);
        Box::pin(async move { Ok(Response::new(super::watch::frames(&services, request).await?)) })
    }
}
