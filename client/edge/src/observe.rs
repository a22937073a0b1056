//! `/metrics`, `/healthz/live` and `/healthz/ready` over HTTP, when an address is set.
//!
//! It does not know what is measured. Ready means that local calls are answered: that the cluster cannot be reached is no
//! reason to restart an agent.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::agent::StartError;
use crate::config::Config;
use crate::handle::Handle;

const UPKEEP: Duration = Duration::from_secs(5);

/// Makes the `metrics` macros count, if an address is set and nobody did so before, and serves them.
pub(crate) fn serve(
    handle: &Handle,
    config: &Config,
    stop: &watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, StartError> {
    let Some(address) = config.metrics.address else { return Ok(None) };
    let failed = |cause| StartError::Listen { place: address.to_string(), cause };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    // An application that embeds the agent may have a recorder of its own; then that one counts.
    let recorder = PrometheusBuilder::new().install_recorder().ok();
    let router = router(recorder.clone(), handle.clone());
    let mut stop = stop.clone();
    Ok(Some(tokio::spawn(async move {
        let mut ended = stop.clone();
        let stopped = async move {
            ended.wait_for(|stop| *stop).await.ok();
        };
        let serving = async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await };
        tokio::select! {
            served = serving => if let Err(error) = served {
                tracing::error!(%error, "the listener of /metrics failed");
            },
            () = upkeep(recorder) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    })))
}

async fn upkeep(recorder: Option<PrometheusHandle>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(recorder) = &recorder {
            recorder.run_upkeep();
        }
    }
}

fn router(recorder: Option<PrometheusHandle>, handle: Handle) -> Router {
    let asked = handle.clone();
    let ready = move || {
        let handle = asked.clone();
        async move { ready(&handle).await }
    };
    let render = move || {
        let (recorder, handle) = (recorder.clone(), handle.clone());
        async move {
            // The keeper measures when it has something to do: being asked is that, and ages go on while nothing happens.
            handle.status().await;
            let text = recorder.as_ref().map_or_else(String::new, PrometheusHandle::render);
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
    };
    Router::new()
        .route("/metrics", get(render))
        .route("/healthz/live", get(|| async { "ok\n" }))
        .route("/healthz/ready", get(ready))
}

async fn ready(handle: &Handle) -> Response {
    match handle.status().await {
        Some(_) => (StatusCode::OK, "ok\n").into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the agent's store is closed\n").into_response(),
    }
}
