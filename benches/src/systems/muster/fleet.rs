//! The fleet that is measured: a namespace, its devices, and a first twin for each.

use anyhow::{Context, Result, ensure};
use muster_proto::v1;

use super::{Calls, patch_request};
use crate::grpc::Method;
use crate::workload::{Choice, NAMESPACE, device_id, twin_name};

type CreateNamespace = Method<v1::CreateNamespaceRequest, v1::NamespaceResponse>;
type CreateDevices = Method<v1::BatchCreateDevicesRequest, v1::BatchDevicesResponse>;

/// Devices per batch: the API's limit for a batch, unless its bytes come first.
const BATCH: u32 = 500;

/// Creates everything; each batch is checked item by item.
pub(crate) async fn create(calls: &Calls, devices: u32) -> Result<()> {
    let namespace: CreateNamespace = calls.method(0, "/muster.v1.NamespaceService/CreateNamespace");
    let request = v1::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    namespace.call(&request).await.map_err(anyhow::Error::msg).context("create the namespace")?;

    let parent = format!("namespaces/{NAMESPACE}");
    let create: CreateDevices = calls.method(0, "/muster.v1.DeviceService/BatchCreateDevices");
    let patch = calls.batch(0);
    let mut choice = Choice::new(0, devices);
    for first in (0..devices).step_by(BATCH as usize) {
        let numbers = first..devices.min(first + BATCH);
        let request = v1::BatchCreateDevicesRequest {
            parent: parent.clone(),
            requests: numbers.clone().map(new_device).collect(),
            ..Default::default()
        };
        let created = create.call(&request).await.map_err(anyhow::Error::msg).context("create devices")?;
        check(&created.results, numbers.len())?;

        let patches = numbers
            .clone()
            .map(|number| v1::PatchTwinRequest { name: twin_name(number), ..patch_request(&mut choice, false) });
        let request =
            v1::BatchPatchTwinsRequest { parent: parent.clone(), requests: patches.collect(), ..Default::default() };
        let patched = patch.call(&request).await.map_err(anyhow::Error::msg).context("patch the first twins")?;
        check(&patched.results, numbers.len())?;
    }
    Ok(())
}

/// A device without keys: making two for each would only make the start slower.
fn new_device(number: u32) -> v1::CreateDeviceRequest {
    let authentication = v1::Authentication { r#type: v1::AuthenticationType::None.into(), ..Default::default() };
    v1::CreateDeviceRequest {
        device_id: device_id(number),
        device: Some(v1::Device { authentication: Some(authentication), ..Default::default() }),
        ..Default::default()
    }
}

/// Fails with the first refused item of a batch, or when an answer is missing.
pub(crate) fn check(results: &[v1::BatchItemResult], expected: usize) -> Result<()> {
    if let Some((name, error)) = results.iter().find_map(|item| Some((&item.name, item.error.as_ref()?))) {
        anyhow::bail!("{name}: {} ({})", error.message, error.reason);
    }
    ensure!(results.len() == expected, "{} results for {expected} items", results.len());
    Ok(())
}
