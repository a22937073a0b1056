//! Writers with unique values, and the list of what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_client::{Client, names, proto};
use tokio::task::JoinHandle;

/// The namespace that workloads write to.
pub const NAMESPACE: &str = "chaos";

/// A write that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// The device.
    pub device: String,
    /// The value of `sequence` in desired.
    pub sequence: u64,
    /// The revision it was acknowledged with.
    pub revision: u64,
}

/// Creates the namespace and `devices` devices, `d0` and so on.
///
/// # Errors
/// When the cluster refuses.
pub async fn prepare(client: &Client, devices: usize) -> anyhow::Result<()> {
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    let requests = (0..devices)
        .map(|index| proto::CreateDeviceRequest { device_id: format!("d{index}"), ..Default::default() })
        .collect();
    let batch = proto::BatchCreateDevicesRequest {
        parent: names::namespace(NAMESPACE),
        requests,
        atomic: true,
        ..Default::default()
    };
    client.devices().batch_create(batch).await?;
    Ok(())
}

/// Writers that run until they are told to stop.
pub struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Result<Vec<Acked>, String>>>,
}

impl Writers {
    /// Starts one writer for each client; writer `n` patches device `d{n}` with 1, 2, 3 and so on.
    #[must_use]
    pub fn start(clients: Vec<Client>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = clients
            .into_iter()
            .enumerate()
            .map(|(index, client)| tokio::spawn(write(client, format!("d{index}"), Arc::clone(&stop))))
            .collect();
        Self { stop, tasks }
    }

    /// Stops all writers and returns everything that was acknowledged.
    ///
    /// # Errors
    /// When a write was refused for a reason that a retry does not cure.
    pub async fn finish(self) -> anyhow::Result<Vec<Acked>> {
        self.stop.store(true, Ordering::Release);
        let mut acked = Vec::new();
        for task in self.tasks {
            acked.extend(task.await?.map_err(anyhow::Error::msg)?);
        }
        Ok(acked)
    }
}

async fn write(client: Client, device: String, stop: Arc<AtomicBool>) -> Result<Vec<Acked>, String> {
    let mut acked = Vec::new();
    let mut sequence = 0;
    while !stop.load(Ordering::Acquire) {
        sequence += 1;
        let request = proto::PatchTwinRequest {
            name: names::twin(NAMESPACE, &device),
            desired_json: Some(format!("{{\"sequence\":{sequence}}}")),
            ..Default::default()
        };
        match client.twins().patch(request).await {
            Ok(response) => {
                let revision = response.header.map(|header| header.revision).unwrap_or_default();
                acked.push(Acked { device: device.clone(), sequence, revision });
            }
            // Not acknowledged after all tries: it may or may not be there. The next number is another write.
            Err(error) if error.is_retryable() || error.is_outcome_unknown() => {}
            Err(error) => return Err(format!("write {sequence} of {device}: {error}")),
        }
    }
    Ok(acked)
}

/// Waits until the writers have had `more` writes acknowledged, seen as the growth of the cluster's revision.
///
/// # Errors
/// When that takes more than 60 s.
pub async fn wait_for_writes(client: &Client, more: u64) -> anyhow::Result<()> {
    let revision = async || {
        let status = client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
        Ok::<u64, String>(status.header.map(|header| header.revision).unwrap_or_default())
    };
    let start = crate::eventually::eventually("a status", std::time::Duration::from_secs(60), &revision).await?;
    crate::eventually::eventually("writes go on", std::time::Duration::from_secs(60), async || {
        let now = revision().await?;
        if now >= start + more { Ok(()) } else { Err(format!("revision {now}, waiting for {}", start + more)) }
    })
    .await
}
