//! `SavedQueryService`. It knows no rule of saved queries; `decide` does. Only whether a text is a query is found out here,
//! before anything is proposed: what a text means belongs to the version of the program, not to the replicated state.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::saved_query::{SavedQueryDefinition, SavedQueryField};
use muster_domain::{Key, Operation, Rejection};
use muster_proto::v1;
use muster_proto::v1::saved_query_service_server::SavedQueryService;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::{Failure, Transport};
use super::write::{Done, Write, required};
use crate::convert;
use crate::node::Services;
use crate::read::ListRange;

/// Saved queries.
pub(crate) struct SavedQueryApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl SavedQueryService for SavedQueryApi {
    async fn create_saved_query(
        &self,
        request: Request<v1::CreateSavedQueryRequest>,
    ) -> Result<Response<v1::SavedQueryResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateSavedQuery", request)?;
        let namespace = fields::namespace("parent", &request.parent).map_err(Failure::from)?;
        let definition = convert::saved_query::definition(request.query.unwrap_or_default());
        check_text(&definition)?;
        let (key, query) = (Key::SavedQuery(namespace.clone(), request.query_id.clone()), request.query_id);
        let done = write.single(Operation::CreateSavedQuery { namespace, query, definition }).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn get_saved_query(
        &self,
        request: Request<v1::GetSavedQueryRequest>,
    ) -> Result<Response<v1::SavedQueryResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let key = fields::name("name", &request.name, Shape::SavedQuery).map_err(Failure::from)?;
        read.allow_resource(&key)?;
        let view = read.view(request.read).await?;
        let record = existing(&view, &key)?;
        let query = convert::saved_query::to_proto(&key, &record);
        Ok(Response::new(v1::SavedQueryResponse { header: read.header(view.revision()), query }))
    }

    async fn list_saved_queries(
        &self,
        request: Request<v1::ListSavedQueriesRequest>,
    ) -> Result<Response<v1::ListSavedQueriesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListSavedQueriesRequest { parent, page_size, page_token, read: options } = request;
        let namespace = fields::namespace("parent", &parent).map_err(Failure::from)?;
        read.allow(ReadScope::Namespace(&namespace))?;
        let asked =
            Asked { rpc: "ListSavedQueries", filters: &[&parent], page_size, page_token: &page_token, read: options };
        let page = Page::open(&read, asked).await?;
        page.check_parent(&Key::Namespace(namespace.clone()))?;
        let listed = page.list(ListRange::SavedQueries { namespace: &namespace }, |_, _| true).await?;
        let key = |id: &str| Key::SavedQuery(namespace.clone(), id.to_owned());
        let queries = listed.show(key, convert::saved_query::to_proto);
        let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
        Ok(Response::new(v1::ListSavedQueriesResponse { header, queries, next_page_token }))
    }

    async fn update_saved_query(
        &self,
        request: Request<v1::UpdateSavedQueryRequest>,
    ) -> Result<Response<v1::SavedQueryResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateSavedQuery", request)?;
        let (key, operation) = update(request)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn delete_saved_query(
        &self,
        request: Request<v1::DeleteSavedQueryRequest>,
    ) -> Result<Response<v1::DeleteSavedQueryResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteSavedQuery", request)?;
        let (_, namespace, query) = parts("name", &request.name).map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        let done = write.single(Operation::DeleteSavedQuery { namespace, query, etag }).await?;
        Ok(Response::new(v1::DeleteSavedQueryResponse { header: done.header() }))
    }
}

fn update(request: v1::UpdateSavedQueryRequest) -> Result<(Key, Operation), Failure> {
    let fields = fields::mask(request.update_mask.as_ref(), &SavedQueryField::ALL)?;
    let given = required("query", request.query)?;
    let (key, namespace, query) = parts("query.name", &given.name)?;
    let definition = convert::saved_query::definition(given);
    if fields.contains(&SavedQueryField::Text) {
        check_text(&definition)?;
    }
    let etag = fields::etag(request.etag);
    Ok((key, Operation::UpdateSavedQuery { namespace, query, definition, fields, etag }))
}

fn parts(field: &str, name: &str) -> Result<(Key, String, String), Rejection> {
    match fields::name(field, name, Shape::SavedQuery)? {
        Key::SavedQuery(namespace, query) => Ok((Key::SavedQuery(namespace.clone(), query.clone()), namespace, query)),
        key => Err(Rejection::not_found(key)),
    }
}

/// Refuses a text that is no query. An empty one is left to `decide`, which asks for it by name.
fn check_text(definition: &SavedQueryDefinition) -> Result<(), Failure> {
    if definition.text.is_empty() {
        return Ok(());
    }
    let compiled = muster_query::compile(&definition.text, &crate::views::SCHEMA);
    compiled.map(drop).map_err(|error| {
        let (transport, field) = (Transport::QueryInvalid, "query.text".to_owned());
        Failure::At { transport, field, message: error.render(&definition.text) }
    })
}

fn answer(done: &Done, key: &Key) -> Result<v1::SavedQueryResponse, Failure> {
    let record = done.record(key)?;
    let query = record.and_then(|record| convert::saved_query::to_proto(key, &record));
    Ok(v1::SavedQueryResponse { header: done.header(), query })
}

#[cfg(test)]
mod tests {
    /// The core counts characters without knowing the language.
    #[test]
    fn a_saved_text_may_be_as_long_as_a_query() {
        let most = muster_query::syntax::Limits::default().characters;
        assert_eq!(muster_domain::limits::QUERY_TEXT_CHARS_MAX, most);
    }
}
