//! Messages that tonic refuses before a handler sees them: too large, or not protobuf. Tonic's statuses for these blame
//! the server or carry no details; here they become what every other refusal is.
//!
//! It does not read messages itself; it recognizes tonic's statuses by their beginnings, which a test holds against the
//! tonic that is built in.

use tonic::body::Body;
use tonic::{Code, Status};

use super::status::{Transport, transport};

const TOO_LARGE: &str = "Error, decoded message length too large: ";
const NOT_PROTOBUF: &str = "failed to decode Protobuf message: ";

/// The status with reason and help, if tonic made it; otherwise as it is.
pub(crate) fn clarify(status: Status) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    let told = |beginning: &str| status.message().strip_prefix(beginning);
    if let (Code::OutOfRange, Some(sizes)) = (status.code(), told(TOO_LARGE)) {
        return transport(Transport::MessageTooLarge, format!("the message is too large: {sizes}"));
    }
    if let (Code::Internal, Some(why)) = (status.code(), told(NOT_PROTOBUF)) {
        return transport(Transport::MessageMalformed, format!("the message is not the protobuf of this RPC: {why}"));
    }
    status
}

/// The same for a response that is nothing but a status.
pub(crate) fn clarify_response(response: http::Response<Body>) -> http::Response<Body> {
    // A call that was answered has its status behind the message, not here.
    if !response.headers().contains_key(Status::GRPC_STATUS) {
        return response;
    }
    match Status::from_header_map(response.headers()) {
        Some(status) if status.details().is_empty() => clarify(status).into_http(),
        Some(_) | None => response,
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1;
    use muster_proto::v1::history_service_server::{HistoryService, HistoryServiceServer};
    use tonic::service::LayerExt;
    use tonic::{Request, Response};
    use tonic_types::StatusExt;
    use tower::ServiceExt;
    use tower::util::MapResponseLayer;

    use super::*;

    struct Unreached;

    #[tonic::async_trait]
    impl HistoryService for Unreached {
        async fn list_events(
            &self,
            _: Request<v1::ListEventsRequest>,
        ) -> Result<Response<v1::ListEventsResponse>, Status> {
            Err(super::super::status::rejection(muster_domain::Rejection::not_found("it")))
        }

        async fn get_at(&self, _: Request<v1::GetAtRequest>) -> Result<Response<v1::GetAtResponse>, Status> {
            Ok(Response::new(v1::GetAtResponse::default()))
        }
    }

    /// Sends `message` as the body of a call, framed as gRPC frames it.
    async fn call(method: &str, message: &[u8]) -> Option<Status> {
        let server = HistoryServiceServer::new(Unreached).max_decoding_message_size(1_000);
        let server = MapResponseLayer::new(clarify_response).named_layer(server);
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        let body = bytes::Bytes::from([&[0], length.as_slice(), message].concat());
        let request = http::Request::post(format!("/muster.v1.HistoryService/{method}"))
            .header("content-type", "application/grpc")
            .body(Body::new(axum::body::Body::from(body)))
            .expect("a request");
        let response = server.oneshot(request).await.expect("infallible");
        Status::from_header_map(response.headers())
    }

    fn reason(status: &Status) -> String {
        status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
    }

    #[tokio::test]
    async fn an_oversize_message_says_so_with_both_sizes() {
        let status = call("GetAt", &[0; 1_001]).await.expect("refused");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MESSAGE_TOO_LARGE"));
        assert!(status.message().contains("1001") && status.message().contains("1000"), "{}", status.message());
    }

    #[tokio::test]
    async fn what_is_not_protobuf_is_the_callers_mistake() {
        for garbage in [&b"\xff\xff\xff\xff"[..], b"\x0a\xff", b"\x0a\x02\xc3\x28"] {
            let status = call("GetAt", garbage).await.expect("refused");
            assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MESSAGE_MALFORMED"));
        }
    }

    #[tokio::test]
    async fn answers_and_other_refusals_pass_untouched() {
        assert!(call("GetAt", b"").await.is_none(), "an answer has no status in front");
        let status = call("ListEvents", b"").await.expect("refused");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
    }
}
