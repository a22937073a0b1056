//! `muster-edge run`.

use std::path::Path;
use std::process::ExitCode;

use muster_edge::telemetry::{self, EXIT_STORAGE};
use muster_edge::{Agent, Config};
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn run(config: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(config)?;
    telemetry::init(&config.log)?;
    telemetry::install_panic_hook();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(agent(&config))
}

async fn agent(config: &Config) -> anyhow::Result<ExitCode> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut agent = Agent::start(config)?;
    tracing::info!(
        edge = config.edge.name,
        socket = %config.local.socket.display(),
        version = env!("CARGO_PKG_VERSION"),
        "the agent runs"
    );
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        error = agent.failed() => {
            tracing::error!(%error, exit_code = EXIT_STORAGE, "the agent ends");
            return Ok(ExitCode::from(u8::try_from(EXIT_STORAGE).unwrap_or(1)));
        }
    };
    tracing::info!(signal = name, "the agent stops");
    agent.stop().await?;
    Ok(ExitCode::SUCCESS)
}
