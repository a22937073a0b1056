//! Exit codes, and what is said on stderr when a command fails.

use std::process::ExitCode;

use muster_client::context::ContextError;
use muster_client::{CallError, Code, ConfigError};

/// Done.
pub(crate) const OK: u8 = 0;
/// Refused, or failed in a way that has no code of its own.
pub(crate) const FAILED: u8 = 1;
/// The command line or the context does not make sense; clap uses the same code.
pub(crate) const USAGE: u8 = 2;
/// It does not exist.
pub(crate) const NOT_FOUND: u8 = 3;
/// A stale etag, or the id is taken.
pub(crate) const CONFLICT: u8 = 4;
/// No credentials, wrong ones, or not allowed.
pub(crate) const NOT_ALLOWED: u8 = 5;
/// No node answered in time.
pub(crate) const UNAVAILABLE: u8 = 6;
/// An import had refused entries.
pub(crate) const PARTLY_REFUSED: u8 = 7;

/// The list, for `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 not found, 4 conflict (stale etag, id taken), \
     5 not allowed, 6 unavailable or timed out, 7 import with refused entries";

/// A complaint about the command line that clap cannot make.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Several errors of which each was told already.
#[derive(Debug, thiserror::Error)]
#[error("{refused} of {total} entries were refused")]
pub(crate) struct PartlyRefused {
    pub(crate) refused: u64,
    pub(crate) total: u64,
}

/// The exit code for an error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(call) = cause.downcast_ref::<CallError>() {
            return code_of(call.code(), call.reason());
        }
        if cause.is::<UsageError>() || cause.is::<ContextError>() || cause.is::<ConfigError>() {
            return USAGE;
        }
        if cause.is::<PartlyRefused>() {
            return PARTLY_REFUSED;
        }
        // The reader of our output went away, as `head` does; that is no failure.
        if cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            return OK;
        }
    }
    FAILED
}

fn code_of(code: Code, reason: Option<&str>) -> u8 {
    match code {
        Code::NotFound => NOT_FOUND,
        _ if reason == Some("PARENT_NOT_FOUND") => NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => CONFLICT,
        Code::Unauthenticated | Code::PermissionDenied => NOT_ALLOWED,
        Code::Unavailable | Code::DeadlineExceeded => UNAVAILABLE,
        _ => FAILED,
    }
}

/// Says what went wrong and returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let code = code(error);
    if code != OK {
        crate::output::talk(format_args!("error: {error:#}"));
        if let Some(hint) = hint(error) {
            crate::output::talk(format_args!("hint: {hint}"));
        }
    }
    ExitCode::from(code)
}

fn hint(error: &anyhow::Error) -> Option<String> {
    let call = error.chain().find_map(|cause| cause.downcast_ref::<CallError>())?;
    let message = call.message();
    if matches!(call.code(), Code::NotFound | Code::FailedPrecondition) && message.contains("does not exist") {
        // Which of the names in the message is the missing one, the server says first.
        let name =
            message.split(|c: char| c.is_whitespace() || c == '`').find_map(|word| word.strip_prefix("namespaces/"))?;
        if !name.contains('/') {
            return Some(format!(
                "create it with `muster namespace create {name}`, or choose another one with --namespace"
            ));
        }
    }
    match call.code() {
        Code::Unauthenticated => Some(
            "give a token (--token-file), a certificate (--cert-file, --key-file) or a context that names one"
                .to_owned(),
        ),
        Code::Aborted => call.current_etag().map(|etag| format!("read it again, then repeat with --etag {etag}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_the_list() {
        assert_eq!(code_of(Code::InvalidArgument, Some("INVALID_FIELD")), FAILED);
        assert_eq!(code_of(Code::NotFound, None), NOT_FOUND);
        assert_eq!(code_of(Code::FailedPrecondition, Some("PARENT_NOT_FOUND")), NOT_FOUND);
        assert_eq!(code_of(Code::AlreadyExists, None), CONFLICT);
        assert_eq!(code_of(Code::Aborted, Some("ETAG_MISMATCH")), CONFLICT);
        assert_eq!(code_of(Code::PermissionDenied, None), NOT_ALLOWED);
        assert_eq!(code_of(Code::DeadlineExceeded, None), UNAVAILABLE);
        let error = anyhow::Error::new(UsageError("no".to_owned())).context("while trying");
        assert_eq!(code(&error), USAGE);
        assert_eq!(code(&anyhow::Error::new(ContextError::NoFile)), USAGE);
        assert_eq!(code(&anyhow::Error::new(PartlyRefused { refused: 1, total: 2 })), PARTLY_REFUSED);
        assert_eq!(code(&anyhow::Error::new(std::io::Error::from(std::io::ErrorKind::BrokenPipe))), OK);
        assert_eq!(code(&anyhow::anyhow!("something")), FAILED);
    }
}
