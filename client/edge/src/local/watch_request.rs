//! What a watch at the edge asks for, and which changes it lets through.
//!
//! - Kinds are the edge's own: `device.synced`, `twin.removed` and so on. An edge knows what a resource became, not through
//!   which events.

use std::time::Duration;

use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::{ResourceType, TwinSection};
use tonic::Status;

use super::refusal::{of_the_cluster, rejected};
use crate::published::Changed;

const WATCHES_MAX: usize = 64;
const INTERVAL_DEFAULT_MS: u32 = 5_000;
const INTERVAL_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;

/// One watch, checked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) spec: v1::WatchSpec,
}

pub(super) fn interval(milliseconds: u32) -> Result<Duration, Status> {
    let wanted = if milliseconds == 0 { INTERVAL_DEFAULT_MS } else { milliseconds };
    if INTERVAL_MS.contains(&wanted) {
        return Ok(Duration::from_millis(wanted.into()));
    }
    let message = format!("progress_interval_ms must be 100 to 3600000 milliseconds, is {milliseconds}");
    Err(rejected(&Rejection::new(Reason::InvalidField, "progress_interval_ms", message)))
}

pub(super) fn watches(specs: Vec<v1::WatchSpec>) -> Result<Vec<Asked>, Status> {
    if !(1..=WATCHES_MAX).contains(&specs.len()) {
        let message = format!("watches must hold 1 to {WATCHES_MAX} elements, holds {}", specs.len());
        return Err(rejected(&Rejection::new(Reason::TooMany, "watches", message)));
    }
    let ids: std::collections::BTreeSet<u64> = specs.iter().map(|spec| spec.id).collect();
    if ids.len() < specs.len() {
        let message = "watches have ids that differ";
        return Err(rejected(&Rejection::new(Reason::InvalidField, "watches", message)));
    }
    specs.into_iter().map(check).collect()
}

fn check(spec: v1::WatchSpec) -> Result<Asked, Status> {
    if !spec.cursor.is_empty() {
        return Err(of_the_cluster("a watch from a cursor"));
    }
    if !spec.actor.is_empty() {
        return Err(of_the_cluster("a watch of an actor"));
    }
    if spec.list_first && spec.from_revision != 0 {
        let message = "list_first cannot be given together with from_revision: both say where the watch begins";
        return Err(rejected(&Rejection::new(Reason::InvalidField, "list_first", message)));
    }
    let is_named = spec.resource.is_empty() || spec.resource_is_prefix || Key::parse(&spec.resource).is_some();
    if !is_named {
        let message = "resource must be the name of a resource, or empty";
        return Err(rejected(&Rejection::new(Reason::InvalidField, "resource", message)));
    }
    Ok(Asked { spec })
}

impl Asked {
    /// Whether the name is in the scope of the watch, and its kind of resource wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        let resource = self.spec.resource.as_str();
        let in_scope = resource.is_empty()
            || name == resource
            || (self.spec.resource_is_prefix && name.starts_with(resource))
            || (matches!(Key::parse(resource), Some(Key::Namespace(_))) && name.starts_with(&format!("{resource}/")));
        let type_of = type_of(name);
        let types = &self.spec.types;
        in_scope && (types.is_empty() || types.iter().any(|wanted| *wanted == i32::from(type_of)))
    }

    /// Whether the change is wanted too.
    pub(super) fn wants_change(&self, changed: &Changed, kind: &str) -> bool {
        let kinds = &self.spec.kinds;
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(family) => kind.starts_with(family),
            None => pattern == kind,
        };
        self.wants(&changed.name) && (kinds.is_empty() || kinds.iter().any(fits)) && self.may_concern_sections(changed)
    }

    /// Only a change that surely left the sections alone is kept back.
    fn may_concern_sections(&self, changed: &Changed) -> bool {
        let mut wanted: Vec<i32> = self.spec.sections.clone();
        wanted.extend(match self.spec.path.split('.').next() {
            Some("tags") => Some(i32::from(TwinSection::Tags)),
            Some("desired") => Some(i32::from(TwinSection::Desired)),
            Some("reported") => Some(i32::from(TwinSection::Reported)),
            _ => None,
        });
        let (Some(before), Some(after)) = (twin(&changed.before), twin(&changed.after)) else { return true };
        wanted.is_empty()
            || wanted.iter().any(|section| section_version(before, *section) != section_version(after, *section))
    }
}

fn twin(resource: &Option<v1::Resource>) -> Option<&v1::Twin> {
    match resource.as_ref()?.resource.as_ref()? {
        Resource::Twin(twin) => Some(twin),
        _ => None,
    }
}

fn section_version(twin: &v1::Twin, section: i32) -> u64 {
    let document = match TwinSection::try_from(section) {
        Ok(TwinSection::Tags) => &twin.tags,
        Ok(TwinSection::Desired) => &twin.desired,
        Ok(TwinSection::Reported) => &twin.reported,
        Ok(TwinSection::Unspecified) | Err(_) => return twin.version,
    };
    document.as_ref().map_or(0, |document| document.version)
}

fn type_of(name: &str) -> ResourceType {
    match Key::parse(name) {
        Some(Key::Device(..)) => ResourceType::Device,
        Some(Key::Module(..)) => ResourceType::Module,
        Some(Key::DeviceTwin(..) | Key::ModuleTwin(..)) => ResourceType::Twin,
        Some(Key::Asset(..)) => ResourceType::Asset,
        _ => ResourceType::Unspecified,
    }
}

/// What is said of a change.
pub(super) fn kind(changed: &Changed) -> String {
    let noun = match type_of(&changed.name) {
        ResourceType::Device => "device",
        ResourceType::Module => "module",
        ResourceType::Twin => "twin",
        ResourceType::Asset => "asset",
        _ => "resource",
    };
    format!("{noun}.{}", if changed.after.is_some() { "synced" } else { "removed" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(spec: v1::WatchSpec) -> Asked {
        check(spec).expect("a watch")
    }

    fn changed(name: &str, desired: Option<(u64, u64)>) -> Changed {
        let twin = |version| {
            let section = v1::SectionDocument { version, ..v1::SectionDocument::default() };
            let twin = v1::Twin { desired: Some(section), ..v1::Twin::default() };
            v1::Resource { resource: Some(Resource::Twin(twin)) }
        };
        let (before, after) = desired.map_or((None, None), |(before, after)| (Some(twin(before)), Some(twin(after))));
        Changed { name: name.to_owned(), revision: 1, before, after }
    }

    #[test]
    fn filters_agree_as_at_the_cluster() {
        let name = "namespaces/plant1/devices/pump7/twin";
        let spec = |resource: &str| v1::WatchSpec { resource: resource.to_owned(), ..v1::WatchSpec::default() };
        assert!(
            asked(spec("")).wants(name)
                && asked(spec("namespaces/plant1")).wants(name)
                && asked(spec(name)).wants(name)
        );
        assert!(!asked(spec("namespaces/plant2")).wants(name) && !asked(spec("namespaces/plant")).wants(name));
        let prefix = v1::WatchSpec { resource_is_prefix: true, ..spec("namespaces/plant1/devices/pu") };
        assert!(asked(prefix).wants(name));
        let devices = v1::WatchSpec { types: vec![ResourceType::Device.into()], ..spec("") };
        assert!(!asked(devices).wants(name));
    }

    #[test]
    fn changes_of_other_sections_and_kinds_are_kept_back() {
        let name = "namespaces/plant1/devices/pump7/twin";
        let by = |spec| {
            let watch = asked(spec);
            move |desired| {
                let changed = changed(name, desired);
                watch.wants_change(&changed, &kind(&changed))
            }
        };
        let desired = by(v1::WatchSpec { path: "desired.fw".to_owned(), ..v1::WatchSpec::default() });
        assert!(desired(Some((1, 2))) && !desired(Some((2, 2))) && desired(None));
        let removed = by(v1::WatchSpec { kinds: vec!["twin.removed".to_owned()], ..v1::WatchSpec::default() });
        assert!(removed(None) && !removed(Some((1, 2))));
        let family = by(v1::WatchSpec { kinds: vec!["twin.*".to_owned()], ..v1::WatchSpec::default() });
        assert!(family(None) && family(Some((1, 2))));
    }

    #[test]
    fn what_only_the_cluster_knows_is_said_to_be_its() {
        for spec in [
            v1::WatchSpec { cursor: "cursors/a".to_owned(), ..v1::WatchSpec::default() },
            v1::WatchSpec { actor: "user:a".to_owned(), ..v1::WatchSpec::default() },
        ] {
            assert_eq!(check(spec).expect_err("the cluster's").code(), tonic::Code::Unimplemented);
        }
    }
}
