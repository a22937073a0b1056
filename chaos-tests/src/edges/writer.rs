//! The application at one edge: reports a number that counts up, each to some device that the edge holds, and notes what it
//! was told. A repeated call has the same request id, and must not have another effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_client::{Client, Code, names, proto};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::NAMESPACE;
use super::plan::pause;

/// What a writer was told of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is queued: it takes effect once, or is refused by the cluster.
    Queued,
    /// It was refused here: it never has an effect.
    Refused,
    /// The agent was gone: it is queued or not.
    Unknown,
}

/// One report.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) device: String,
    pub(crate) answer: Answer,
}

/// Reports until `over`; all that was reported, in order.
pub(crate) async fn write(client: Client, edge: String, mut chance: StdRng, over: Arc<AtomicBool>) -> Vec<Told> {
    let (mut told, mut held) = (Vec::new(), Vec::new());
    for number in 1.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        pause(&mut chance, 20, 220).await;
        if number % 8 == 0 || held.is_empty() {
            held = devices(&client).await.unwrap_or(held);
        }
        let Some(device) = held.choose(&mut chance).cloned() else { continue };
        let padding = "x".repeat(chance.random_range(0..200));
        let request = proto::ReportPropertiesRequest {
            name: names::twin(NAMESPACE, &device),
            reported_json: serde_json::json!({ edge.as_str(): number, "padding": padding }).to_string(),
            request_id: format!("{edge}-{number}"),
            ..Default::default()
        };
        let twins = client.twins();
        let first = twins.report(request.clone());
        let answered = if chance.random_bool(0.2) {
            let (first, second) = tokio::join!(first, twins.report(request));
            first.or(second)
        } else {
            first.await
        };
        let answer = match answered {
            Ok(_) => Answer::Queued,
            Err(error) if matches!(error.code(), Code::NotFound | Code::ResourceExhausted) => Answer::Refused,
            Err(_) => Answer::Unknown,
        };
        if answer == Answer::Refused {
            held.clear();
        }
        told.push(Told { number, device, answer });
    }
    told
}

/// What the edge holds.
async fn devices(client: &Client) -> Option<Vec<String>> {
    let request =
        proto::ListDevicesRequest { parent: names::namespace(NAMESPACE), page_size: 1_000, ..Default::default() };
    let listed = client.devices().list(request).await.ok()?;
    Some(listed.devices.iter().map(|device| names::last(&device.name).to_owned()).collect())
}
