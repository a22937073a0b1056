//! Many cases against one cluster: all of them run, and all that differ from what was expected are told at the end.

use std::fmt::Debug;

use muster_client::{CallError, Code};

/// What came of the cases so far.
#[derive(Debug, Default)]
pub(crate) struct Table {
    cases: usize,
    wrong: Vec<String>,
}

impl Table {
    /// A case that is right when both are equal.
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, case: &str, found: T, expected: T) {
        self.check(case, found == expected, || format!("found {found:?}, expected {expected:?}"));
    }

    /// A case that is right when `right`.
    pub(crate) fn check(&mut self, case: &str, right: bool, found: impl FnOnce() -> String) {
        self.cases += 1;
        if !right {
            self.wrong.push(format!("{case}: {}", found()));
        }
    }

    /// A call that must be refused with this code and reason, naming this field; an empty field means none is at fault.
    pub(crate) fn refused<T: Debug>(
        &mut self,
        case: &str,
        found: &Result<T, CallError>,
        (code, reason, field): (Code, &str, &str),
    ) {
        let Err(error) = found else {
            self.check(case, false, || format!("accepted: {found:?}"));
            return;
        };
        let fields: Vec<&str> = error.field_violations().iter().map(|violation| violation.field.as_str()).collect();
        let expected = if field.is_empty() { Vec::new() } else { vec![field] };
        let right = error.code() == code
            && error.reason() == Some(reason)
            && fields == expected
            && !error.message().is_empty()
            && error.help().is_some();
        self.check(case, right, || {
            format!(
                "{:?} {:?} at {fields:?}, expected {code:?} {reason} at {expected:?}: {error}",
                error.code(),
                error.reason()
            )
        });
    }

    /// Tells what differed.
    ///
    /// # Panics
    /// When anything did.
    pub(crate) fn finish(self) {
        let Self { cases, wrong } = self;
        assert!(wrong.is_empty(), "{} of {cases} cases are wrong:\n- {}", wrong.len(), wrong.join("\n- "));
    }
}

/// The code of an outcome.
pub(crate) fn code<T>(outcome: &Result<T, CallError>) -> Code {
    outcome.as_ref().err().map_or(Code::Ok, CallError::code)
}
