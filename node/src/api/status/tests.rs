//! Every error has its gRPC code, its stable reason and a page that explains it.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn reasons() -> BTreeSet<String> {
    let domain = Reason::ALL.iter().map(|reason| reason.code());
    let agents = OF_AGENTS.iter().map(|(reason, _)| *reason);
    domain.chain(Transport::ALL.iter().map(|transport| transport.reason())).chain(agents).map(str::to_owned).collect()
}

#[test]
fn every_reason_has_a_page_and_every_page_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of help pages") {
        let path = entry.expect("readable").path();
        let name = path.file_stem().expect("a name").to_str().expect("ASCII").to_owned();
        if name == "README" {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with(&format!("# {name}\n")), "{name}: the title is the reason");
        for part in ["\nCode: `", "\n## What happened\n", "\n## What to do\n"] {
            assert!(text.contains(part), "{name}: has no {part:?}");
        }
        pages.insert(name);
    }
    assert_eq!(pages, reasons());
    assert_eq!(
        reasons().len(),
        Reason::ALL.len() + Transport::ALL.len() + OF_AGENTS.len(),
        "no reason has two meanings"
    );
}

#[test]
fn every_page_names_the_code_that_is_sent() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let domain = Reason::ALL.iter().map(|reason| (reason.code(), code(*reason)));
    let transport = Transport::ALL.iter().map(|transport| (transport.reason(), transport.code()));
    for (reason, code) in domain.chain(transport).chain(OF_AGENTS) {
        let page = std::fs::read_to_string(folder.join(format!("{reason}.md"))).expect("a page");
        let name = format!("{code:?}").chars().fold(String::new(), |mut name, c| {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
            name
        });
        assert!(page.contains(&format!("\nCode: `{name}`")), "{reason} is sent as {name}");
    }
}

#[test]
fn a_stale_etag_tells_the_current_one() {
    let status: Status = Failure::from(Rejection::etag("etag", "7", "9")).into();
    assert_eq!(status.code(), Code::Aborted);
    let details = status.get_error_details();
    let info = details.error_info().expect("ErrorInfo");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("ETAG_MISMATCH", "muster"));
    assert_eq!(info.metadata.get("current_etag").map(String::as_str), Some("9"));
    assert!(status.message().contains('9'), "{}", status.message());
}

#[test]
fn a_refused_field_is_named_with_its_rule_and_its_page() {
    let rejection = Rejection::new(Reason::InvalidId, "device_id", "device_id must have 1 to 128 characters, has 0");
    let status = super::rejection(rejection);
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let violation = &details.bad_request().expect("BadRequest").field_violations[0];
    assert_eq!(violation.field, "device_id");
    assert!(violation.description.contains("1 to 128"));
    assert_eq!(details.help().expect("Help").links[0].url, "node/docs/errors/INVALID_ID.md");
    assert!(details.retry_info().is_none(), "the same call would be refused again");
}

#[test]
fn what_may_pass_says_when_to_try_again() {
    let failures = [
        (Failure::from(ProposeError::Busy { queue: "propose" }), Code::ResourceExhausted, "QUEUE_FULL"),
        (ProposeError::NoLeader.into(), Code::Unavailable, "NO_LEADER"),
        (ProposeError::Stopping.into(), Code::Unavailable, "STOPPING"),
        (ReadError::NoQuorum.into(), Code::Unavailable, "NO_LEADER"),
        (ReadError::Busy.into(), Code::ResourceExhausted, "QUEUE_FULL"),
        (
            ReadError::MinRevision { wanted: 9, current: 7, waited_ms: 100 }.into(),
            Code::Unavailable,
            "MIN_REVISION_TIMEOUT",
        ),
    ];
    for (failure, code, reason) in failures {
        let status: Status = failure.into();
        let details = status.get_error_details();
        assert_eq!((status.code(), details.error_info().expect("ErrorInfo").reason.as_str()), (code, reason));
        assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()), "{reason}");
    }
}

#[test]
fn an_unknown_outcome_is_said_to_be_unknown() {
    let status: Status = Failure::from(ProposeError::OutcomeUnknown("the leader was lost".to_owned())).into();
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("may have been applied; retry with the same request_id"));
    assert!(status.get_error_details().retry_info().is_none(), "a blind retry could do it twice");
}

#[test]
fn faults_do_not_tell_the_caller_what_lies_inside() {
    let error = StoreError::Inconsistent("revision 7 is missing below /var/lib".to_owned());
    let status: Status = Failure::from(error).into();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("/var/lib"), "{}", status.message());
    let status: Status = Failure::from(SealError::UnknownKey { key_id: "0badc0de".to_owned() }).into();
    assert!(!status.message().contains("0badc0de"), "{}", status.message());
}

#[test]
fn page_tokens_fail_in_two_ways() {
    for (error, code, reason) in [
        (PageTokenError::Invalid, Code::InvalidArgument, "PAGE_TOKEN_INVALID"),
        (PageTokenError::Expired { age_ms: 1 }, Code::FailedPrecondition, "PAGE_TOKEN_EXPIRED"),
    ] {
        let status: Status = Failure::from(error).into();
        let details = status.get_error_details();
        assert_eq!((status.code(), details.error_info().expect("ErrorInfo").reason.as_str()), (code, reason));
        assert_eq!(details.bad_request().expect("BadRequest").field_violations[0].field, "page_token");
    }
}

#[test]
fn an_item_says_the_same_as_a_status() {
    for reason in Reason::ALL {
        let rejection = Rejection::new(reason, "name", "no");
        let status = super::rejection(rejection.clone());
        let item = item(Failure::Rejected(rejection));
        assert_eq!(item.code, i32::from(status.code()));
        assert_eq!((item.reason.as_str(), item.field.as_str()), (reason.code(), "name"));
        assert_eq!(item.message, status.message());
    }
}
