//! `SiteService`. It knows no rule of sites; `decide` does.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::site::{SiteDefinition, SiteField};
use muster_domain::{Body, Key, Operation, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::site_service_server::SiteService;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write, required};
use crate::convert;
use crate::node::Services;
use crate::read::ListRange;

/// Sites.
pub(crate) struct SiteApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl SiteService for SiteApi {
    async fn create_site(&self, request: Request<v1::CreateSiteRequest>) -> Result<Response<v1::SiteResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateSite", request)?;
        let namespace = fields::namespace("parent", &request.parent).map_err(Failure::from)?;
        let definition = convert::site::definition(request.site.unwrap_or_default());
        let (key, site) = (Key::Site(namespace.clone(), request.site_id.clone()), request.site_id);
        let done = write.single(Operation::CreateSite { namespace, site, definition }).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn get_site(&self, request: Request<v1::GetSiteRequest>) -> Result<Response<v1::SiteResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let key = fields::name("name", &request.name, Shape::Site).map_err(Failure::from)?;
        read.allow_resource(&key)?;
        let view = read.view(request.read).await?;
        let site = convert::site::to_proto(&key, &*existing(&view, &key)?);
        Ok(Response::new(v1::SiteResponse { header: read.header(view.revision()), site }))
    }

    async fn list_sites(
        &self,
        request: Request<v1::ListSitesRequest>,
    ) -> Result<Response<v1::ListSitesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(list(&read, request).await?))
    }

    async fn update_site(&self, request: Request<v1::UpdateSiteRequest>) -> Result<Response<v1::SiteResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateSite", request)?;
        let (key, operation) = update(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn delete_site(
        &self,
        request: Request<v1::DeleteSiteRequest>,
    ) -> Result<Response<v1::DeleteSiteResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteSite", request)?;
        let (_, namespace, site) = parts("name", &request.name).map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        let done = write.single(Operation::DeleteSite { namespace, site, etag }).await?;
        Ok(Response::new(v1::DeleteSiteResponse { header: done.header() }))
    }
}

fn update(request: v1::UpdateSiteRequest) -> Result<(Key, Operation), Rejection> {
    let fields = fields::mask(request.update_mask.as_ref(), &SiteField::ALL)?;
    let given = required("site", request.site)?;
    let (key, namespace, site) = parts("site.name", &given.name)?;
    let (definition, etag) = (convert::site::definition(given), fields::etag(request.etag));
    Ok((key, Operation::UpdateSite { namespace, site, definition, fields, etag }))
}

/// Key, namespace and id of a named site.
fn parts(field: &str, name: &str) -> Result<(Key, String, String), Rejection> {
    match fields::name(field, name, Shape::Site)? {
        Key::Site(namespace, site) => Ok((Key::Site(namespace.clone(), site.clone()), namespace, site)),
        key => Err(Rejection::not_found(key)),
    }
}

async fn list(read: &Read, request: v1::ListSitesRequest) -> Result<v1::ListSitesResponse, Failure> {
    let v1::ListSitesRequest { parent, page_size, page_token, prefix, within, edge, read: options } = request;
    let namespace = &fields::namespace("parent", &parent)?;
    read.allow(ReadScope::Namespace(namespace))?;
    let filters = &[parent.as_str(), &prefix, &within, &edge];
    let asked = Asked { rpc: "ListSites", filters, page_size, page_token: &page_token, read: options };
    let page = Page::open(read, asked).await?;
    page.check_parent(&Key::Namespace(namespace.clone()))?;
    let wanted = move |site: &SiteDefinition| {
        (within.is_empty() || site.parent == within) && (edge.is_empty() || site.edge == edge)
    };
    let keep = move |_: &str, record: &Record| match &record.body {
        Body::Site(site) => wanted(&site.definition),
        _ => false,
    };
    let listed = page.list(ListRange::Sites { namespace, prefix: &prefix }, keep).await?;
    let sites = listed.show(|id| Key::Site(namespace.clone(), id.to_owned()), convert::site::to_proto);
    let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
    Ok(v1::ListSitesResponse { header, sites, next_page_token })
}

fn answer(done: &Done, key: &Key) -> Result<v1::SiteResponse, Failure> {
    let record = done.record(key)?;
    let site = record.and_then(|record| convert::site::to_proto(key, &record));
    Ok(v1::SiteResponse { header: done.header(), site })
}
