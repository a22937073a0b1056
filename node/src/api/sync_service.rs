//! The gRPC service `muster.v1.SyncService`, written by hand instead of generated: what the generated one keeps for each open
//! stream (a buffer as large as the largest message ever sent, another of 8 KiB for what comes) is more than an idle edge may
//! cost a node. Here a message is encoded into a piece of its own size, which goes when it is sent.
//!
//! It knows gRPC's frames and nothing of sync; `sync.rs` does.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue, header};
use http_body::Frame;
use muster_proto::v1;
use prost::Message;
use tonic::body::Body;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder, Streaming};
use tonic::server::NamedService;
use tonic::{Request, Status};
use tower::Service;

use crate::node::Services;

/// What is set aside for a message that comes; it grows with the largest.
const RECEIVE_BYTES: usize = 512;
/// In front of a message: a byte for compression, which is not used, and four for its length.
const PREFIX_BYTES: usize = 5;

/// See the module.
#[derive(Clone)]
pub(crate) struct SyncServer {
    services: Arc<Services>,
    message_bytes_max: usize,
}

impl SyncServer {
    /// A message that comes in has at most `message_bytes_max` bytes.
    pub(crate) fn new(services: Arc<Services>, message_bytes_max: usize) -> Self {
        Self { services, message_bytes_max }
    }
}

impl NamedService for SyncServer {
    const NAME: &'static str = "muster.v1.SyncService";
}

impl Service<http::Request<Body>> for SyncServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let told = async {
                let request = understood(request, server.message_bytes_max)?;
                super::sync::told(&server.services, request).await
            };
            Ok(told.await.map_or_else(Status::into_http, answer))
        })
    }
}

fn understood(request: http::Request<Body>, bytes_max: usize) -> Result<Request<Streaming<v1::SyncRequest>>, Status> {
    if request.uri().path() != "/muster.v1.SyncService/Sync" {
        return Err(Status::unimplemented(format!("no method {}", request.uri().path())));
    }
    if let Some(encoding) = request.headers().get("grpc-encoding").filter(|encoding| *encoding != "identity") {
        return Err(Status::unimplemented(format!("grpc-encoding must be identity, and is {encoding:?}")));
    }
    let messages = |body| Streaming::new_request(Reading, body, None, Some(bytes_max));
    Ok(Request::from_http(request.map(messages)))
}

fn answer(messages: Told) -> http::Response<Body> {
    let mut response = http::Response::new(Body::new(Frames(Some(messages))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// What is said on a stream.
pub(crate) type Told = BoxStream<'static, Result<v1::SyncResponse, Status>>;

/// Messages as the body of a response; nothing when the trailers were sent.
struct Frames(Option<Told>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(messages) = &mut self.0 else { return Poll::Ready(None) };
        let status = match std::task::ready!(Pin::new(messages).poll_next(context)) {
            Some(Ok(message)) => return Poll::Ready(Some(framed(&message).map(Frame::data))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        self.0 = None;
        let mut trailers = HeaderMap::new();
        let added = status.add_header(&mut trailers);
        Poll::Ready(Some(added.map(|()| Frame::trailers(trailers))))
    }
}

fn framed(message: &v1::SyncResponse) -> Result<Bytes, Status> {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).map_err(|_| Status::internal("a message is too large"))?);
    message.encode(&mut frame).map_err(|error| Status::internal(error.to_string()))?;
    Ok(frame.freeze())
}

/// Reads what an edge says.
struct Reading;

impl Decoder for Reading {
    type Item = v1::SyncRequest;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<v1::SyncRequest>, Status> {
        v1::SyncRequest::decode(source).map(Some).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(RECEIVE_BYTES, RECEIVE_BYTES)
    }
}
