//! The smallest gRPC client that is one: calls and streams straight on HTTP/2.
//!
//! Load and nodes share the processors, so every microsecond that the load spends on a call is taken from the systems it
//! measures. tonic's channel passes a call through four tasks; here it is two. Every system is driven by it alike.
//!
//! Invariants:
//! - An answer counts only with HTTP status 200, exactly the messages asked for, and `grpc-status: 0` in its trailers.
//! - A message is at most [`MESSAGE_BYTES_MAX`] long.

use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use http::{Method as HttpMethod, Request, Uri, Version};
use prost::Message;

use crate::connections::Connection;

/// The longest message that is read.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A message's prefix: one byte for compression (never used here), four for its length.
const PREFIX_BYTES: usize = 5;

/// One method of a service on one connection, with everything that is the same in all its calls.
#[derive(Clone)]
pub(crate) struct Method<Q, A> {
    connection: Connection,
    uri: Uri,
    headers: HeaderMap,
    messages: PhantomData<fn(Q) -> A>,
}

impl<Q: Message, A: Message + Default> Method<Q, A> {
    /// `path` is `/package.Service/Method`; `token` goes with every call.
    pub(crate) fn new(connection: Connection, path: &'static str, token: Option<&HeaderValue>) -> Self {
        let uri = Uri::builder()
            .scheme(connection.scheme.clone())
            .authority(connection.authority.clone())
            .path_and_query(path)
            .build()
            .expect("a method's path and a connection's address are valid");
        let mut headers = HeaderMap::new();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        Self { connection, uri, headers, messages: PhantomData }
    }

    /// One request, one answer.
    pub(crate) async fn call(&self, request: &Q) -> Result<A, String> {
        let mut answers = self.answers(request).await?;
        let answer = answers.next().await?.ok_or("an answer without a message")?;
        match answers.next().await? {
            None => Ok(answer),
            Some(_) => Err("two answers to one call".to_owned()),
        }
    }

    /// One request, a stream of answers.
    pub(crate) async fn answers(&self, request: &Q) -> Result<Answers<A>, String> {
        let (response, mut body) = self.begin().await?;
        let mut frame = BytesMut::with_capacity(PREFIX_BYTES + request.encoded_len());
        put_message(&mut frame, request)?;
        body.send_data(frame.freeze(), true).map_err(broken)?;
        Answers::of(response).await
    }

    /// A stream of requests, and one of answers. The first requests go along, as some servers answer nothing before.
    pub(crate) async fn stream(&self, first: &[Q]) -> Result<(Requests, Answers<A>), String> {
        let (response, body) = self.begin().await?;
        let mut requests = Requests { body, frame: BytesMut::new() };
        requests.send(first)?;
        Ok((requests, Answers::of(response).await?))
    }

    async fn begin(&self) -> Result<(h2::client::ResponseFuture, SendStream<Bytes>), String> {
        let mut request = Request::new(());
        *request.method_mut() = HttpMethod::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let mut sender = self.connection.sender.clone().ready().await.map_err(broken)?;
        sender.send_request(request, false).map_err(broken)
    }
}

/// The requests of an open stream. Bytes the server has no room for yet wait in memory: the caller bounds them, by
/// bounding how many requests are unanswered.
pub(crate) struct Requests {
    body: SendStream<Bytes>,
    frame: BytesMut,
}

impl Requests {
    /// Sends these in one go.
    pub(crate) fn send<Q: Message>(&mut self, requests: &[Q]) -> Result<(), String> {
        requests.iter().try_for_each(|request| put_message(&mut self.frame, request))?;
        self.body.send_data(self.frame.split().freeze(), false).map_err(broken)
    }

    /// Says that no more will come.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        self.body.send_data(Bytes::new(), true).map_err(broken)
    }
}

/// The answers of a call or of an open stream.
pub(crate) struct Answers<A> {
    body: RecvStream,
    received: BytesMut,
    messages: PhantomData<fn() -> A>,
}

impl<A: Message + Default> Answers<A> {
    async fn of(response: h2::client::ResponseFuture) -> Result<Self, String> {
        let response = response.await.map_err(broken)?;
        if response.status() != http::StatusCode::OK {
            return Err(format!("HTTP status {}", response.status()));
        }
        if response.headers().contains_key("grpc-status") {
            check_status(response.headers())?;
            return Err("an answer without a message".to_owned());
        }
        Ok(Self { body: response.into_body(), received: BytesMut::new(), messages: PhantomData })
    }

    /// The next answer; `None` after the last one, when the server says that all went well.
    pub(crate) async fn next(&mut self) -> Result<Option<A>, String> {
        loop {
            if let Some(answer) = self.next_received()? {
                return Ok(Some(answer));
            }
            match self.body.data().await {
                Some(chunk) => self.receive(&chunk.map_err(broken)?)?,
                None if self.received.is_empty() => {
                    let trailers = self.body.trailers().await.map_err(broken)?;
                    return check_status(&trailers.unwrap_or_default()).map(|()| None);
                }
                None => return Err("the stream ended within a message".to_owned()),
            }
        }
    }

    /// The next answer if it is here already.
    pub(crate) fn next_received(&mut self) -> Result<Option<A>, String> {
        let Some(prefix) = self.received.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [compressed, length @ ..] = *prefix;
        let length = u32::from_be_bytes(length) as usize;
        if compressed != 0 || length > MESSAGE_BYTES_MAX {
            return Err(format!("a message of {length} bytes, compression {compressed}"));
        }
        if self.received.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.received.advance(PREFIX_BYTES);
        A::decode(self.received.split_to(length).freeze()).map(Some).map_err(|error| error.to_string())
    }

    fn receive(&mut self, chunk: &Bytes) -> Result<(), String> {
        self.body.flow_control().release_capacity(chunk.len()).map_err(broken)?;
        self.received.extend_from_slice(chunk);
        Ok(())
    }
}

fn put_message(frame: &mut BytesMut, message: &impl Message) -> Result<(), String> {
    let length = u32::try_from(message.encoded_len()).map_err(|error| error.to_string())?;
    frame.reserve(PREFIX_BYTES + length as usize);
    frame.put_u8(0);
    frame.put_u32(length);
    message.encode(frame).map_err(|error| error.to_string())
}

fn check_status(trailers: &HeaderMap) -> Result<(), String> {
    match trailers.get("grpc-status") {
        Some(code) if code == "0" => Ok(()),
        Some(_) => Err(tonic::Status::from_header_map(trailers).map_or_else(String::new, |status| status.to_string())),
        None => Err("an answer without a gRPC status".to_owned()),
    }
}

fn broken(error: h2::Error) -> String {
    format!("the connection failed: {error}")
}
