//! What a message means, and what is answered. It knows no broker and no queue.

use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use serde_json::{Value, json};

use super::topics::Place;
use crate::handle::Report;
use crate::submission::Refused;

/// Larger messages are refused; the rules of twins allow less.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1 << 20;
const REQUEST_ID_CHARS_MAX: usize = 128;
/// An answer says no more than this of what is wrong: it repeats what it was told, and has to fit into a packet.
const FIELD_CHARS_MAX: usize = 256;
const MESSAGE_CHARS_MAX: usize = 512;
/// Names of user properties.
const REQUEST_ID: &str = "request-id";
const EXPECTED_VERSION: &str = "expected-version";

/// What is to be queued.
#[derive(Debug, PartialEq)]
pub(super) enum Meant {
    Report(Box<ReportOf>),
    Status { name: String, status: Box<v1::AssetStatus>, request_id: String },
}

/// What is reported of a twin.
#[derive(Debug, PartialEq)]
pub(super) struct ReportOf {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) expected_version: u64,
    pub(super) request_id: String,
}

impl From<ReportOf> for Report {
    fn from(of: ReportOf) -> Self {
        let ReportOf { name, text, expected_version, request_id } = of;
        Self { name, reported_json: text, expected_version, request_id, validate_only: false }
    }
}

impl Meant {
    /// The resource that it is about.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Report(report) => &report.name,
            Self::Status { name, .. } => name,
        }
    }
}

/// Reads a message; `made_id` is its request id unless it brings one.
///
/// # Errors
/// Names the field and its rule.
pub(super) fn read(
    place: Place,
    payload: &[u8],
    properties: &[(String, String)],
    made_id: String,
) -> Result<Meant, Rejection> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        let message = format!("the payload must have at most {PAYLOAD_BYTES_MAX} bytes, has {}", payload.len());
        return Err(Rejection::new(Reason::TooLarge, "payload", message));
    }
    let request_id = request_id(properties)?.unwrap_or(made_id);
    let text = std::str::from_utf8(payload)
        .map_err(|_| Rejection::new(Reason::InvalidJson, "payload", "the payload is not JSON: it is not UTF-8"))?;
    match place {
        Place::Report(name) => {
            let expected_version = expected_version(properties)?;
            let text = text.to_owned();
            Ok(Meant::Report(Box::new(ReportOf { name: name?, text, expected_version, request_id })))
        }
        Place::Status(name) => Ok(Meant::Status { name: name?, status: Box::new(status(text)?), request_id }),
        Place::Out(_) | Place::Owner | Place::Fence => {
            Err(Rejection::new(Reason::InvalidField, "topic", "nothing is reported on this topic"))
        }
    }
}

fn property<'a>(properties: &'a [(String, String)], name: &str) -> Option<&'a str> {
    properties.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

fn request_id(properties: &[(String, String)]) -> Result<Option<String>, Rejection> {
    let Some(id) = property(properties, REQUEST_ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    if id.len() <= REQUEST_ID_CHARS_MAX && id.chars().all(|c| matches!(c, ' '..='~')) {
        return Ok(Some(id.to_owned()));
    }
    let message = format!("{REQUEST_ID} must have at most {REQUEST_ID_CHARS_MAX} characters of printable ASCII");
    Err(Rejection::new(Reason::InvalidField, REQUEST_ID, message))
}

fn expected_version(properties: &[(String, String)]) -> Result<u64, Rejection> {
    let Some(text) = property(properties, EXPECTED_VERSION) else { return Ok(0) };
    text.parse().map_err(|_| {
        let message = format!("{EXPECTED_VERSION} must be a whole number from 0, is `{text}`");
        Rejection::new(Reason::InvalidField, EXPECTED_VERSION, message)
    })
}

fn status(text: &str) -> Result<v1::AssetStatus, Rejection> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Rejection::new(Reason::InvalidJson, "status", format!("status is not JSON: {error}")))?;
    if !value.is_object() {
        return Err(Rejection::new(Reason::InvalidField, "status", "status must be an object"));
    }
    muster_client::json::asset_status(value)
        .map_err(|error| Rejection::new(Reason::InvalidField, error.path.clone(), error.to_string()))
}

/// What is answered when an operation is durable in the queue.
pub(super) fn accepted(resource: &v1::Resource) -> Value {
    match &resource.resource {
        Some(Resource::Twin(twin)) => {
            let version = twin.reported.as_ref().map_or(0, |reported| reported.version);
            json!({"accepted": true, "version": version})
        }
        Some(Resource::Asset(asset)) => {
            let version = asset.status.as_ref().map_or(0, |status| status.config_version);
            json!({"accepted": true, "configVersion": version})
        }
        _ => json!({"accepted": true}),
    }
}

/// What is answered when it has no effect: a stable reason, the field if one is at fault, and the rule.
pub(super) fn refused(refused: &Refused) -> Value {
    let mut message = refused.to_string();
    let (reason, field) = match refused {
        Refused::Rule(rejection) => {
            message.clone_from(&rejection.message);
            (rejection.reason.code().to_owned(), rejection.field.clone())
        }
        Refused::NotHeld(_) => (Reason::NotFound.code().to_owned(), "name".to_owned()),
        Refused::Full(_) => ("QUEUE_FULL".to_owned(), String::new()),
        Refused::DiskFull(_) => ("EDGE_DISK_FULL".to_owned(), String::new()),
        Refused::Stopped(stopped) => (stopped.reason.clone(), String::new()),
        Refused::Store(_) => ("DATA_LOSS".to_owned(), String::new()),
        Refused::Stopping => ("STOPPING".to_owned(), String::new()),
    };
    let mut answer = json!({"accepted": false, "reason": reason, "message": beginning(&message, MESSAGE_CHARS_MAX)});
    if !field.is_empty() {
        answer["field"] = beginning(&field, FIELD_CHARS_MAX).into();
    }
    answer
}

fn beginning(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(payload: &[u8], properties: &[(&str, &str)]) -> Result<Meant, Rejection> {
        let properties: Vec<_> =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(Place::Report(Ok("t".to_owned())), payload, &properties, "made".to_owned())
    }

    #[test]
    fn a_report_may_bring_its_request_id_and_the_version_it_expects() {
        let Ok(Meant::Report(read)) = report(b"{\"t\":1}", &[("expected-version", "7"), ("request-id", "r1")]) else {
            panic!("a report")
        };
        assert_eq!((read.text.as_str(), read.expected_version, read.request_id.as_str()), (r#"{"t":1}"#, 7, "r1"));
        let Ok(Meant::Report(read)) = report(b"{}", &[]) else { panic!("a report") };
        assert_eq!((read.expected_version, read.request_id.as_str()), (0, "made"));
    }

    #[test]
    fn what_is_wrong_names_its_field() {
        let field = |result: Result<Meant, Rejection>| result.expect_err("refused").field;
        assert_eq!(field(report(b"\xff", &[])), "payload");
        assert_eq!(field(report(&vec![b' '; PAYLOAD_BYTES_MAX + 1], &[])), "payload");
        assert_eq!(field(report(b"{}", &[("expected-version", "-1")])), "expected-version");
        assert_eq!(field(report(b"{}", &[("request-id", &"x".repeat(129))])), "request-id");
        let status = |payload: &[u8]| read(Place::Status(Ok("a".to_owned())), payload, &[], String::new());
        assert_eq!(field(status(b"{")), "status");
        assert_eq!(field(status(b"null")), "status");
        assert_eq!(field(status(br#"{"datasets":[{"nmae":"x"}]}"#)), "status.datasets[0].name");
        let wrong = Rejection::new(Reason::InvalidId, "device", "no");
        assert_eq!(field(read(Place::Report(Err(wrong)), b"{}", &[], String::new())), "device");
    }

    #[test]
    fn answers_say_what_became_of_it() {
        let reported = v1::SectionDocument { version: 9, ..Default::default() };
        let twin = v1::Twin { reported: Some(reported), ..Default::default() };
        let resource = v1::Resource { resource: Some(Resource::Twin(twin)) };
        assert_eq!(accepted(&resource), json!({"accepted": true, "version": 9}));
        let rule = Rejection::new(Reason::TooLarge, "reported", "reported is too large");
        assert_eq!(
            refused(&rule.into()),
            json!({"accepted": false, "reason": "TOO_LARGE", "field": "reported", "message": "reported is too large"})
        );
        let answer = refused(&Refused::NotHeld("x".to_owned()));
        assert_eq!((answer["reason"].as_str(), answer["field"].as_str()), (Some("NOT_FOUND"), Some("name")));
        let endless = "ä".repeat(100_000);
        let rule = Rejection::new(Reason::InvalidField, endless.clone(), endless);
        assert!(refused(&rule.into()).to_string().len() < 2_000, "an answer repeats no more than fits into a packet");
    }
}
