//! Calls about modules, the parts of a device with an identity of their own.

use crate::calls::noun;

noun! {
    /// Modules of devices.
    Modules, modules, DeviceServiceClient in device_service_client;
    /// Creates one with its empty twin; returns keys the server made.
    write create(CreateModuleRequest) -> ModuleResponse = create_module;
    /// Reads one, without keys.
    read get(GetModuleRequest) -> ModuleResponse = get_module;
    /// One page of a device's modules; see [`Self::list_all`].
    read list(ListModulesRequest) -> ListModulesResponse = list_modules;
    /// Changes the fields its mask names.
    write update(UpdateModuleRequest) -> ModuleResponse = update_module;
    /// Deletes it with its twin.
    write delete(DeleteModuleRequest) -> DeleteModuleResponse = delete_module;
}
