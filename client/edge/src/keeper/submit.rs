//! Taking in what applications want queued: judged by the cluster's rules over what is held and what waits already.

use std::collections::{BTreeMap, VecDeque};

use muster_domain::scope::{ItemHash, content_hash};
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use prost::Message;

use super::{Batch, Keeper};
use crate::queue::name_of;
use crate::rules::View;
use crate::store::StoreError;
use crate::submission::{Refused, Submission};

/// Request ids that are remembered.
const RECENT_MAX: usize = 16_384;

/// The newest request ids with what was asked and which versions were answered: a repeated request has one effect. Those of
/// operations that are still queued survive a restart; the others are for applications that repeat a call at once.
#[derive(Default)]
pub(super) struct Recent {
    answers: BTreeMap<String, Known>,
    order: VecDeque<String>,
}

struct Known {
    body: ItemHash,
    /// Of the twin, and of its reported section.
    versions: Option<(u64, u64)>,
}

impl Recent {
    pub(super) fn note(&mut self, request_id: &str, operation: &v1::SyncOperation, answer: &v1::Resource) {
        if request_id.is_empty() {
            return;
        }
        let versions = match &answer.resource {
            Some(Resource::Twin(twin)) => {
                Some((twin.version, twin.reported.as_ref().map_or(0, |reported| reported.version)))
            }
            _ => None,
        };
        self.answers.insert(request_id.to_owned(), Known { body: body(operation), versions });
        self.order.push_back(request_id.to_owned());
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

/// Tells operations apart, whenever they were queued.
fn body(operation: &v1::SyncOperation) -> ItemHash {
    content_hash(&v1::SyncOperation { queued_ms: 0, ..operation.clone() }.encode_to_vec())
}

impl Keeper {
    pub(super) fn submit(&mut self, submission: Submission, batch: &mut Batch) -> Result<(), StoreError> {
        if batch.step.touched.contains(name_of(&submission.operation)) {
            // Its item changes in this batch: judge by what it is then.
            self.end(std::mem::take(batch))?;
        }
        let Submission { operation, expected_version, request_id, is_dry_run, reply } = submission;
        let answer = self.judge_and_queue(operation, expected_version, request_id, is_dry_run, batch);
        batch.answers.push(Box::new(move || {
            reply.send(answer).ok();
        }));
        Ok(())
    }

    fn judge_and_queue(
        &mut self,
        operation: v1::SyncOperation,
        expected_version: u64,
        request_id: String,
        is_dry_run: bool,
        batch: &mut Batch,
    ) -> Result<v1::Resource, Refused> {
        if let Some(stopped) = self.protocol.stopped().filter(|_| !self.protocol.state().stopped_reason.is_empty()) {
            return Err(Refused::Stopped(stopped));
        }
        if let Some(known) = self.known(&request_id, &operation)? {
            return Ok(known);
        }
        if !is_dry_run {
            self.room_for_an_operation()?;
        }
        let name = name_of(&operation).to_owned();
        let operation = v1::SyncOperation { queued_ms: self.wall_ms(), ..operation };
        let limits = self.protocol.limits(&self.limits);
        let before = self.view(&name)?;
        let after = before.with(&operation, expected_version, &limits)?;
        let resource = after.resource();
        if is_dry_run {
            return Ok(resource);
        }
        if before.says_nothing_new(&after) {
            // The same waits already: repeats are merged, not piled up.
            self.recent.note(&request_id, &operation, &resource);
            return Ok(resource);
        }
        self.protocol.submit(operation.clone(), request_id.clone(), &mut batch.step)?;
        // A view that a dropped operation was part of is worked out anew with the batch.
        batch.viewed.insert(name.clone());
        self.views.insert(name, after);
        self.recent.note(&request_id, &operation, &resource);
        Ok(resource)
    }

    fn wall_ms(&self) -> i64 {
        i64::try_from(crate::clock::wall_ms()).unwrap_or(i64::MAX)
    }

    /// The answer to a request that was made before under this id: the resource of now, with the versions of then.
    fn known(&self, request_id: &str, operation: &v1::SyncOperation) -> Result<Option<v1::Resource>, Refused> {
        let Some(known) = self.recent.answers.get(request_id) else { return Ok(None) };
        if known.body != body(operation) {
            let message = format!("request_id `{request_id}` was used with another body");
            return Err(Rejection::new(Reason::RequestIdReused, "request_id", message).into());
        }
        let view = self.view(name_of(operation))?;
        if view.is_discovered() {
            // What was said then is all there is to show.
            return Ok(Some(view.with(operation, 0, &self.limits)?.resource()));
        }
        let mut resource = view.resource();
        if let (Some(Resource::Twin(twin)), Some((version, reported_version))) =
            (&mut resource.resource, known.versions)
        {
            twin.version = version;
            twin.reported.get_or_insert_default().version = reported_version;
        }
        Ok(Some(resource))
    }

    fn view(&self, name: &str) -> Result<View, Refused> {
        if let Some(view) = self.views.get(name) {
            return Ok(view.clone());
        }
        if self.damaged.contains(name) {
            return Err(StoreError::DamagedItem(name.to_owned()).into());
        }
        self.base_view(name)?.ok_or_else(|| Refused::NotHeld(name.to_owned()))
    }
}
