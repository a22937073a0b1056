//! `TwinService`: twins one by one. Batches and streams have files of their own beside this one.
//!
//! It knows no rule of documents; `decide` does. A device never gets to see tags: what it may not see is not rendered.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use muster_domain::device::DeviceStatus;
use muster_domain::policy::{Principal, ReadScope};
use muster_domain::{Body, Key, Operation, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::TwinSection;
use muster_proto::v1::twin_service_server::TwinService;
use tonic::{Request, Response, Status, Streaming};

use super::fields::{self, Shape};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write};
use super::{twin_batch, twin_stream};
use crate::authorize::Caller;
use crate::convert;
use crate::convert::twin::Parts;
use crate::node::Services;
use crate::read::View;

/// Twins.
pub(crate) struct TwinApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl TwinService for TwinApi {
    async fn get_twin(&self, request: Request<v1::GetTwinRequest>) -> Result<Response<v1::TwinResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(get(&read, request).await?))
    }

    async fn patch_twin(
        &self,
        request: Request<v1::PatchTwinRequest>,
    ) -> Result<Response<v1::TwinChangeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "PatchTwin", request)?;
        let (_, operation) = patch(request).map_err(Failure::from)?;
        Ok(Response::new(changed(write.single(operation).await?)))
    }

    async fn replace_twin(
        &self,
        request: Request<v1::ReplaceTwinRequest>,
    ) -> Result<Response<v1::TwinChangeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "ReplaceTwin", request)?;
        let key = fields::name("name", &request.name, Shape::Twin).map_err(Failure::from)?;
        let (tags, desired, etag) = (request.tags_json, request.desired_json, fields::etag(request.etag));
        Ok(Response::new(changed(write.single(Operation::ReplaceTwin { key, tags, desired, etag }).await?)))
    }

    async fn batch_patch_twins(
        &self,
        request: Request<v1::BatchPatchTwinsRequest>,
    ) -> Result<Response<v1::BatchPatchTwinsResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "BatchPatchTwins", request)?;
        Ok(Response::new(twin_batch::patch(write, request).await?))
    }

    type PatchTwinStreamStream = Pin<Box<dyn Stream<Item = Result<v1::PatchTwinStreamResponse, Status>> + Send>>;

    async fn patch_twin_stream(
        &self,
        request: Request<Streaming<v1::PatchTwinRequest>>,
    ) -> Result<Response<Self::PatchTwinStreamStream>, Status> {
        let (read, patches) = Read::begin(&self.0, request)?;
        Ok(Response::new(Box::pin(twin_stream::answers(read.services, read.caller, patches))))
    }

    async fn report_properties(
        &self,
        request: Request<v1::ReportPropertiesRequest>,
    ) -> Result<Response<v1::TwinChangeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "ReportProperties", request)?;
        let key = fields::name("name", &request.name, Shape::Twin).map_err(Failure::from)?;
        let (reported, expected_version) = (request.reported_json, request.expected_version);
        let from_device = is_device(&write.caller);
        let operation = Operation::ReportProperties { key, reported, expected_version, from_device };
        Ok(Response::new(changed(write.single(operation).await?)))
    }
}

/// What a patch asks for.
pub(crate) fn patch(request: v1::PatchTwinRequest) -> Result<(Key, Operation), Rejection> {
    let key = fields::name("name", &request.name, Shape::Twin)?;
    let (tags, desired, etag) = (request.tags_json, request.desired_json, fields::etag(request.etag));
    Ok((key.clone(), Operation::PatchTwin { key, tags, desired, etag }))
}

async fn get(read: &Read, request: v1::GetTwinRequest) -> Result<v1::TwinResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::Twin)?;
    let parts = parts(request.section, !request.omit_metadata, is_device(&read.caller))?;
    let (namespace, device) = &fields::device_parts(&key);
    read.allow(ReadScope::Twin { namespace, device, section_tags: parts.tags })?;
    let view = read.view(request.read).await?;
    if is_device(&read.caller) {
        check_enabled(&view, namespace, device)?;
    }
    let twin = convert::twin::to_proto(&key, &*existing(&view, &key)?, parts);
    Ok(v1::TwinResponse { header: read.header(view.revision()), twin })
}

/// What is shown of a twin. The whole of it is without tags for a device; a device that asks for tags is refused.
fn parts(section: i32, metadata: bool, for_device: bool) -> Result<Parts, Rejection> {
    let none = Parts { tags: false, desired: false, reported: false, metadata };
    Ok(match convert::choice::<TwinSection>("section", section)? {
        TwinSection::Unspecified => Parts { tags: !for_device, metadata, ..Parts::ALL },
        TwinSection::Tags => Parts { tags: true, ..none },
        TwinSection::Desired => Parts { desired: true, ..none },
        TwinSection::Reported => Parts { reported: true, ..none },
    })
}

/// A disabled device is refused on every device-facing call.
fn check_enabled(view: &View, namespace: &str, device: &str) -> Result<(), Failure> {
    let key = Key::Device(namespace.to_owned(), device.to_owned());
    let record = existing(view, &key)?;
    match &record.body {
        Body::Device(device) if device.definition.status == DeviceStatus::Disabled => {
            let message = format!("{key} is disabled");
            Err(Rejection::new(Reason::DeviceDisabled, "name", message).into())
        }
        _ => Ok(()),
    }
}

fn is_device(caller: &Caller) -> bool {
    matches!(caller.principal, Principal::Device { .. })
}

fn changed(done: Done) -> v1::TwinChangeResponse {
    let header = done.header();
    let accepted = done.accepted;
    v1::TwinChangeResponse {
        header,
        etag: accepted.etag,
        version: accepted.version,
        tags_version: accepted.tags_version,
        desired_version: accepted.desired_version,
        reported_version: accepted.reported_version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_sees_no_tags_unless_it_asks_and_is_refused_later() {
        let whole = parts(0, true, true).expect("the whole twin");
        assert_eq!((whole.tags, whole.desired, whole.reported), (false, true, true));
        assert!(parts(TwinSection::Tags.into(), true, true).expect("tags alone").tags);
        assert_eq!(parts(0, true, false), Ok(Parts::ALL));
        assert_eq!(parts(9, true, false).map_err(|refusal| refusal.field), Err("section".to_owned()));
    }
}
