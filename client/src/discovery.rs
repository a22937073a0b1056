//! Calls about what edges discovered.

use crate::calls::noun;

noun! {
    /// What edges discovered: devices and assets that are seen but not managed, until somebody accepts or dismisses them.
    Discovery, discovery, DiscoveryServiceClient in discovery_service_client;
    /// What an edge says of a device; repeats are merged.
    write report_device(ReportDiscoveredDeviceRequest) -> DiscoveredDeviceResponse = report_discovered_device;
    /// What an edge says of an asset; repeats are merged.
    write report_asset(ReportDiscoveredAssetRequest) -> DiscoveredAssetResponse = report_discovered_asset;
    /// A discovered device.
    read get_device(GetDiscoveredRequest) -> DiscoveredDeviceResponse = get_discovered_device;
    /// A discovered asset.
    read get_asset(GetDiscoveredRequest) -> DiscoveredAssetResponse = get_discovered_asset;
    /// One page of discovered devices; see [`Self::list_devices_all`].
    read list_devices(ListDiscoveredDevicesRequest) -> ListDiscoveredDevicesResponse = list_discovered_devices;
    /// One page of discovered assets; see [`Self::list_assets_all`].
    read list_assets(ListDiscoveredAssetsRequest) -> ListDiscoveredAssetsResponse = list_discovered_assets;
    /// Creates the device that was discovered.
    write accept_device(AcceptDiscoveredDeviceRequest) -> AcceptDiscoveredDeviceResponse = accept_discovered_device;
    /// Creates the asset that was discovered.
    write accept_asset(AcceptDiscoveredAssetRequest) -> AcceptDiscoveredAssetResponse = accept_discovered_asset;
    /// Says that a discovered device is not wanted.
    write dismiss_device(DismissDiscoveredRequest) -> DiscoveredDeviceResponse = dismiss_discovered_device;
    /// Says that a discovered asset is not wanted.
    write dismiss_asset(DismissDiscoveredRequest) -> DiscoveredAssetResponse = dismiss_discovered_asset;
    /// Forgets a discovered device.
    write delete_device(DeleteDiscoveredRequest) -> DeleteDiscoveredResponse = delete_discovered_device;
    /// Forgets a discovered asset.
    write delete_asset(DeleteDiscoveredRequest) -> DeleteDiscoveredResponse = delete_discovered_asset;
}
