//! From every way a local call can fail to its status, with the codes, reasons and details of the cluster's services.

use std::collections::HashMap;

use muster_domain::{Reason, Rejection};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::store::StoreError;
use crate::submission::Refused;

/// `ErrorInfo.domain` of every status, as the cluster's.
const DOMAIN: &str = "muster";

/// For what only the cluster can do.
pub(super) fn of_the_cluster(call: &str) -> Status {
    Status::unimplemented(format!(
        "{call} is the cluster's: an edge answers reads, reports and watches of what it holds"
    ))
}

pub(super) fn rejected(rejection: &Rejection) -> Status {
    told(code(rejection.reason), rejection.reason.code(), &rejection.message, &rejection.field, &rejection.current)
}

pub(super) fn refused(refused: &Refused) -> Status {
    let message = refused.to_string();
    match refused {
        Refused::Rule(rejection) => rejected(rejection),
        Refused::NotHeld(_) => told(Code::NotFound, Reason::NotFound.code(), &message, "name", ""),
        Refused::Full(_) => told(Code::ResourceExhausted, "QUEUE_FULL", &message, "", ""),
        Refused::Stopped(stopped) => stopped_edge(&stopped.reason, &message),
        Refused::Store(error) => unreadable(error),
        Refused::Stopping => told(Code::Unavailable, "STOPPING", &message, "", ""),
    }
}

/// A store that cannot be read, or an item in it.
pub(super) fn unreadable(error: &StoreError) -> Status {
    match error {
        StoreError::DamagedItem(_) => Status::data_loss(error.to_string()),
        _ => {
            tracing::error!(%error, "a local call failed by a fault of the store");
            Status::internal("the edge's store failed; its log says how")
        }
    }
}

/// An edge that sends no more: what to do is said with the agent, because only it knows some of these reasons.
fn stopped_edge(reason: &str, message: &str) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.add_help_link(reason, "node/docs/how-to/edge-agent.md");
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

pub(super) fn told(code: Code, reason: &str, message: &str, field: &str, current: &str) -> Status {
    let mut metadata = HashMap::new();
    for (name, value) in [("field", field), ("current_etag", current)] {
        if !value.is_empty() {
            metadata.insert(name.to_owned(), value.to_owned());
        }
    }
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    if !field.is_empty() {
        details.add_bad_request_violation(field, message);
    }
    details.add_help_link(reason, format!("node/docs/errors/{reason}.md"));
    Status::with_error_details(code, message, details)
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidField
        | Reason::InvalidId
        | Reason::InvalidJson
        | Reason::InvalidDocument
        | Reason::NullNotAllowed
        | Reason::TooLarge
        | Reason::TooMany => Code::InvalidArgument,
        Reason::NotFound | Reason::ParentNotFound => Code::NotFound,
        Reason::EtagMismatch => Code::Aborted,
        // The others do not come up over an item and what waits for it.
        _ => Code::FailedPrecondition,
    }
}
