//! `CursorService`. It knows no rule of cursors; `decide` does.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::{Key, Operation, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::cursor_service_server::CursorService;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write};
use crate::convert;
use crate::node::Services;
use crate::read::ListRange;

/// Cursors.
pub(crate) struct CursorApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl CursorService for CursorApi {
    async fn create_cursor(
        &self,
        request: Request<v1::CreateCursorRequest>,
    ) -> Result<Response<v1::CreateCursorResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateCursor", request)?;
        let (key, operation) = create(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(v1::CreateCursorResponse { header: done.header(), cursor: shown(&done, &key)? }))
    }

    async fn get_cursor(
        &self,
        request: Request<v1::GetCursorRequest>,
    ) -> Result<Response<v1::GetCursorResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let key = fields::name("name", &request.name, Shape::Cursor).map_err(Failure::from)?;
        read.allow(scope(key.namespace()))?;
        let view = read.view(request.read).await?;
        let record = existing(&view, &key)?;
        let cursor = convert::cursor::to_proto(&key, &record);
        Ok(Response::new(v1::GetCursorResponse { header: read.header(view.revision()), cursor }))
    }

    async fn list_cursors(
        &self,
        request: Request<v1::ListCursorsRequest>,
    ) -> Result<Response<v1::ListCursorsResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListCursorsRequest { parent, page_size, page_token, read: options } = request;
        let namespace = namespace_of(&parent).map_err(Failure::from)?;
        read.allow(scope(Some(namespace.as_str()).filter(|namespace| !namespace.is_empty())))?;
        let asked =
            Asked { rpc: "ListCursors", filters: &[&parent], page_size, page_token: &page_token, read: options };
        let page = Page::open(&read, asked).await?;
        if !namespace.is_empty() {
            page.check_parent(&Key::Namespace(namespace.clone()))?;
        }
        let listed = page.list(ListRange::Cursors { namespace: &namespace }, |_, _| true).await?;
        let key = |id: &str| Key::Cursor(namespace.clone(), id.to_owned());
        let cursors = listed.show(key, convert::cursor::to_proto);
        let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
        Ok(Response::new(v1::ListCursorsResponse { header, cursors, next_page_token }))
    }

    async fn acknowledge_cursor(
        &self,
        request: Request<v1::AcknowledgeCursorRequest>,
    ) -> Result<Response<v1::AcknowledgeCursorResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "AcknowledgeCursor", request)?;
        let (key, namespace, cursor) = parts(&request.name).map_err(Failure::from)?;
        let operation = Operation::AcknowledgeCursor { namespace, cursor, revision: request.revision };
        let done = write.single(operation).await?;
        Ok(Response::new(v1::AcknowledgeCursorResponse { header: done.header(), cursor: shown(&done, &key)? }))
    }

    async fn delete_cursor(
        &self,
        request: Request<v1::DeleteCursorRequest>,
    ) -> Result<Response<v1::DeleteCursorResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteCursor", request)?;
        let (_, namespace, cursor) = parts(&request.name).map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        let done = write.single(Operation::DeleteCursor { namespace, cursor, etag }).await?;
        Ok(Response::new(v1::DeleteCursorResponse { header: done.header() }))
    }
}

fn create(request: v1::CreateCursorRequest) -> Result<(Key, Operation), Rejection> {
    let v1::CreateCursorRequest { parent, cursor_id: cursor, description, acknowledged_revision, from_now, .. } =
        request;
    if from_now && acknowledged_revision != 0 {
        let message = "acknowledged_revision cannot be given together with from_now";
        return Err(Rejection::new(Reason::InvalidField, "acknowledged_revision", message));
    }
    let namespace = namespace_of(&parent)?;
    let acknowledged = (!from_now).then_some(acknowledged_revision);
    let key = Key::Cursor(namespace.clone(), cursor.clone());
    Ok((key, Operation::CreateCursor { namespace, cursor, description, acknowledged }))
}

/// Empty for the cluster.
fn namespace_of(parent: &str) -> Result<String, Rejection> {
    if parent.is_empty() { Ok(String::new()) } else { fields::namespace("parent", parent) }
}

fn parts(name: &str) -> Result<(Key, String, String), Rejection> {
    match fields::name("name", name, Shape::Cursor)? {
        Key::Cursor(namespace, cursor) => Ok((Key::Cursor(namespace.clone(), cursor.clone()), namespace, cursor)),
        key => Err(Rejection::not_found(key)),
    }
}

/// What it takes to see the cursors of a namespace, or those of the cluster.
pub(super) fn scope(namespace: Option<&str>) -> ReadScope<'_> {
    namespace.map_or(ReadScope::AllNamespaces, ReadScope::Namespace)
}

fn shown(done: &Done, key: &Key) -> Result<Option<v1::Cursor>, Failure> {
    Ok(done.record(key)?.and_then(|record| convert::cursor::to_proto(key, &record)))
}
