//! A dry run of an IoT Hub file: each line is checked by the server and compared with what is there. Nothing changes.

use std::collections::HashSet;
use std::io::BufRead;

use futures::stream::{StreamExt, TryStreamExt, iter};
use indicatif::ProgressBar;
use muster_client::{CallError, Code, names, proto};
use proto::{ImportDevice, ImportMode};
use serde_json::{Map, Value, json};

use super::batches::{Batches, call};
use super::diff::{self, Action, Difference};
use super::entry::Entry;
use super::refusals::{ErrorFile, Refusal};
use crate::session::Session;
use crate::shapes::{authentication, device, document, put};

/// Reads at once.
const READS_MAX: usize = 16;

/// What would come of a file.
#[derive(Debug, Default)]
pub(crate) struct Forecast {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
    pub(crate) unchanged: u64,
}

impl Forecast {
    pub(crate) fn count(&mut self, action: Action) {
        match action {
            Action::Create => self.created += 1,
            Action::Update => self.updated += 1,
            Action::Delete => self.deleted += 1,
            Action::Unchanged => self.unchanged += 1,
        }
    }
}

/// Runs a file dry. `exists` says whether the namespace is there; without it everything is new and nothing can be checked.
pub(crate) async fn run<R: BufRead>(
    session: &Session,
    parent: &str,
    batches: &mut Batches<R>,
    errors: &mut ErrorFile,
    bar: &ProgressBar,
    exists: bool,
    forecast: &mut Forecast,
) -> anyhow::Result<()> {
    // Lines may build on earlier ones: a module on its device, an update on a create.
    let mut made: HashSet<String> = HashSet::new();
    while let Some(mut batch) = batches.next(|_| false)? {
        let lines = batch.last - batch.first + 1;
        let mut refusals = std::mem::take(&mut batch.refusals);
        let plans: Vec<(u64, String, Plan)> = if exists {
            iter(batch.entries.iter().cloned())
                .map(|entry| async move {
                    Ok::<_, CallError>((entry.line, entry.id(), plan(session, parent, &entry).await?))
                })
                .buffered(READS_MAX)
                .try_collect()
                .await?
        } else {
            batch.entries.iter().map(|entry| (entry.line, entry.id(), planned(&entry.import, None))).collect()
        };
        if exists && !batch.entries.is_empty() {
            for refusal in call(&session.client, parent.to_owned(), String::new(), &mut batch.entries, true).await? {
                let device = refusal.id.split('/').next().unwrap_or_default();
                let builds_on_earlier =
                    matches!(refusal.reason.as_str(), "NOT_FOUND" | "PARENT_NOT_FOUND") && made.contains(device);
                if !builds_on_earlier {
                    refusals.push(refusal);
                }
            }
        }
        refusals.sort_by_key(|refusal| refusal.line);
        for (line, id, plan) in plans {
            if refusals.iter().any(|refusal| refusal.line == line) {
                continue;
            }
            if plan.action == Action::Create {
                made.insert(id.split('/').next().unwrap_or_default().to_owned());
            }
            bar.suspend(|| diff::print(session.format, plan.action, &format!("device {id}"), &plan.differences))?;
            forecast.count(plan.action);
        }
        errors.add(&refusals)?;
        bar.inc(lines);
    }
    Ok(())
}

struct Plan {
    action: Action,
    differences: Vec<Difference>,
}

/// What is there now.
struct Current {
    identity: Value,
    twin: Option<proto::Twin>,
}

async fn plan(session: &Session, parent: &str, entry: &Entry) -> Result<Plan, CallError> {
    let namespace = names::last(parent);
    let import = &entry.import;
    let identity = if import.module_id.is_empty() {
        let name = names::device(namespace, &import.device_id);
        let request = proto::GetDeviceRequest { name, read: session.read };
        found(session.client.devices().get(request).await)?.and_then(|answer| answer.device).map(|device| {
            let authentication = device.authentication.clone();
            identity(&device, authentication.as_ref(), "")
        })
    } else {
        let name = names::module(namespace, &import.device_id, &import.module_id);
        let request = proto::GetModuleRequest { name, read: session.read };
        found(session.client.modules().get(request).await)?
            .and_then(|answer| answer.module)
            .map(|module| module_identity(module.authentication.as_ref(), &module.managed_by))
    };
    let Some(identity) = identity else { return Ok(planned(import, None)) };
    let module = Some(import.module_id.as_str()).filter(|module| !module.is_empty());
    let name = match module {
        Some(module) => names::module_twin(namespace, &import.device_id, module),
        None => names::twin(namespace, &import.device_id),
    };
    let request = proto::GetTwinRequest { name, omit_metadata: true, read: session.read, ..Default::default() };
    let twin = found(session.client.twins().get(request).await)?.and_then(|answer| answer.twin);
    Ok(planned(import, Some(Current { identity, twin })))
}

/// Not there is an answer, not a failure.
pub(crate) fn found<T>(result: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match result {
        Ok(found) => Ok(Some(found)),
        // An id that could not exist is refused when the entry is checked, with its line.
        Err(error) if matches!(error.code(), Code::NotFound | Code::InvalidArgument) => Ok(None),
        Err(error) => Err(error),
    }
}

fn planned(import: &ImportDevice, current: Option<Current>) -> Plan {
    let deletes = matches!(import.mode(), ImportMode::Delete | ImportMode::DeleteIfMatchEtag);
    let twin_only = matches!(import.mode(), ImportMode::UpdateTwin | ImportMode::UpdateTwinIfMatchEtag);
    match (deletes, &current) {
        (true, Some(_)) => return Plan { action: Action::Delete, differences: Vec::new() },
        (true, None) => return Plan { action: Action::Unchanged, differences: Vec::new() },
        (false, _) => {}
    }
    let mut from = Map::new();
    let mut to = Map::new();
    if !twin_only {
        let device = import.device.clone().unwrap_or_default();
        let authentication = device.authentication.as_ref();
        let new = if import.module_id.is_empty() {
            identity(
                &device,
                authentication,
                current.as_ref().map_or("", |current| text(&current.identity, "deviceScope")),
            )
        } else {
            module_identity(authentication, &import.managed_by)
        };
        to.extend(new.as_object().cloned().unwrap_or_default());
        // What IoT Hub's format has no word for stays when a line does not say it.
        for name in ["edge", "site"] {
            let kept = current.as_ref().map_or("", |current| text(&current.identity, name));
            put(&mut to, name, Some(text(&new, name)).filter(|said| !said.is_empty()).unwrap_or(kept));
        }
        from.extend(current.as_ref().and_then(|current| current.identity.as_object().cloned()).unwrap_or_default());
    }
    let twin = current.as_ref().and_then(|current| current.twin.as_ref());
    for (name, given, now) in [
        ("tags", &import.tags_json, twin.and_then(|twin| twin.tags.as_ref())),
        ("desired", &import.desired_json, twin.and_then(|twin| twin.desired.as_ref())),
        ("reported", &import.reported_json, twin.and_then(|twin| twin.reported.as_ref())),
    ] {
        if let Some(given) = given {
            put(&mut to, name, without_metadata(document(given)));
            put(&mut from, name, now.map_or(Value::Null, |section| document(&section.json)));
        }
    }
    let differences = diff::compare(&Value::Object(from), &Value::Object(to));
    let action = match (&current, differences.is_empty()) {
        (None, _) => Action::Create,
        (Some(_), true) => Action::Unchanged,
        (Some(_), false) => Action::Update,
    };
    Plan { action, differences }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// What a line says of a device, without keys. An edge device's scope is the server's, so the current one stands in for one
/// that is not given.
fn identity(device: &proto::Device, authentication: Option<&proto::Authentication>, current_scope: &str) -> Value {
    let mut object = module_identity(authentication, "").as_object().cloned().unwrap_or_default();
    put(&mut object, "status", device::status_name(device.status()));
    put(&mut object, "statusReason", device.status_reason.as_str());
    put(&mut object, "capabilities", json!({"iotEdge": device.iot_edge}));
    let scope = if device.device_scope.is_empty() && device.iot_edge { current_scope } else { &device.device_scope };
    put(&mut object, "deviceScope", scope);
    put(&mut object, "parentScopes", device.parent_scopes.clone());
    put(&mut object, "edge", device.edge.as_str());
    put(&mut object, "site", device.site.as_str());
    let mut registry = device::registry_to_json(device);
    if let Value::Object(members) = &mut registry {
        // Made once and never changed.
        members.remove("uuid");
    }
    put(&mut object, "deviceRegistry", registry);
    Value::Object(object)
}

fn module_identity(authentication: Option<&proto::Authentication>, managed_by: &str) -> Value {
    let shown = authentication::to_json(authentication);
    let mut object = Map::new();
    put(&mut object, "authentication", json!({"type": shown["type"], "x509Thumbprint": shown["x509Thumbprint"]}));
    put(&mut object, "managedBy", managed_by);
    Value::Object(object)
}

fn without_metadata(mut section: Value) -> Value {
    if let Value::Object(members) = &mut section {
        members.remove("$metadata");
        members.remove("$version");
    }
    section
}

/// A refusal of an entry that was checked alone.
pub(crate) fn refusal(line: u64, id: &str, error: &CallError) -> Refusal {
    Refusal::of_call(line, id.to_owned(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(mode: ImportMode, tags: &str) -> ImportDevice {
        ImportDevice {
            mode: mode.into(),
            device_id: "pump7".to_owned(),
            device: Some(proto::Device { status_reason: "worn".to_owned(), ..Default::default() }),
            tags_json: Some(tags.to_owned()),
            ..Default::default()
        }
    }

    fn current(tags: &str) -> Option<Current> {
        let section = proto::SectionDocument { json: tags.to_owned(), ..Default::default() };
        let twin = proto::Twin { tags: Some(section), ..Default::default() };
        Some(Current { identity: identity(&proto::Device::default(), None, ""), twin: Some(twin) })
    }

    #[test]
    fn plans_follow_the_mode_and_what_is_there() {
        let plan = planned(&import(ImportMode::CreateOrUpdate, r#"{"site":"ams"}"#), None);
        assert_eq!(plan.action, Action::Create);
        let plan = planned(&import(ImportMode::CreateOrUpdate, r#"{"site":"ams"}"#), current(r#"{"site":"sea"}"#));
        let paths: Vec<&str> = plan.differences.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!((plan.action, paths), (Action::Update, vec!["statusReason", "tags.site"]));
        let plan =
            planned(&import(ImportMode::UpdateTwin, r#"{"site":"sea","$version":4}"#), current(r#"{"site":"sea"}"#));
        assert_eq!(plan.action, Action::Unchanged);
        assert_eq!(planned(&import(ImportMode::Delete, "{}"), current("{}")).action, Action::Delete);
    }
}
