//! Calls about assets.

use crate::calls::noun;

noun! {
    /// Assets behind the endpoints of devices.
    Assets, assets, AssetServiceClient in asset_service_client;
    /// Creates one.
    write create(CreateAssetRequest) -> AssetResponse = create_asset;
    /// Reads one.
    read get(GetAssetRequest) -> AssetResponse = get_asset;
    /// One page of them; see [`Self::list_all`].
    read list(ListAssetsRequest) -> ListAssetsResponse = list_assets;
    /// Changes the fields its mask names.
    write update(UpdateAssetRequest) -> AssetResponse = update_asset;
    /// Deletes it.
    write delete(DeleteAssetRequest) -> DeleteAssetResponse = delete_asset;
    /// Switches it on.
    write enable(SetAssetEnabledRequest) -> AssetResponse = enable_asset;
    /// Switches it off.
    write disable(SetAssetEnabledRequest) -> AssetResponse = disable_asset;
    /// The edge's side: replaces the status of the parts named.
    write update_status(UpdateAssetStatusRequest) -> AssetResponse = update_asset_status;
}
