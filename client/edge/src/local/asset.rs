//! `AssetService` at the edge: reads, and what the edge says of its assets.

use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::asset_service_server::AssetService;
use muster_proto::v1::resource::Resource;
use tonic::{Request, Response, Status};

use super::Local;
use super::reads::{Page, check_request_id, fits, key};
use super::refusal::{of_the_cluster, refused, rejected, unreadable};

fn asset_key(name: &str) -> Result<Key, Status> {
    let shape = "namespaces/{namespace}/assets/{asset}";
    key("name", name, shape, |key| Some(key).filter(|key| matches!(key, Key::Asset(..))))
}

#[tonic::async_trait]
impl AssetService for Local {
    async fn get_asset(&self, request: Request<v1::GetAssetRequest>) -> Result<Response<v1::AssetResponse>, Status> {
        let request = request.into_inner();
        let key = asset_key(&request.name)?;
        let header = self.fresh(request.read).await?;
        let Resource::Asset(asset) = self.held(&key)? else { return Err(Status::internal("the item is no asset")) };
        Ok(Response::new(v1::AssetResponse { header: Some(header), asset: Some(asset) }))
    }

    async fn list_assets(
        &self,
        request: Request<v1::ListAssetsRequest>,
    ) -> Result<Response<v1::ListAssetsResponse>, Status> {
        let v1::ListAssetsRequest { parent, page_size, page_token, prefix, device_id, read, edge, site } =
            request.into_inner();
        let namespace = self.namespace(&parent)?;
        let page = Page::open(page_size, &page_token, &["ListAssets", &parent, &prefix, &device_id, &edge, &site])?;
        let header = self.fresh(read).await?;
        let keep = |item: &v1::SyncItem| match item.resource.as_ref().and_then(|resource| resource.resource.as_ref()) {
            Some(Resource::Asset(asset)) => {
                let place = asset.definition.as_ref();
                (device_id.is_empty() || device_of(asset) == Some(&device_id))
                    && fits(&edge, place.map_or("", |place| &place.edge))
                    && fits(&site, place.map_or("", |place| &place.site))
            }
            _ => false,
        };
        let start = format!("namespaces/{namespace}/assets/{prefix}");
        let listed = self.handle.list(&start, page.after.as_deref(), page.size, |_| true, keep);
        let listed = listed.map_err(|error| unreadable(&error))?;
        let assets = listed.items.into_iter().filter_map(|item| match item.resource?.resource? {
            Resource::Asset(asset) => Some(asset),
            _ => None,
        });
        let (assets, next_page_token) = (assets.collect(), page.token(listed.next_after));
        Ok(Response::new(v1::ListAssetsResponse { header: Some(header), assets, next_page_token }))
    }

    async fn update_asset_status(
        &self,
        request: Request<v1::UpdateAssetStatusRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        let v1::UpdateAssetStatusRequest { name, status, request_id, validate_only } = request.into_inner();
        let name = asset_key(&name)?.to_string();
        check_request_id(&request_id)?;
        let Some(status) = status else {
            return Err(rejected(&Rejection::new(Reason::InvalidField, "status", "status is required")));
        };
        let resource = self.handle.report_asset(&name, status, request_id, validate_only).await;
        let resource = resource.map_err(|error| refused(&error))?;
        let Some(Resource::Asset(asset)) = resource.resource else {
            return Err(Status::internal("the item is no asset"));
        };
        Ok(Response::new(v1::AssetResponse { header: Some(self.header()), asset: Some(asset) }))
    }

    async fn create_asset(&self, _: Request<v1::CreateAssetRequest>) -> Result<Response<v1::AssetResponse>, Status> {
        Err(of_the_cluster("CreateAsset"))
    }

    async fn update_asset(&self, _: Request<v1::UpdateAssetRequest>) -> Result<Response<v1::AssetResponse>, Status> {
        Err(of_the_cluster("UpdateAsset"))
    }

    async fn delete_asset(
        &self,
        _: Request<v1::DeleteAssetRequest>,
    ) -> Result<Response<v1::DeleteAssetResponse>, Status> {
        Err(of_the_cluster("DeleteAsset"))
    }

    async fn enable_asset(
        &self,
        _: Request<v1::SetAssetEnabledRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        Err(of_the_cluster("EnableAsset"))
    }

    async fn disable_asset(
        &self,
        _: Request<v1::SetAssetEnabledRequest>,
    ) -> Result<Response<v1::AssetResponse>, Status> {
        Err(of_the_cluster("DisableAsset"))
    }
}

fn device_of(asset: &v1::Asset) -> Option<&String> {
    Some(&asset.definition.as_ref()?.device_ref.as_ref()?.device_name)
}
