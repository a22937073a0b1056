//! `TwinService` at the edge: reads, and reports of what devices say.

use std::pin::Pin;

use futures::Stream;
use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::TwinSection;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::twin_service_server::TwinService;
use tonic::{Request, Response, Status, Streaming};

use super::Local;
use super::reads::{check_request_id, key};
use super::refusal::{of_the_cluster, refused, rejected};
use crate::handle::Report;

const SHAPE: &str = "namespaces/{namespace}/devices/{device}[/modules/{module}]/twin";

fn twin_key(name: &str) -> Result<Key, Status> {
    key("name", name, SHAPE, |key| key.twin())
}

#[tonic::async_trait]
impl TwinService for Local {
    async fn get_twin(&self, request: Request<v1::GetTwinRequest>) -> Result<Response<v1::TwinResponse>, Status> {
        let request = request.into_inner();
        let key = twin_key(&request.name)?;
        let header = self.fresh(request.read).await?;
        let Resource::Twin(twin) = self.held(&key)? else { return Err(Status::internal("the item is no twin")) };
        let twin = Some(part(twin, request.section, request.omit_metadata)?);
        Ok(Response::new(v1::TwinResponse { header: Some(header), twin }))
    }

    async fn report_properties(
        &self,
        request: Request<v1::ReportPropertiesRequest>,
    ) -> Result<Response<v1::TwinChangeResponse>, Status> {
        let request = request.into_inner();
        let name = twin_key(&request.name)?.to_string();
        check_request_id(&request.request_id)?;
        let v1::ReportPropertiesRequest { reported_json, expected_version, request_id, validate_only, .. } = request;
        let report = Report { name, reported_json, expected_version, request_id, validate_only };
        let resource = self.handle.report(report).await.map_err(|error| refused(&error))?;
        let Some(Resource::Twin(twin)) = resource.resource else { return Err(Status::internal("the item is no twin")) };
        let version = |section: &Option<v1::SectionDocument>| section.as_ref().map_or(0, |section| section.version);
        Ok(Response::new(v1::TwinChangeResponse {
            header: Some(self.header()),
            etag: twin.etag,
            version: twin.version,
            tags_version: version(&twin.tags),
            desired_version: version(&twin.desired),
            reported_version: version(&twin.reported),
        }))
    }

    async fn patch_twin(&self, _: Request<v1::PatchTwinRequest>) -> Result<Response<v1::TwinChangeResponse>, Status> {
        Err(of_the_cluster("PatchTwin"))
    }

    async fn replace_twin(
        &self,
        _: Request<v1::ReplaceTwinRequest>,
    ) -> Result<Response<v1::TwinChangeResponse>, Status> {
        Err(of_the_cluster("ReplaceTwin"))
    }

    async fn batch_patch_twins(
        &self,
        _: Request<v1::BatchPatchTwinsRequest>,
    ) -> Result<Response<v1::BatchPatchTwinsResponse>, Status> {
        Err(of_the_cluster("BatchPatchTwins"))
    }

    type PatchTwinStreamStream = Pin<Box<dyn Stream<Item = Result<v1::PatchTwinStreamResponse, Status>> + Send>>;

    async fn patch_twin_stream(
        &self,
        _: Request<Streaming<v1::PatchTwinRequest>>,
    ) -> Result<Response<Self::PatchTwinStreamStream>, Status> {
        Err(of_the_cluster("PatchTwinStream"))
    }
}

fn part(mut twin: v1::Twin, section: i32, omit_metadata: bool) -> Result<v1::Twin, Status> {
    let section = TwinSection::try_from(section).map_err(|_| {
        rejected(&Rejection::new(Reason::InvalidField, "section", format!("section has the unknown value {section}")))
    })?;
    let wanted = |own: TwinSection| section == TwinSection::Unspecified || section == own;
    for (own, document) in [
        (TwinSection::Tags, &mut twin.tags),
        (TwinSection::Desired, &mut twin.desired),
        (TwinSection::Reported, &mut twin.reported),
    ] {
        if !wanted(own) {
            *document = None;
        } else if let Some(document) = document.as_mut().filter(|_| omit_metadata) {
            document.metadata_json.clear();
        }
    }
    Ok(twin)
}
