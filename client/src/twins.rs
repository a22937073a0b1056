//! Calls about twins.

use crate::calls::noun;
use crate::error::CallError;
use crate::twin_stream::{self, PatchReceiver, PatchSender};

noun! {
    /// Twins of devices and modules.
    Twins, twins, TwinServiceClient in twin_service_client;
    /// Reads one, whole or one section.
    read get(GetTwinRequest) -> TwinResponse = get_twin;
    /// Merges into tags and desired.
    write patch(PatchTwinRequest) -> TwinChangeResponse = patch_twin;
    /// Replaces tags or desired.
    write replace(ReplaceTwinRequest) -> TwinChangeResponse = replace_twin;
    /// Patches up to 1,000 twins.
    write batch_patch(BatchPatchTwinsRequest) -> BatchPatchTwinsResponse = batch_patch_twins;
    /// The device's side: merges into reported.
    write report(ReportPropertiesRequest) -> TwinChangeResponse = report_properties;
}

impl Twins {
    /// Opens a stream of patches, answered in the order sent. See [`PatchSender`] for what to do when it breaks.
    ///
    /// # Errors
    /// When no endpoint takes the stream in time.
    pub async fn patch_stream(&self) -> Result<(PatchSender, PatchReceiver), CallError> {
        twin_stream::open(&self.client).await
    }
}
