//! `RetentionService`: what is kept of the past, and closing it by hand. It knows neither when a policy is carried out nor
//! where events lie.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::retention;
use muster_domain::{Operation, Rejection};
use muster_proto::v1;
use muster_proto::v1::retention_service_server::RetentionService;
use tonic::{Request, Response, Status};

use super::fields;
use super::history::check_past;
use super::read::Read;
use super::status::Failure;
use super::write::{Done, Write};
use crate::convert;
use crate::node::Services;
use crate::read::View;

/// Event retention.
pub(crate) struct RetentionApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl RetentionService for RetentionApi {
    async fn get_retention(
        &self,
        request: Request<v1::GetRetentionRequest>,
    ) -> Result<Response<v1::RetentionResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(get(&read, request).await?))
    }

    async fn update_retention(
        &self,
        request: Request<v1::UpdateRetentionRequest>,
    ) -> Result<Response<v1::RetentionResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateRetention", request)?;
        let namespace = scope(&request.parent).map_err(Failure::from)?;
        let policy = request.policy.map(convert::retention::policy).transpose().map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        let done = write.single(Operation::SetRetention { namespace: namespace.clone(), policy, etag }).await?;
        Ok(Response::new(answer(&done, namespace.as_deref())?))
    }

    async fn compact_events(
        &self,
        request: Request<v1::CompactEventsRequest>,
    ) -> Result<Response<v1::RetentionResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CompactEvents", request)?;
        let namespace = scope(&request.parent).map_err(Failure::from)?;
        let floor = request.floor;
        let done = match write.single(Operation::CompactEvents { namespace: namespace.clone(), floor }).await {
            // The reason that all others give for a revision to come.
            Err(Failure::Rejected(rejection)) if rejection.field == "floor" && floor > 0 => {
                check_past(&self.0.reader.local(), floor)?;
                return Err(Failure::from(rejection).into());
            }
            done => done?,
        };
        Ok(Response::new(answer(&done, namespace.as_deref())?))
    }
}

async fn get(read: &Read, request: v1::GetRetentionRequest) -> Result<v1::RetentionResponse, Failure> {
    let namespace = scope(&request.parent)?;
    read.allow(namespace.as_deref().map_or(ReadScope::Cluster, ReadScope::Namespace))?;
    let view = read.view(request.read).await?;
    let retention = Some(show(&view, namespace.as_deref())?);
    Ok(v1::RetentionResponse { header: read.header(view.revision()), retention })
}

fn scope(parent: &str) -> Result<Option<String>, Rejection> {
    if parent.is_empty() { Ok(None) } else { fields::namespace("parent", parent).map(Some) }
}

/// What there is now: a policy that another call changed meanwhile is told as that call left it.
fn answer(done: &Done, namespace: Option<&str>) -> Result<v1::RetentionResponse, Failure> {
    Ok(v1::RetentionResponse { header: done.header(), retention: Some(show(&done.view(), namespace)?) })
}

fn show(view: &View, namespace: Option<&str>) -> Result<v1::Retention, Failure> {
    if let Some(namespace) = namespace {
        let key = muster_domain::Key::Namespace(namespace.to_owned());
        view.get(&key)?.ok_or_else(|| Rejection { field: "parent".to_owned(), ..Rejection::not_found(key) })?;
    }
    let key = retention::key(namespace);
    let record = view.get(&key)?;
    let floor = match namespace {
        Some(namespace) => view.event_floor_of(namespace)?,
        None => view.event_floor()?,
    };
    Ok(v1::Retention {
        name: key.to_string(),
        policy: convert::retention::policy_to_proto(&retention::of(record.as_deref())),
        floor,
        etag: record.as_ref().map(|record| record.etag()).unwrap_or_default(),
        update_time: record.and_then(|record| convert::optional_timestamp(record.updated_ms)),
    })
}
