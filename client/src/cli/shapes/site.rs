//! A site as JSON, and sites as a tree.

use std::collections::BTreeMap;

use muster_client::names;
use muster_client::proto::Site;
use serde_json::{Map, Value};

use super::{document, put, time};

/// A site as `muster site get --output json` shows it.
pub(crate) fn to_json(site: &Site) -> Value {
    let mut object = Map::new();
    put(&mut object, "namespace", names::part(&site.name, "namespaces").unwrap_or_default());
    put(&mut object, "site", names::last(&site.name));
    put(&mut object, "etag", site.etag.as_str());
    put(&mut object, "version", site.version);
    put(&mut object, "displayName", site.display_name.as_str());
    put(&mut object, "description", site.description.as_str());
    put(&mut object, "parent", site.parent.as_str());
    put(&mut object, "edge", site.edge.as_str());
    put(&mut object, "attributes", document(&site.attributes_json));
    put(&mut object, "createTime", time(site.create_time.as_ref()));
    put(&mut object, "updateTime", time(site.update_time.as_ref()));
    Value::Object(object)
}

/// A site in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch<'a> {
    pub(crate) site: &'a Site,
    /// How many sites it lies within.
    pub(crate) depth: usize,
    /// The edge that serves what is here: its own, or that of the nearest site above which has one.
    pub(crate) served_by: &'a str,
}

/// Sites, each followed by those within it, in the order of ids. Sites whose parent is not among them stand at the top, so
/// that none is lost.
pub(crate) fn tree(sites: &[Site]) -> Vec<Branch<'_>> {
    let ids: BTreeMap<&str, &Site> = sites.iter().map(|site| (names::last(&site.name), site)).collect();
    let mut within: BTreeMap<&str, Vec<&Site>> = BTreeMap::new();
    // The last one that is pushed is the first one that is shown.
    for site in ids.values().rev() {
        let parent = if ids.contains_key(site.parent.as_str()) { site.parent.as_str() } else { "" };
        within.entry(parent).or_default().push(site);
    }
    let top = within.remove("").unwrap_or_default();
    let mut open: Vec<Branch<'_>> = top.into_iter().map(|site| Branch::below(None, site)).collect();
    let mut branches = Vec::with_capacity(ids.len());
    while let Some(branch) = open.pop() {
        let inside = within.remove(names::last(&branch.site.name)).unwrap_or_default();
        open.extend(inside.into_iter().map(|site| Branch::below(Some(&branch), site)));
        branches.push(branch);
    }
    branches
}

impl<'a> Branch<'a> {
    fn below(above: Option<&Self>, site: &'a Site) -> Self {
        let (depth, from_above) = above.map_or((0, ""), |above| (above.depth + 1, above.served_by));
        Self { site, depth, served_by: if site.edge.is_empty() { from_above } else { &site.edge } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(id: &str, parent: &str, edge: &str) -> Site {
        Site { name: names::site("n", id), parent: parent.to_owned(), edge: edge.to_owned(), ..Default::default() }
    }

    #[test]
    fn each_site_is_followed_by_those_within_it() {
        let sites = [
            site("b", "", ""),
            site("a-2", "a", "own"),
            site("a-1", "a", ""),
            site("a", "", "e1"),
            site("a-1-x", "a-1", ""),
            site("lost", "gone", ""),
        ];
        let branches = tree(&sites);
        let told: Vec<_> =
            branches.iter().map(|branch| (names::last(&branch.site.name), branch.depth, branch.served_by)).collect();
        let expected =
            [("a", 0, "e1"), ("a-1", 1, "e1"), ("a-1-x", 2, "e1"), ("a-2", 1, "own"), ("b", 0, ""), ("lost", 0, "")];
        assert_eq!(told, expected);
    }
}
