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
        Refused::DiskFull(_) => told(Code::ResourceExhausted, "EDGE_DISK_FULL", &message, "", ""),
        Refused::Stopped(stopped) => told(Code::FailedPrecondition, &stopped.reason, &message, "", ""),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tonic_types::StatusExt;

    use super::*;
    use crate::protocol::{Full, OF_THE_CLUSTER, OF_THE_STORE, Stopped};

    #[test]
    fn every_reason_has_a_page_that_names_its_code() {
        let stopped =
            |reason: &&str| Refused::Stopped(Stopped { reason: (*reason).to_owned(), message: "why".to_owned() });
        let mut refusals: Vec<Refused> = OF_THE_STORE.iter().map(stopped).collect();
        refusals.extend([Refused::DiskFull(9), Refused::Full(Full::Operations(1)), Refused::Stopping]);
        refusals.push(Refused::NotHeld("a".to_owned()));
        let told = refusals.iter().map(refused);
        for status in told {
            let details = status.get_error_details();
            let link = details.help().expect("Help").links[0].url.clone();
            let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&link);
            let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{link}: {error}"));
            let reason = details.error_info().expect("ErrorInfo").reason.clone();
            assert!(text.starts_with(&format!("# {reason}\n")), "{link}");
        }
        for reason in OF_THE_CLUSTER {
            let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../node/docs/errors/{reason}.md"));
            assert!(page.exists(), "status shows {reason}");
        }
    }
}
