//! Log lines on standard error, and the end of a process that panicked.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// The exit code after a panic.
pub const EXIT_PANIC: i32 = 71;
/// The exit code after a fault of the store.
pub const EXIT_STORAGE: i32 = 70;

/// Starts logging to standard error.
///
/// # Errors
/// When the level cannot be read, or logging was started before.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let wanted: Targets = log.level.parse()?;
    let base = wanted.default_level().unwrap_or(LevelFilter::OFF);
    let named = |target: &str| wanted.iter().any(|(name, _)| name.starts_with(target));
    let quiet = ["h2", "hyper_util", "tonic", "tower"].into_iter().filter(|target| !named(target));
    let quiet: Vec<_> = quiet.map(|target| (target, LevelFilter::WARN.min(base))).collect();
    let filter = Targets::new().with_default(base).with_targets(wanted.iter()).with_targets(quiet);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?)
}

/// Makes every panic the end of the process: an agent that lost a part answers wrongly or not at all.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("without a message");
        tracing::error!(location, "panicked: {message}; this process ends here");
        std::process::exit(EXIT_PANIC);
    }));
}
