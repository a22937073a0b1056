//! `NamespaceService`. It knows no rule of namespaces; `decide` does.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::namespace::NamespaceField;
use muster_domain::policy::{self, ReadScope};
use muster_domain::{Command, Key, Operation};
use muster_proto::v1;
use muster_proto::v1::namespace_service_server::NamespaceService;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing, header};
use super::status::{Failure, Transport};
use super::write::{Done, Write, accepted, required};
use crate::convert;
use crate::node::Services;
use crate::read::ListRange;

/// How long one call goes on with a forced deletion.
const DELETION_MAX: Duration = Duration::from_secs(5);

/// Namespaces.
pub(crate) struct NamespaceApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl NamespaceService for NamespaceApi {
    async fn create_namespace(
        &self,
        request: Request<v1::CreateNamespaceRequest>,
    ) -> Result<Response<v1::NamespaceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateNamespace", request)?;
        let namespace = request.namespace_id;
        let definition = convert::namespace::definition(request.namespace.unwrap_or_default());
        let key = Key::Namespace(namespace.clone());
        let done = write.single(Operation::CreateNamespace { namespace, definition }).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn get_namespace(
        &self,
        request: Request<v1::GetNamespaceRequest>,
    ) -> Result<Response<v1::NamespaceResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let key = fields::name("name", &request.name, Shape::Namespace).map_err(Failure::from)?;
        read.allow_resource(&key)?;
        let view = read.view(request.read).await?;
        let record = existing(&view, &key)?;
        let namespace = convert::namespace::to_proto(&key, &record);
        Ok(Response::new(v1::NamespaceResponse { header: read.header(view.revision()), namespace }))
    }

    /// A caller who may see one namespace gets a list of that one.
    async fn list_namespaces(
        &self,
        request: Request<v1::ListNamespacesRequest>,
    ) -> Result<Response<v1::ListNamespacesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListNamespacesRequest { page_size, page_token, prefix, read: options } = request;
        let asked =
            Asked { rpc: "ListNamespaces", filters: &[&prefix], page_size, page_token: &page_token, read: options };
        let page = Page::open(&read, asked).await?;
        let principal = read.caller.principal.clone();
        let may_see = move |id: &str| policy::may_read(&principal, ReadScope::Namespace(id)).is_ok();
        let listed = page.list(ListRange::Namespaces { prefix: &prefix }, move |id, _| may_see(id)).await?;
        let namespaces = listed.show(|id| Key::Namespace(id.to_owned()), convert::namespace::to_proto);
        let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
        Ok(Response::new(v1::ListNamespacesResponse { header, namespaces, next_page_token }))
    }

    async fn update_namespace(
        &self,
        request: Request<v1::UpdateNamespaceRequest>,
    ) -> Result<Response<v1::NamespaceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateNamespace", request)?;
        let (key, operation) = update(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn delete_namespace(
        &self,
        request: Request<v1::DeleteNamespaceRequest>,
    ) -> Result<Response<v1::DeleteNamespaceResponse>, Status> {
        let budget = deletion_budget(&request);
        let (write, request) = Write::begin(&self.0, "DeleteNamespace", request)?;
        let namespace = fields::namespace("name", &request.name).map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        if request.force {
            return Ok(Response::new(delete_all(&write, namespace, etag, budget).await?));
        }
        let done = write.single(Operation::DeleteNamespace { namespace, etag, force: false }).await?;
        let resources_deleted = done.accepted.deleted;
        Ok(Response::new(v1::DeleteNamespaceResponse { header: done.header(), resources_deleted }))
    }
}

fn update(request: v1::UpdateNamespaceRequest) -> Result<(Key, Operation), muster_domain::Rejection> {
    let fields = fields::mask(request.update_mask.as_ref(), &NamespaceField::ALL)?;
    let given = required("namespace", request.namespace)?;
    let namespace = fields::namespace("namespace.name", &given.name)?;
    let key = Key::Namespace(namespace.clone());
    let definition = convert::namespace::definition(given);
    Ok((key, Operation::UpdateNamespace { namespace, definition, fields, etag: fields::etag(request.etag) }))
}

fn answer(done: &Done, key: &Key) -> Result<v1::NamespaceResponse, Failure> {
    let record = done.record(key)?;
    let namespace = record.and_then(|record| convert::namespace::to_proto(key, &record));
    Ok(v1::NamespaceResponse { header: done.header(), namespace })
}

/// How long a forced deletion may go on: not all of what the caller waits, so that there is time left to say how far it
/// got.
fn deletion_budget<M>(request: &Request<M>) -> Duration {
    super::deadline::of(request).map_or(DELETION_MAX, |waits| waits.mul_f64(0.8).min(DELETION_MAX))
}

/// Deletes step by step. Each step is a command of its own, so that others get their turn in between.
/// A dry run tells of the first step only.
async fn delete_all(
    write: &Write,
    namespace: String,
    etag: Option<String>,
    budget: Duration,
) -> Result<v1::DeleteNamespaceResponse, Failure> {
    let clock = &write.services.clock;
    let begun = clock.monotonic();
    let mut etag = etag;
    let mut resources_deleted = 0;
    for step in 1.. {
        // The first step changes the etag; the caller's was about the time before.
        let operation = Operation::DeleteNamespace { namespace: namespace.clone(), etag: etag.take(), force: true };
        let (revision, step_done) = accepted(write.run_step(Command::single(operation), step).await?)?;
        resources_deleted += step_done.deleted;
        if step_done.finished || write.is_dry_run() {
            let header = Some(header(&write.services, revision));
            return Ok(v1::DeleteNamespaceResponse { header, resources_deleted });
        }
        if clock.monotonic().duration_since(begun) > budget {
            break;
        }
    }
    let message = format!(
        "namespaces/{namespace} is being deleted: {resources_deleted} resources are gone and more are left; \
         call DeleteNamespace with force again to go on"
    );
    Err(Failure::Other(Transport::DeletionUnfinished, message))
}
