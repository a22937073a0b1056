//! What can be asked: collections, the members of their documents, and relations between them. Plain values; what a device
//! is stays with those who fill them in.

/// All collections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// In the order in which they are listed to people.
    pub collections: Vec<Collection>,
}

/// One collection: rows that are JSON documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// As in `FROM`, in lower case: `devices`, `devices.modules`.
    pub name: &'static str,
    /// The members that make a row's id, in its order. All are strings. Joined with `/` they are the id of the row.
    pub id: &'static [&'static str],
    /// Members of the first level; a query that names another one is refused. Includes those of `id`.
    pub members: &'static [&'static str],
    /// Names that stand for longer paths at the beginning of a path: `desired` for `properties`, `desired`.
    pub shortcuts: &'static [(&'static str, &'static [&'static str])],
    /// What can be joined.
    pub relations: &'static [Relation],
    /// Paths that lie in whole documents but in no column; all below them too.
    pub documents_only: Vec<&'static [&'static str]>,
}

/// Each row has at most one row of another collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// As in `JOIN`, and the member that the other row becomes.
    pub name: &'static str,
    /// The other collection.
    pub collection: &'static str,
    /// Where the id of the other row lies.
    pub key: &'static [&'static str],
}

impl Collection {
    /// Whether only whole documents tell what lies at `path`: it is, or lies below, one of `documents_only`.
    #[must_use]
    pub fn is_documents_only(&self, path: &[String]) -> bool {
        self.documents_only.iter().any(|known| known.len() <= path.len() && known.iter().zip(path).all(|(a, b)| a == b))
    }
}

impl Schema {
    /// The collection of a name, without regard to case.
    #[must_use]
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name.eq_ignore_ascii_case(name))
    }
}
