//! Many operations in one command, each accepted or refused for itself, or all or nothing.
//!
//! It knows no noun. Invariants:
//!
//! - One result for each element, in order; a refusal names the element in its field, such as `requests[3].name`.
//! - An element that cannot even be decoded takes nothing from the others, unless the batch is all or nothing.
//! - A refused all-or-nothing batch is a failed call, told by the first element at fault: what did nothing must not look
//!   like a success.

use muster_domain::{Command, Operation, Reason, Rejection};
use muster_proto::v1;

use super::fields::echo;
use super::read::header;
use super::status::{Failure, item};
use super::write::Write;
use crate::outcome::{Accepted, OperationResult};

/// One element: the full name of the resource it is about, and what it asks for.
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) operation: Result<Operation, Rejection>,
}

impl Element {
    /// An element that was decoded, or not; `named` is its name as far as it can be told.
    pub(crate) fn new(named: &str, decoded: Result<(muster_domain::Key, Operation), Rejection>) -> Self {
        match decoded {
            Ok((key, operation)) => Self { name: key.to_string(), operation: Ok(operation) },
            Err(refusal) => Self { name: echo(named), operation: Err(refusal) },
        }
    }
}

/// Refuses a batch of none or too many, before anything is decoded.
pub(crate) fn check_len(list: &str, len: usize, max: usize) -> Result<(), Rejection> {
    match len {
        0 => Err(Rejection::new(Reason::InvalidField, list, format!("{list} must hold 1 to {max} elements"))),
        len if len > max => {
            let message = format!("{list} must hold at most {max} elements, holds {len}");
            Err(Rejection::new(Reason::TooMany, list, message))
        }
        _ => Ok(()),
    }
}

/// Refuses an element that lies outside the batch's parent.
pub(crate) fn check_inside(
    field: &str,
    parent: &str,
    decoded: (muster_domain::Key, Operation),
) -> Result<(muster_domain::Key, Operation), Rejection> {
    if decoded.0.namespace() == Some(parent) {
        return Ok(decoded);
    }
    let message = format!("{field} must lie in the batch's parent namespaces/{parent}");
    Err(Rejection::new(Reason::InvalidField, field, message))
}

/// Carries the batch out; `list` is the name of the field that holds the elements.
pub(crate) async fn run(
    write: &Write,
    list: &str,
    elements: Vec<Element>,
    atomic: bool,
) -> Result<(Option<v1::ResponseHeader>, Vec<v1::BatchItemResult>), Failure> {
    let mut names = Vec::with_capacity(elements.len());
    let mut refusals = Vec::with_capacity(elements.len());
    let mut operations = Vec::with_capacity(elements.len());
    for (at, element) in elements.into_iter().enumerate() {
        names.push(element.name);
        match element.operation {
            Ok(operation) => {
                operations.push(operation);
                refusals.push(None);
            }
            Err(refusal) if atomic => return Err(placed(list, at, refusal).into()),
            Err(refusal) => refusals.push(Some(refusal)),
        }
    }
    let (revision, results) = if operations.is_empty() {
        (0, Vec::new())
    } else {
        let count = operations.len();
        let outcome = write.run(Command { operations, atomic }).await?;
        (outcome.revision, checked(list, outcome.results, count, atomic)?)
    };
    let mut results = results.into_iter();
    let told = names.into_iter().zip(refusals).enumerate().map(|(at, (name, refusal))| {
        let result = match refusal {
            Some(refusal) => Some(OperationResult::Rejected(refusal)),
            None => results.next(),
        };
        tell(list, at, name, result)
    });
    let told = told.collect();
    Ok((Some(header(&write.services, revision)), told))
}

/// A result for each operation, or the failure of the call as a whole.
fn checked(
    list: &str,
    results: Vec<OperationResult>,
    count: usize,
    atomic: bool,
) -> Result<Vec<OperationResult>, Failure> {
    if results.len() == count && !atomic {
        return Ok(results);
    }
    // A command may be refused as a whole, such as for a reused request id: then there is one result for all.
    let is_whole = results.len() != count;
    let mut fallback = None;
    for (at, result) in results.iter().enumerate() {
        let OperationResult::Rejected(refusal) = result else { continue };
        let refusal = if is_whole { refusal.clone() } else { placed(list, at, refusal.clone()) };
        if refusal.reason != Reason::BatchAborted {
            return Err(refusal.into());
        }
        fallback.get_or_insert(refusal);
    }
    match fallback {
        Some(refusal) => Err(refusal.into()),
        None => Ok(results),
    }
}

fn placed(list: &str, at: usize, refusal: Rejection) -> Rejection {
    refusal.within(&format!("{list}[{at}]"))
}

fn tell(list: &str, at: usize, name: String, result: Option<OperationResult>) -> v1::BatchItemResult {
    match result {
        Some(OperationResult::Accepted(Accepted { etag, version, .. })) => {
            v1::BatchItemResult { name, error: None, etag, version }
        }
        Some(OperationResult::Rejected(refusal)) => {
            let error = Some(item(Failure::Rejected(placed(list, at, refusal))));
            v1::BatchItemResult { name, error, etag: String::new(), version: 0 }
        }
        None => v1::BatchItemResult { name, ..v1::BatchItemResult::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason, field: &str) -> OperationResult {
        OperationResult::Rejected(Rejection::new(reason, field, "no"))
    }

    fn done() -> OperationResult {
        OperationResult::Accepted(Accepted::default())
    }

    #[test]
    fn sizes_are_bounded_on_both_sides() {
        let reason = |len| check_len("requests", len, 1_000).map_err(|refusal| (refusal.reason, refusal.field));
        assert_eq!(reason(0), Err((Reason::InvalidField, "requests".to_owned())));
        assert_eq!(reason(1), Ok(()));
        assert_eq!(reason(1_000), Ok(()));
        assert_eq!(reason(1_001), Err((Reason::TooMany, "requests".to_owned())));
    }

    #[test]
    fn an_all_or_nothing_batch_fails_by_the_element_at_fault() {
        let results = vec![
            refused(Reason::BatchAborted, ""),
            refused(Reason::InvalidId, "device_id"),
            refused(Reason::BatchAborted, ""),
        ];
        let Err(Failure::Rejected(refusal)) = checked("requests", results, 3, true) else { panic!("must fail") };
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidId, "requests[1].device_id"));
    }

    #[test]
    fn without_atomic_each_element_stands_for_itself() {
        let results = vec![done(), refused(Reason::NotFound, "name")];
        let results = checked("requests", results, 2, false).expect("not a failed call");
        let told: Vec<_> = results
            .into_iter()
            .enumerate()
            .map(|(at, result)| tell("requests", at, format!("r{at}"), Some(result)))
            .collect();
        assert_eq!(told[0].error, None);
        let error = told[1].error.as_ref().expect("refused");
        assert_eq!((error.reason.as_str(), error.field.as_str()), ("NOT_FOUND", "requests[1].name"));
        assert_eq!(error.code, i32::from(tonic::Code::NotFound));
    }

    #[test]
    fn one_refusal_for_all_fails_the_call() {
        let Err(Failure::Rejected(refusal)) =
            checked("requests", vec![refused(Reason::RequestIdReused, "request_id")], 3, false)
        else {
            panic!("must fail")
        };
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::RequestIdReused, "request_id"));
    }
}
