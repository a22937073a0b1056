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
    let code = runtime.block_on(agent(config));
    // What still waits, such as for room to open the store, is not waited for.
    runtime.shutdown_background();
    code
}

async fn agent(config: Config) -> anyhow::Result<ExitCode> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let settings = config.clone();
    // A store that is opened may wait for room on its disk.
    let starting = tokio::task::spawn_blocking(move || Agent::start(&settings));
    let mut agent = tokio::select! {
        started = starting => started??,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
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
