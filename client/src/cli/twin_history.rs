//! `muster twin history`: who changed what in a twin, and when, member by member.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::{StreamExt, TryStreamExt};
use muster_client::proto::get_at_response::Resource;
use muster_client::{Code, proto};
use serde_json::{Value, json};

use crate::args::{Format, ListFlags};
use crate::output::{self, printable};
use crate::session::Session;
use crate::shapes::{document, time};

/// Every member of a twin by its path.
type Flat = BTreeMap<String, Value>;

/// One member that is another one than before.
#[derive(Debug, PartialEq)]
struct Changed {
    path: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// Prints the changes of a twin in the order of revisions.
pub(crate) async fn run(session: &Session, name: String, from: u64, to: u64, list: &ListFlags) -> anyhow::Result<()> {
    let request = proto::ListEventsRequest {
        resource: name.clone(),
        from_revision: from,
        to_revision: to,
        kinds: vec!["twin.*".to_owned()],
        page_size: list.page_size(),
        read: session.read,
        ..Default::default()
    };
    let mut events = pin!(session.client.history().list_all(request).take(list.bound()));
    let mut before: Option<Flat> = None;
    while let Some(event) = events.try_next().await? {
        let old = match before.take() {
            Some(old) => old,
            None => at(session, &name, event.revision - 1).await?,
        };
        let new = at(session, &name, event.revision).await?;
        print(session.format, &event, &changes(&old, &new))?;
        before = Some(new);
    }
    Ok(())
}

/// The twin as of a revision; nothing when it was not there, or when that cannot be told any more.
async fn at(session: &Session, name: &str, revision: u64) -> anyhow::Result<Flat> {
    if revision == 0 {
        return Ok(Flat::new());
    }
    let request = proto::GetAtRequest { name: name.to_owned(), revision, read: session.read };
    let found = match session.client.history().get_at(request).await {
        Ok(found) => found,
        Err(error) if matches!(error.code(), Code::NotFound | Code::OutOfRange) => return Ok(Flat::new()),
        Err(error) => return Err(error.into()),
    };
    let mut flat = Flat::new();
    if let Some(Resource::Twin(twin)) = found.resource {
        for (section, found) in [("tags", twin.tags), ("desired", twin.desired), ("reported", twin.reported)] {
            flatten(section.to_owned(), document(&found.unwrap_or_default().json), &mut flat);
        }
    }
    Ok(flat)
}

fn flatten(path: String, value: Value, out: &mut Flat) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(format!("{path}.{name}"), value, out);
            }
        }
        other => drop(out.insert(path, other)),
    }
}

fn changes(before: &Flat, after: &Flat) -> Vec<Changed> {
    let mut paths: Vec<&String> =
        before.keys().chain(after.keys().filter(|path| !before.contains_key(*path))).collect();
    paths.sort_unstable();
    let differs = |path: &&String| before.get(*path) != after.get(*path);
    let changed = |path: &String| Changed {
        path: path.clone(),
        before: before.get(path).cloned(),
        after: after.get(path).cloned(),
    };
    paths.into_iter().filter(differs).map(changed).collect()
}

fn print(format: Format, event: &proto::Event, changes: &[Changed]) -> anyhow::Result<()> {
    if format == Format::Json {
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| json!({ "path": change.path, "before": change.before, "after": change.after }))
            .collect();
        let line = json!({
            "revision": event.revision, "time": time(event.time.as_ref()), "kind": event.kind, "actor": event.actor,
            "origin": event.origin, "changes": changes,
        });
        return Ok(output::line(&line.to_string())?);
    }
    let at = event.time.as_ref().map(ToString::to_string).unwrap_or_default();
    output::line(&printable(&format!("{:<9} {at:<24} {:<13} by {}", event.revision, event.kind, event.actor)))?;
    for Changed { path, before, after } in changes {
        let line = match (before, after) {
            (Some(before), Some(after)) => format!("  ~ {path}: {before} -> {after}"),
            (None, Some(after)) => format!("  + {path}: {after}"),
            (Some(before), None) => format!("  - {path}: {before}"),
            (None, None) => continue,
        };
        output::line(&printable(&line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(json: Value) -> Flat {
        let mut out = Flat::new();
        flatten("desired".to_owned(), json, &mut out);
        out
    }

    #[test]
    fn members_that_came_went_and_changed_are_told_by_their_paths() {
        let (before, after) =
            (flat(json!({ "a": 1, "b": { "c": 2, "d": 3 } })), flat(json!({ "a": 1, "b": { "c": 5 }, "e": [] })));
        let told: Vec<String> =
            changes(&before, &after).iter().map(|c| format!("{} {:?} {:?}", c.path, c.before, c.after)).collect();
        assert_eq!(
            told,
            [
                "desired.b.c Some(Number(2)) Some(Number(5))",
                "desired.b.d Some(Number(3)) None",
                "desired.e None Some(Array [])"
            ]
        );
    }
}
