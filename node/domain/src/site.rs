//! Sites: places, one inside of another, and the edge that serves what is at them. It knows neither devices nor assets:
//! those name their site, and a site is not told.
//!
//! - The hierarchy has no cycle and at most [`SITE_DEPTH_MAX`] levels.
//! - A site that has sites inside cannot be deleted. A device or asset may go on naming a site that is gone: it then has
//!   no edge by its site. So may a site name an edge that is gone, until one of that id is created again.

use std::sync::Arc;

use crate::decide::{check_etag, living};
use crate::limits::{DESCRIPTION_CHARS_MAX, SITE_DEPTH_MAX, TEXT_CHARS_MAX};
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};
use crate::{attributes, edge, ids, namespace, text};

/// Sites that are looked through when one moves with all that are inside of it.
const SITES_LOOKED_AT_MAX: usize = 100_000;

/// What the back end says of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteDefinition {
    /// At most 256 characters.
    pub display_name: String,
    /// At most 1,024 characters.
    pub description: String,
    /// The site it is inside of, by its id in the same namespace; empty: none.
    pub parent: String,
    /// The edge that serves what is here, by its id in the same namespace; empty: that of the site above.
    pub edge: String,
    /// JSON object as text; at most 8 KiB. Empty means `{}`.
    pub attributes: String,
}

/// A field of [`SiteDefinition`] that an update may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SiteField {
    /// `display_name`
    DisplayName,
    /// `description`
    Description,
    /// `parent`
    Parent,
    /// `edge`
    Edge,
    /// `attributes_json`
    Attributes,
}

impl SiteField {
    /// All of them, with their names in an update mask.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::DisplayName, "display_name"),
        (Self::Description, "description"),
        (Self::Parent, "parent"),
        (Self::Edge, "edge"),
        (Self::Attributes, "attributes_json"),
    ];
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// What the back end says of it.
    pub definition: SiteDefinition,
    /// Grows by one with each change.
    pub version: u64,
}

/// Decides operations on sites.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateSite { namespace, site, definition } => create(states, namespace, site, definition, at),
        Operation::UpdateSite { namespace, site, definition, fields, etag } => {
            let found = Found::new(states, namespace, site, etag.as_deref())?;
            found.update(states, definition, fields, at)
        }
        Operation::DeleteSite { namespace, site, etag } => {
            let found = Found::new(states, namespace, site, etag.as_deref())?;
            found.check_empty(states)?;
            Ok(vec![deletion(found.key, &found.record, at)])
        }
        _ => Ok(Vec::new()),
    }
}

/// The end of a site, whatever is inside of it.
pub(crate) fn deletion(key: Key, record: &Record, at: At) -> Change {
    Change::new(key, EventKind::SiteDeleted, Some(record), at)
}

/// The edge that serves a site: its own, or that of the nearest site upwards that has one.
pub(crate) fn edge_of(states: &dyn States, namespace: &str, site: &str) -> Option<String> {
    upwards(states, namespace, site).find_map(|(_, site)| match &site.body {
        Body::Site(site) => Some(site.definition.edge.clone()).filter(|edge| !edge.is_empty()),
        _ => None,
    })
}

/// Refuses the id of a site that does not exist; none is fine.
pub(crate) fn check_exists(states: &dyn States, namespace: &str, site: &str, field: &str) -> Result<(), Rejection> {
    let key = key(namespace, site);
    if site.is_empty() || living(states, &key).is_some() {
        return Ok(());
    }
    Err(Rejection::new(Reason::ParentNotFound, field, format!("{key} does not exist")))
}

fn key(namespace: &str, site: &str) -> Key {
    Key::Site(namespace.to_owned(), site.to_owned())
}

/// A site and those above it, nearest first, with their ids.
fn upwards<'a>(
    states: &'a dyn States,
    namespace: &'a str,
    site: &str,
) -> impl Iterator<Item = (String, Arc<Record>)> + 'a {
    let mut next = site.to_owned();
    let climb = move || {
        let record = if next.is_empty() { None } else { living(states, &key(namespace, &next)) }?;
        let above = match &record.body {
            Body::Site(site) => site.definition.parent.clone(),
            _ => String::new(),
        };
        Some((std::mem::replace(&mut next, above), record))
    };
    // Deeper it cannot be; the bound only keeps a damaged store from turning this into an endless loop.
    std::iter::from_fn(climb).take(SITE_DEPTH_MAX)
}

fn create(
    states: &dyn States,
    namespace: &str,
    site: &str,
    definition: &SiteDefinition,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    ids::check_site("site_id", site)?;
    namespace::check_open(states, namespace)?;
    let key = key(namespace, site);
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("site_id", key));
    }
    let definition = checked(definition.clone())?;
    edge::check_exists(states, namespace, &definition.edge, "site.edge")?;
    check_parent(states, namespace, site, &definition.parent)?;
    Ok(vec![Change::new(key, EventKind::SiteCreated(definition), before.as_deref(), at)])
}

/// A site that exists and has the etag that was asked for.
struct Found<'a> {
    namespace: &'a str,
    id: &'a str,
    key: Key,
    record: Arc<Record>,
}

impl<'a> Found<'a> {
    fn new(states: &dyn States, namespace: &'a str, id: &'a str, etag: Option<&str>) -> Result<Self, Rejection> {
        let key = key(namespace, id);
        let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
        check_etag(etag, &record)?;
        Ok(Self { namespace, id, key, record })
    }

    fn update(
        &self,
        states: &dyn States,
        new: &SiteDefinition,
        fields: &[SiteField],
        at: At,
    ) -> Result<Vec<Change>, Rejection> {
        let Body::Site(Site { definition: current, .. }) = &self.record.body else {
            return Err(Rejection::not_found(&self.key));
        };
        let definition = checked(merged(current, new, fields))?;
        if definition.edge != current.edge {
            edge::check_exists(states, self.namespace, &definition.edge, "site.edge")?;
        }
        if definition.parent != current.parent {
            check_parent(states, self.namespace, self.id, &definition.parent)?;
        }
        Ok(vec![Change::new(self.key.clone(), EventKind::SiteUpdated(definition), Some(&self.record), at)])
    }

    /// Refuses while sites are inside; names one of them.
    fn check_empty(&self, states: &dyn States) -> Result<(), Rejection> {
        match states.sites_of(self.namespace, self.id, 1).first() {
            None => Ok(()),
            Some(inside) => {
                let message =
                    format!("{inside} and perhaps others are inside of {}: delete or move them first", self.key);
                Err(Rejection::new(Reason::SiteHasSites, "name", message))
            }
        }
    }
}

fn merged(current: &SiteDefinition, new: &SiteDefinition, fields: &[SiteField]) -> SiteDefinition {
    let mut merged = current.clone();
    for field in fields {
        match field {
            SiteField::DisplayName => merged.display_name.clone_from(&new.display_name),
            SiteField::Description => merged.description.clone_from(&new.description),
            SiteField::Parent => merged.parent.clone_from(&new.parent),
            SiteField::Edge => merged.edge.clone_from(&new.edge),
            SiteField::Attributes => merged.attributes.clone_from(&new.attributes),
        }
    }
    merged
}

fn checked(mut definition: SiteDefinition) -> Result<SiteDefinition, Rejection> {
    let within = |refusal: Rejection| refusal.within("site");
    text::check_chars("display_name", &definition.display_name, TEXT_CHARS_MAX).map_err(within)?;
    text::check_chars("description", &definition.description, DESCRIPTION_CHARS_MAX).map_err(within)?;
    definition.attributes = attributes::normalized("attributes_json", &definition.attributes).map_err(within)?;
    Ok(definition)
}

/// `parent` must exist, must not be inside of `site`, and must leave room for `site` with all that is inside of it.
fn check_parent(states: &dyn States, namespace: &str, site: &str, parent: &str) -> Result<(), Rejection> {
    const FIELD: &str = "site.parent";
    check_exists(states, namespace, parent, FIELD)?;
    let above: Vec<String> = upwards(states, namespace, parent).map(|(id, _)| id).collect();
    if above.iter().any(|id| id == site) {
        let message = format!(
            "{} is inside of {}, and nothing can be inside of itself",
            key(namespace, parent),
            key(namespace, site)
        );
        return Err(Rejection::new(Reason::InvalidField, FIELD, message));
    }
    if !has_at_most(SITE_DEPTH_MAX - above.len(), states, namespace, site)? {
        let message =
            format!("sites may lie at most {SITE_DEPTH_MAX} levels deep, and with this parent some would lie deeper");
        return Err(Rejection::new(Reason::InvalidField, FIELD, message));
    }
    Ok(())
}

/// Whether `site` and what is inside of it make at most `levels` levels.
fn has_at_most(levels: usize, states: &dyn States, namespace: &str, site: &str) -> Result<bool, Rejection> {
    let mut level = vec![site.to_owned()];
    let mut left = SITES_LOOKED_AT_MAX;
    for _ in 0..levels {
        let mut below = Vec::new();
        for site in &level {
            let inside = states.sites_of(namespace, site, left + 1);
            let Some(rest) = left.checked_sub(inside.len()) else {
                let message = format!("more than {SITES_LOOKED_AT_MAX} sites are inside: move them in parts");
                return Err(Rejection::new(Reason::TooMany, "site.parent", message));
            };
            left = rest;
            below.extend(inside.into_iter().filter_map(|key| match key {
                Key::Site(_, site) => Some(site),
                _ => None,
            }));
        }
        if below.is_empty() {
            return Ok(true);
        }
        level = below;
    }
    Ok(false)
}
