//! The unary calls that are measured, each with the check of its answer.

use muster_proto::v1;

use super::{Batch, Get, Patch, fleet, get_request, patch_request};
use crate::load::Caller;
use crate::workload::{Choice, NAMESPACE, PATCH_BYTES};

/// One twin patch per call.
pub(crate) struct PatchCaller {
    pub(crate) method: Patch,
    pub(crate) choice: Choice,
    pub(crate) ids: bool,
}

impl Caller for PatchCaller {
    async fn call(&mut self) -> Result<u32, String> {
        let request = patch_request(&mut self.choice, self.ids);
        let answer = self.method.call(&request).await?;
        if revision(answer.header.as_ref()) == 0 || answer.desired_version == 0 {
            return Err(format!("a patch without a revision: {answer:?}"));
        }
        Ok(1)
    }
}

/// One linearizable read of a whole twin per call.
pub(crate) struct GetCaller {
    pub(crate) method: Get,
    pub(crate) choice: Choice,
}

impl Caller for GetCaller {
    async fn call(&mut self) -> Result<u32, String> {
        let request = get_request(self.choice.device());
        let answer = self.method.call(&request).await?;
        let revision = revision(answer.header.as_ref());
        let twin = answer.twin.unwrap_or_default();
        // The document may be written otherwise than it was sent, but not shorter than without any blank.
        let desired_bytes = twin.desired.as_ref().map_or(0, |section| section.json.len());
        if revision == 0 || twin.name != request.name || desired_bytes < PATCH_BYTES {
            return Err(format!("read {} at {revision}, got {twin:?}", request.name));
        }
        Ok(1)
    }
}

/// Many patches in one call, each accepted or refused for itself.
pub(crate) struct BatchCaller {
    pub(crate) method: Batch,
    pub(crate) choice: Choice,
    pub(crate) ids: bool,
    pub(crate) patches: usize,
}

impl Caller for BatchCaller {
    async fn call(&mut self) -> Result<u32, String> {
        let requests: Vec<_> = (0..self.patches).map(|_| patch_request(&mut self.choice, false)).collect();
        let request_id = if self.ids { format!("bench-{:016x}", self.choice.count()) } else { String::new() };
        let parent = format!("namespaces/{NAMESPACE}");
        let request = v1::BatchPatchTwinsRequest { parent, requests, request_id, ..Default::default() };
        let answer = self.method.call(&request).await?;
        if revision(answer.header.as_ref()) == 0 {
            return Err("a batch without a revision".to_owned());
        }
        fleet::check(&answer.results, self.patches).map_err(|error| format!("{error:#}"))?;
        u32::try_from(self.patches).map_err(|error| error.to_string())
    }
}

/// The revision an answer names; 0 when it names none.
fn revision(header: Option<&v1::ResponseHeader>) -> u64 {
    header.map_or(0, |header| header.revision)
}
