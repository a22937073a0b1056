//! `EdgeService`: edges and how far they are. It knows no rule of edges, `decide` does; and no stream, [`crate::sync`] does.

use std::sync::Arc;

use muster_domain::edge::EdgeField;
use muster_domain::policy::ReadScope;
use muster_domain::{Key, Operation, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::edge_service_server::EdgeService;
use tonic::{Request, Response, Status};

use super::edge_verification::{self, Verified};
use super::fields::{self, Shape};
use super::pages::{Asked, Listed, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write, required};
use crate::convert;
use crate::convert::edge::Witness;
use crate::node::Services;
use crate::read::{ListRange, View};

/// Edges.
pub(crate) struct EdgeApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl EdgeService for EdgeApi {
    async fn create_edge(&self, request: Request<v1::CreateEdgeRequest>) -> Result<Response<v1::EdgeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateEdge", request)?;
        let namespace = fields::namespace("parent", &request.parent).map_err(Failure::from)?;
        let definition = convert::edge::definition(request.edge.unwrap_or_default());
        let (key, edge) = (Key::Edge(namespace.clone(), request.edge_id.clone()), request.edge_id);
        let done = write.single(Operation::CreateEdge { namespace, edge, definition }).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn get_edge(&self, request: Request<v1::GetEdgeRequest>) -> Result<Response<v1::EdgeResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let (key, view) = look(&read, &request.name, request.read).await?;
        let edge = convert::edge::to_proto(&key, &*existing(&view, &key)?);
        Ok(Response::new(v1::EdgeResponse { header: read.header(view.revision()), edge }))
    }

    async fn list_edges(
        &self,
        request: Request<v1::ListEdgesRequest>,
    ) -> Result<Response<v1::ListEdgesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListEdgesRequest { parent, page_size, page_token, prefix, read: options } = request;
        let filters = &[parent.as_str(), &prefix];
        let asked = Asked { rpc: "ListEdges", filters, page_size, page_token: &page_token, read: options };
        let (namespace, page, listed) = list(&read, asked, &parent, &prefix).await?;
        let edges = listed.show(|id| Key::Edge(namespace.clone(), id.to_owned()), convert::edge::to_proto);
        let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
        Ok(Response::new(v1::ListEdgesResponse { header, edges, next_page_token }))
    }

    async fn update_edge(&self, request: Request<v1::UpdateEdgeRequest>) -> Result<Response<v1::EdgeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateEdge", request)?;
        let (key, operation) = update(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn delete_edge(
        &self,
        request: Request<v1::DeleteEdgeRequest>,
    ) -> Result<Response<v1::DeleteEdgeResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteEdge", request)?;
        let (_, namespace, edge) = parts("name", &request.name).map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        let done = write.single(Operation::DeleteEdge { namespace, edge, etag }).await?;
        Ok(Response::new(v1::DeleteEdgeResponse { header: done.header() }))
    }

    async fn get_edge_status(
        &self,
        request: Request<v1::GetEdgeStatusRequest>,
    ) -> Result<Response<v1::GetEdgeStatusResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let (key, view) = look(&read, &request.name, request.read).await?;
        existing(&view, &key)?;
        let status = Some(status(&read.services, &view, &key)?);
        Ok(Response::new(v1::GetEdgeStatusResponse { header: read.header(view.revision()), status }))
    }

    async fn list_edge_statuses(
        &self,
        request: Request<v1::ListEdgeStatusesRequest>,
    ) -> Result<Response<v1::ListEdgeStatusesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListEdgeStatusesRequest { parent, page_size, page_token, prefix, read: options } = request;
        let filters = &[parent.as_str(), &prefix];
        let asked = Asked { rpc: "ListEdgeStatuses", filters, page_size, page_token: &page_token, read: options };
        let (namespace, page, listed) = list(&read, asked, &parent, &prefix).await?;
        let key = |id: &String| Key::Edge(namespace.clone(), id.clone());
        let keys = listed.records.iter().map(|(id, _)| key(id));
        let statuses = keys.map(|key| status(&read.services, &page.view, &key)).collect::<Result<_, Failure>>()?;
        let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
        Ok(Response::new(v1::ListEdgeStatusesResponse { header, statuses, next_page_token }))
    }

    type VerifyEdgeStream = Verified;

    async fn verify_edge(
        &self,
        request: Request<v1::VerifyEdgeRequest>,
    ) -> Result<Response<Self::VerifyEdgeStream>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let (key, namespace, edge) = parts("name", &request.name).map_err(Failure::from)?;
        read.allow(ReadScope::Namespace(&namespace))?;
        Ok(Response::new(edge_verification::verify(read, key, namespace, edge).await?))
    }
}

fn update(request: v1::UpdateEdgeRequest) -> Result<(Key, Operation), Rejection> {
    let mask = request.update_mask.unwrap_or_default();
    let mut fields = fields::mask(Some(&mask), &EdgeField::ALL)?;
    let given = required("edge", request.edge)?;
    let (key, namespace, edge) = parts("edge.name", &given.name)?;
    if given.enabled.is_none() {
        if mask.paths.iter().any(|path| path == "enabled") {
            let message = "edge.enabled is required, because update_mask names it";
            return Err(Rejection::new(Reason::InvalidField, "edge.enabled", message));
        }
        fields.retain(|field| *field != EdgeField::Enabled);
    }
    let (definition, etag) = (convert::edge::definition(given), fields::etag(request.etag));
    Ok((key, Operation::UpdateEdge { namespace, edge, definition, fields, etag }))
}

/// Key, namespace and id of a named edge.
fn parts(field: &str, name: &str) -> Result<(Key, String, String), Rejection> {
    match fields::name(field, name, Shape::Edge)? {
        Key::Edge(namespace, edge) => Ok((Key::Edge(namespace.clone(), edge.clone()), namespace, edge)),
        key => Err(Rejection::not_found(key)),
    }
}

/// The key of an edge that the caller may see, and a view to read it from.
async fn look(read: &Read, name: &str, options: Option<v1::ReadOptions>) -> Result<(Key, View), Failure> {
    let (key, namespace, edge) = parts("name", name)?;
    read.allow(ReadScope::EdgeScope { namespace: &namespace, edge: &edge })?;
    Ok((key, read.view(options).await?))
}

/// One page of the edges of a namespace, which is told as well.
async fn list(read: &Read, asked: Asked<'_>, parent: &str, prefix: &str) -> Result<(String, Page, Listed), Failure> {
    let namespace = fields::namespace("parent", parent)?;
    read.allow(ReadScope::Namespace(&namespace))?;
    let page = Page::open(read, asked).await?;
    page.check_parent(&Key::Namespace(namespace.clone()))?;
    let listed = page.list(ListRange::Edges { namespace: &namespace, prefix }, |_, _| true).await?;
    Ok((namespace, page, listed))
}

/// How far the edge `key` is as of the view, its link as of now.
fn status(services: &Services, view: &View, key: &Key) -> Result<v1::EdgeStatus, Failure> {
    let Key::Edge(namespace, edge) = key else { return Err(Rejection::not_found(key).into()) };
    let session = view.get(&Key::EdgeSession(namespace.clone(), edge.clone()))?;
    let presence = services.sync.presence(namespace, edge);
    let witness = Witness { node_id: services.identity.node_id, revision: view.revision(), presence };
    Ok(convert::edge::status(key, session.as_deref(), witness))
}

fn answer(done: &Done, key: &Key) -> Result<v1::EdgeResponse, Failure> {
    let record = done.record(key)?;
    let edge = record.and_then(|record| convert::edge::to_proto(key, &record));
    Ok(v1::EdgeResponse { header: done.header(), edge })
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;

    #[test]
    fn an_update_changes_enabled_only_when_it_says_to_what() {
        let fields = |enabled: Option<bool>, paths: &[&str]| {
            let name = "namespaces/plant1/edges/press".to_owned();
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            let request = v1::UpdateEdgeRequest {
                edge: Some(v1::Edge { name, enabled, ..v1::Edge::default() }),
                update_mask: Some(FieldMask { paths }),
                ..v1::UpdateEdgeRequest::default()
            };
            update(request).map_err(|refusal| refusal.field).map(|(_, operation)| match operation {
                Operation::UpdateEdge { fields, .. } => fields.contains(&EdgeField::Enabled),
                _ => false,
            })
        };
        assert_eq!(fields(None, &[]), Ok(false));
        assert_eq!(fields(Some(false), &[]), Ok(true));
        assert_eq!(fields(Some(false), &["description"]), Ok(false));
        assert_eq!(fields(None, &["enabled"]), Err("edge.enabled".to_owned()));
        assert_eq!(fields(None, &["enable"]), Err("update_mask".to_owned()));
    }
}
