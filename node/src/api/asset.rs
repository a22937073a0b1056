//! `AssetService`. It knows no rule of assets; `decide` does.

use std::sync::Arc;

use muster_domain::asset::{AssetDefinition, AssetField};
use muster_domain::{Body, Key, Operation, Reason, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::asset_service_server::AssetService;
use prost_types::FieldMask;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write, required};
use crate::convert::asset::asset_definition_from_proto;
use crate::convert::asset_resource;
use crate::convert::asset_status::asset_status_from_proto;
use crate::node::Services;
use crate::read::ListRange;

/// Assets.
pub(crate) struct AssetApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl AssetService for AssetApi {
    async fn create_asset(
        &self,
        request: Request<v1::CreateAssetRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateAsset", request)?;
        let (key, operation) = create(&self.0, request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn get_asset(&self, request: Request<v1::GetAssetRequest>) -> Result<Response<v1::AssetResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let key = fields::name("name", &request.name, Shape::Asset).map_err(Failure::from)?;
        read.allow_resource(&key)?;
        let view = read.view(request.read).await?;
        let asset = asset_resource::to_proto(&key, &*existing(&view, &key)?);
        Ok(Response::new(v1::AssetResponse { header: read.header(view.revision()), asset }))
    }

    async fn list_assets(
        &self,
        request: Request<v1::ListAssetsRequest>,
    ) -> Result<Response<v1::ListAssetsResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(list(&read, request).await?))
    }

    async fn update_asset(
        &self,
        request: Request<v1::UpdateAssetRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateAsset", request)?;
        let (key, operation) = update(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn delete_asset(
        &self,
        request: Request<v1::DeleteAssetRequest>,
    ) -> Result<Response<v1::DeleteAssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteAsset", request)?;
        let (_, namespace, asset) = parts("name", &request.name).map_err(Failure::from)?;
        let etag = fields::etag(request.etag);
        let done = write.single(Operation::DeleteAsset { namespace, asset, etag }).await?;
        Ok(Response::new(v1::DeleteAssetResponse { header: done.header() }))
    }

    async fn enable_asset(
        &self,
        request: Request<v1::SetAssetEnabledRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "EnableAsset", request)?;
        Ok(Response::new(set_enabled(write, request, true).await?))
    }

    async fn disable_asset(
        &self,
        request: Request<v1::SetAssetEnabledRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DisableAsset", request)?;
        Ok(Response::new(set_enabled(write, request, false).await?))
    }

    async fn update_asset_status(
        &self,
        request: Request<v1::UpdateAssetStatusRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateAssetStatus", request)?;
        let (key, operation) = update_status(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }
}

/// Key, namespace and id of a named asset.
fn parts(field: &str, name: &str) -> Result<(Key, String, String), Rejection> {
    let key = fields::name(field, name, Shape::Asset)?;
    match key.clone() {
        Key::Asset(namespace, asset) => Ok((key, namespace, asset)),
        key => Err(Rejection::not_found(key)),
    }
}

fn create(services: &Services, request: v1::CreateAssetRequest) -> Result<(Key, Operation), Rejection> {
    let namespace = fields::namespace("parent", &request.parent)?;
    let asset = request.asset_id;
    muster_domain::ids::check_asset("asset_id", &asset)?;
    let key = Key::Asset(namespace.clone(), asset.clone());
    let given = required("asset", request.asset)?;
    let definition = Box::new(asset_definition_from_proto(required("asset.definition", given.definition)?)?);
    let uuid = if given.uuid.is_empty() { services.ids.uuid() } else { given.uuid };
    let enabled = given.enabled.unwrap_or(true);
    Ok((key, Operation::CreateAsset { namespace, asset, definition, enabled, uuid }))
}

/// A place that an update mask may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Enabled,
    Definition,
    Field(AssetField),
}

/// Whether `enabled` counts, and which fields of the definition.
fn mask(mask: &FieldMask) -> Result<(bool, Vec<AssetField>), Rejection> {
    let names = AssetField::ALL.map(|(field, name)| (Place::Field(field), format!("definition.{name}")));
    let mut known = vec![(Place::Enabled, "enabled"), (Place::Definition, "definition")];
    known.extend(names.iter().map(|(place, name)| (*place, name.as_str())));
    let places = fields::mask(Some(mask), &known)?;
    let whole = places.contains(&Place::Definition);
    let named = |field: &AssetField| whole || places.contains(&Place::Field(*field));
    let fields = AssetField::ALL.into_iter().map(|(field, _)| field).filter(named).collect();
    Ok((places.contains(&Place::Enabled), fields))
}

fn update(request: v1::UpdateAssetRequest) -> Result<(Key, Operation), Rejection> {
    let given_mask = request.update_mask.unwrap_or_default();
    let (with_enabled, fields) = mask(&given_mask)?;
    let given = required("asset", request.asset)?;
    let (key, namespace, asset) = parts("asset.name", &given.name)?;
    let definition = match given.definition {
        None if fields.is_empty() => AssetDefinition::default(),
        definition => asset_definition_from_proto(required("asset.definition", definition)?)?,
    };
    if given.enabled.is_none() && given_mask.paths.iter().any(|path| path == "enabled") {
        let message = "asset.enabled is required, because update_mask names it";
        return Err(Rejection::new(Reason::InvalidField, "asset.enabled", message));
    }
    let enabled = given.enabled.filter(|_| with_enabled);
    let (definition, etag) = (Box::new(definition), fields::etag(request.etag));
    Ok((key, Operation::UpdateAsset { namespace, asset, definition, enabled, fields, etag }))
}

fn update_status(request: v1::UpdateAssetStatusRequest) -> Result<(Key, Operation), Rejection> {
    let (key, namespace, asset) = parts("name", &request.name)?;
    let status = Box::new(asset_status_from_proto(required("status", request.status)?)?);
    Ok((key, Operation::UpdateAssetStatus { namespace, asset, status }))
}

async fn set_enabled(
    write: Write,
    request: v1::SetAssetEnabledRequest,
    enabled: bool,
) -> Result<v1::AssetResponse, Failure> {
    let (key, namespace, asset) = parts("name", &request.name)?;
    let operation = Operation::UpdateAsset {
        namespace,
        asset,
        definition: Box::default(),
        enabled: Some(enabled),
        fields: Vec::new(),
        etag: fields::etag(request.etag),
    };
    answer(&write.single(operation).await?, &key)
}

async fn list(read: &Read, request: v1::ListAssetsRequest) -> Result<v1::ListAssetsResponse, Failure> {
    let v1::ListAssetsRequest { parent, page_size, page_token, prefix, device_id, read: options, edge, site } = request;
    let namespace = &fields::namespace("parent", &parent)?;
    let key = Key::Namespace(namespace.clone());
    read.allow_resource(&key)?;
    let filters = &[parent.as_str(), &prefix, &device_id, &edge, &site];
    let asked = Asked { rpc: "ListAssets", filters, page_size, page_token: &page_token, read: options };
    let page = Page::open(read, asked).await?;
    page.check_parent(&key)?;
    let keep = move |record: &Record| match &record.body {
        Body::Asset(asset) => {
            let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
            let definition = &asset.definition;
            is(&device_id, &definition.device_ref.device) && is(&edge, &definition.edge) && is(&site, &definition.site)
        }
        _ => false,
    };
    let listed = page.list(ListRange::Assets { namespace, prefix: &prefix }, move |_, record| keep(record)).await?;
    let assets = listed.show(|id| Key::Asset(namespace.clone(), id.to_owned()), asset_resource::to_proto);
    let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
    Ok(v1::ListAssetsResponse { header, assets, next_page_token })
}

fn answer(done: &Done, key: &Key) -> Result<v1::AssetResponse, Failure> {
    let record = done.record(key)?;
    let asset = record.and_then(|record| asset_resource::to_proto(key, &record));
    Ok(v1::AssetResponse { header: done.header(), asset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }
    }

    #[test]
    fn masks_name_enabled_the_definition_or_its_fields() {
        let all = AssetField::ALL.len();
        assert_eq!(mask(&paths(&[])).map(|(enabled, fields)| (enabled, fields.len())), Ok((true, all)));
        assert_eq!(mask(&paths(&["enabled"])), Ok((true, Vec::new())));
        let one = mask(&paths(&["definition.datasets", "definition.datasets"]));
        assert_eq!(one, Ok((false, vec![AssetField::Datasets])));
        let whole = mask(&paths(&["definition", "definition.datasets"]));
        assert_eq!(whole.map(|(enabled, fields)| (enabled, fields.len())), Ok((false, all)));
        let refusal = mask(&paths(&["definition.dataset"])).expect_err("unknown");
        assert!(refusal.message.contains("definition.datasets"), "{}", refusal.message);
    }

    #[test]
    fn an_update_says_what_it_misses() {
        let asset = v1::Asset { name: "namespaces/plant1/assets/oven".to_owned(), ..v1::Asset::default() };
        let field = |asset: Option<v1::Asset>, mask: &[&str]| {
            let update_mask = Some(paths(mask));
            let request = v1::UpdateAssetRequest { asset, update_mask, ..v1::UpdateAssetRequest::default() };
            update(request).map(|_| ()).map_err(|refusal| refusal.field)
        };
        assert_eq!(field(None, &[]), Err("asset".to_owned()));
        assert_eq!(field(Some(v1::Asset::default()), &["enabled"]), Err("asset.name".to_owned()));
        assert_eq!(field(Some(asset.clone()), &[]), Err("asset.definition".to_owned()));
        assert_eq!(field(Some(asset.clone()), &["enabled"]), Err("asset.enabled".to_owned()));
        assert_eq!(field(Some(v1::Asset { enabled: Some(false), ..asset }), &["enabled"]), Ok(()));
    }
}
