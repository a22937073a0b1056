//! Metrics and health over HTTP: `/metrics`, `/healthz/live`, `/healthz/ready`, `/healthz/write`.
//!
//! Deliberately does not know what is measured, nor what makes a node healthy: it renders the one and asks for the other.
//!
//! | path | 200 when | who asks |
//! |---|---|---|
//! | `/healthz/live` | the process works at all | what restarts it |
//! | `/healthz/ready` | there is a leader and this node has caught up | what sends it clients |
//! | `/healthz/write` | a write would be taken now | what watches the cluster |
//!
//! Otherwise the answer is 503 with the reason as text.

use crate::tasks::{self, StopSignal};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// From 50 µs, a cached read, to 10 s, the longest call.
const SECONDS_BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// From one small record to the largest message.
const BYTES_BUCKETS: &[f64] =
    &[256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 33_554_432.0];
/// Sizes of batches: commands in an entry, entries in a write, readers of a round.
const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0];
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Fine, or the reason why not.
pub type Health = Result<(), String>;

/// Knows how the node is. Asked often, so each answer must be cheap and must not wait.
pub trait HealthSource: Send + Sync + 'static {
    /// Whether the process works at all.
    fn live(&self) -> Health;
    /// Whether clients should be sent here.
    fn ready(&self) -> Health;
    /// Whether a write would be taken now.
    fn write(&self) -> Health;
}

/// Makes the `metrics` macros count. Once in a process.
///
/// # Errors
/// When another recorder is installed already.
pub fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    builder()?.install_recorder()
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), COUNT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_entries".to_owned()), COUNT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_readers".to_owned()), COUNT_BUCKETS)
}

/// Serves until told to stop.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    health: Arc<dyn HealthSource>,
    stop: StopSignal,
) -> io::Result<()> {
    let upkeep = tasks::spawn("metrics upkeep", upkeep(metrics.clone(), stop.clone()));
    let served = axum::serve(listener, router(metrics, health)).with_graceful_shutdown(stop.stopped()).await;
    upkeep.abort();
    served
}

/// Without it the histograms' raw samples would pile up until somebody scrapes.
async fn upkeep(metrics: PrometheusHandle, stop: StopSignal) {
    while !stop.is_stopped() {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        metrics.run_upkeep();
    }
}

fn router(metrics: PrometheusHandle, health: Arc<dyn HealthSource>) -> Router {
    type Source = State<Arc<dyn HealthSource>>;
    let health = Router::new()
        .route("/healthz/live", get(|State(health): Source| async move { answer(health.live()) }))
        .route("/healthz/ready", get(|State(health): Source| async move { answer(health.ready()) }))
        .route("/healthz/write", get(|State(health): Source| async move { answer(health.write()) }))
        .with_state(health);
    let metrics = Router::new().route("/metrics", get(render)).with_state(metrics);
    health.merge(metrics)
}

async fn render(State(metrics): State<PrometheusHandle>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

fn answer(health: Health) -> Response {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct NoLeader;

    impl HealthSource for NoLeader {
        fn live(&self) -> Health {
            Ok(())
        }
        fn ready(&self) -> Health {
            Err("there is no leader".to_owned())
        }
        fn write(&self) -> Health {
            Err("there is no leader".to_owned())
        }
    }

    async fn fetch(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        answer
    }

    #[tokio::test]
    async fn serves_health_with_reasons_and_metrics_with_buckets() {
        let recorder = builder().expect("buckets are not empty").build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("muster_test_seconds").record(0.002);
            metrics::histogram!("muster_test_entries").record(3.0);
            metrics::counter!("muster_test_total").increment(3);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("bound");
        let (stopper, stop) = tasks::stop_pair();
        let server = tasks::spawn("http", serve(listener, handle, Arc::new(NoLeader), stop));
        assert!(fetch(address, "/healthz/live").await.starts_with("HTTP/1.1 200"));
        for path in ["/healthz/ready", "/healthz/write"] {
            let answer = fetch(address, path).await;
            assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("there is no leader"), "{answer}");
        }
        let metrics = fetch(address, "/metrics").await;
        assert!(metrics.contains("muster_test_seconds_bucket{le=\"0.0025\"} 1"), "{metrics}");
        assert!(metrics.contains("muster_test_entries_bucket{le=\"4\"} 1"), "{metrics}");
        assert!(metrics.contains("muster_test_total 3"), "{metrics}");
        assert!(fetch(address, "/elsewhere").await.starts_with("HTTP/1.1 404"));
        stopper.stop();
        server.await.expect("no panic").expect("served");
    }
}
