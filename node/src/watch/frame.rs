//! Messages of a watch as they go out: the wire form of `muster.v1.WatchResponse`, with events that are encoded already.
//!
//! On the wire an embedded message and a field of bytes are the same, so an event that was encoded once is put into every
//! frame as it is. A test decodes each kind of frame with the generated type.

use bytes::Bytes;
use muster_proto::v1;

/// A `WatchResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Frame {
    #[prost(uint64, tag = "1")]
    pub(crate) watch_id: u64,
    #[prost(oneof = "Content", tags = "2, 3, 4, 5")]
    pub(crate) content: Option<Content>,
}

/// What it says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Content {
    #[prost(message, tag = "2")]
    Started(v1::WatchStarted),
    #[prost(message, tag = "3")]
    Listed(v1::WatchListed),
    #[prost(message, tag = "4")]
    Events(Events),
    #[prost(message, tag = "5")]
    Progress(v1::WatchProgress),
}

/// A `WatchEvents`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Events {
    /// Encoded `WatchEvent`s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) events: Vec<Bytes>,
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    #[prost(bool, tag = "3")]
    pub(crate) continues: bool,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn a_frame_is_a_watch_response() {
        let event = v1::WatchEvent {
            event: Some(v1::Event { revision: 7, kind: "twin.patched".to_owned(), ..v1::Event::default() }),
            ..v1::WatchEvent::default()
        };
        let events = Events { events: vec![event.encode_to_vec().into(); 2], revision: 7, continues: true };
        let frame = Frame { watch_id: 3, content: Some(Content::Events(events)) };
        let told = v1::WatchEvents { events: vec![event; 2], revision: 7, continues: true };
        let content = Some(v1::watch_response::Content::Events(told));
        assert_eq!(
            v1::WatchResponse::decode(frame.encode_to_vec().as_slice()),
            Ok(v1::WatchResponse { watch_id: 3, content })
        );

        let started = v1::WatchStarted { header: None, from_revision: 9 };
        let frame = Frame { watch_id: 1, content: Some(Content::Started(started.clone())) };
        let content = Some(v1::watch_response::Content::Started(started));
        assert_eq!(
            v1::WatchResponse::decode(frame.encode_to_vec().as_slice()),
            Ok(v1::WatchResponse { watch_id: 1, content })
        );

        let listed = v1::WatchListed { resources: vec![v1::Resource::default()], revision: 4, complete: true };
        let frame = Frame { watch_id: 1, content: Some(Content::Listed(listed.clone())) };
        let content = Some(v1::watch_response::Content::Listed(listed));
        assert_eq!(
            v1::WatchResponse::decode(frame.encode_to_vec().as_slice()),
            Ok(v1::WatchResponse { watch_id: 1, content })
        );

        let frame = Frame { watch_id: 1, content: Some(Content::Progress(v1::WatchProgress { revision: 5 })) };
        let content = Some(v1::watch_response::Content::Progress(v1::WatchProgress { revision: 5 }));
        assert_eq!(
            v1::WatchResponse::decode(frame.encode_to_vec().as_slice()),
            Ok(v1::WatchResponse { watch_id: 1, content })
        );
    }
}
