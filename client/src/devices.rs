//! Calls about device identities, their keys, batches of them, and imports.

use crate::calls::noun;

noun! {
    /// Devices: identities with a twin.
    Devices, devices, DeviceServiceClient in device_service_client;
    /// Creates one with its empty twin; returns keys the server made.
    write create(CreateDeviceRequest) -> DeviceResponse = create_device;
    /// Reads one, without keys.
    read get(GetDeviceRequest) -> DeviceResponse = get_device;
    /// One page of them; see [`Self::list_all`].
    read list(ListDevicesRequest) -> ListDevicesResponse = list_devices;
    /// Changes the fields its mask names.
    write update(UpdateDeviceRequest) -> DeviceResponse = update_device;
    /// Lets it in again.
    write enable(SetDeviceStatusRequest) -> DeviceResponse = enable_device;
    /// Shuts it out.
    write disable(SetDeviceStatusRequest) -> DeviceResponse = disable_device;
    /// Deletes it with its modules and twins.
    write delete(DeleteDeviceRequest) -> DeleteDeviceResponse = delete_device;
    /// Makes new keys and returns them.
    write regenerate_keys(RegenerateKeysRequest) -> DeviceKeysResponse = regenerate_keys;
    /// Reads the keys of a device or module.
    read keys(GetDeviceKeysRequest) -> DeviceKeysResponse = get_device_keys;
    /// Creates up to 1,000.
    write batch_create(BatchCreateDevicesRequest) -> BatchDevicesResponse = batch_create_devices;
    /// Changes up to 1,000.
    write batch_update(BatchUpdateDevicesRequest) -> BatchDevicesResponse = batch_update_devices;
    /// Deletes up to 1,000.
    write batch_delete(BatchDeleteDevicesRequest) -> BatchDevicesResponse = batch_delete_devices;
    /// Applies lines of an import, each for itself.
    write import(ImportDevicesRequest) -> BatchDevicesResponse = import_devices;
}
