//! Log lines on standard error, and the end of a process that panicked.
//!
//! Deliberately does not know metrics (`observe.rs`).
//!
//! - A panic in any thread or task ends the process with [`crate::tasks::EXIT_PANIC`] before anything unwinds: a node
//!   that lost a part answers wrongly or not at all, and a restart is what brings it back.

use crate::config::{Log, LogFormat};
use crate::tasks::EXIT_PANIC;
use std::backtrace::{Backtrace, BacktraceStatus};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level cannot be read.
    #[error("log.level is neither a level nor a list of them")]
    Level(#[source] tracing_subscriber::filter::ParseError),
    /// Somebody else was first.
    #[error("logging was started before")]
    Twice(#[source] TryInitError),
}

/// Starts logging to standard error.
///
/// # Errors
/// When the level cannot be read, or logging was started before.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let filter = filter(&log.level)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().map_err(TelemetryError::Twice)
}

/// Libraries that say more than an operator wants get a level of their own, unless the configuration names them.
fn filter(level: &str) -> Result<Targets, TelemetryError> {
    let wanted: Targets = level.parse().map_err(TelemetryError::Level)?;
    let quiet = [
        ("openraft", LevelFilter::WARN),
        ("h2", LevelFilter::INFO),
        ("hyper_util", LevelFilter::INFO),
        ("tonic", LevelFilter::INFO),
    ];
    let named = |target: &str| wanted.iter().any(|(name, _)| name.starts_with(target));
    let base = wanted.default_level().unwrap_or(LevelFilter::OFF);
    let quiet = quiet.into_iter().filter(|(target, _)| !named(target)).map(|(target, level)| (target, level.min(base)));
    Ok(Targets::new().with_default(base).with_targets(wanted.iter()).with_targets(quiet))
}

/// Makes every panic the end of the process. Called once, by `main`: in tests a panic is a failed test.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let message = info.payload_as_str().unwrap_or("without a message");
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => format!("\n{backtrace}"),
            _ => String::new(),
        };
        tracing::error!(
            location,
            thread,
            exit_code = EXIT_PANIC,
            "panicked: {message}; this process ends here{backtrace}"
        );
        crate::tasks::end(EXIT_PANIC);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn chatty_libraries_are_quiet_unless_named() {
        let quiet = filter("debug").expect("a level");
        assert!(quiet.would_enable("muster_node::raft", &Level::DEBUG));
        assert!(!quiet.would_enable("openraft::core", &Level::INFO));
        assert!(quiet.would_enable("openraft::core", &Level::WARN));
        let named = filter("info,openraft=debug").expect("a list");
        assert!(named.would_enable("openraft::core", &Level::DEBUG));
        assert!(!named.would_enable("muster_node", &Level::DEBUG));
        assert!(!filter("error").expect("a level").would_enable("openraft", &Level::WARN), "never louder than asked");
        assert!(filter("info,openraft=loud").is_err());
    }
}
