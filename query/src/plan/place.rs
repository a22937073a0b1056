//! Where a place is read from: its parts, so that columns of numbers tell it and no document has to be read.

use super::{Expr, Path, Root};

/// What `NEAR` and `WITHIN` look at.
#[derive(Debug, Clone, PartialEq)]
pub enum PlaceAt {
    /// A value that is the place.
    Value(Box<Expr>),
    /// The members of what lies at a path, in the order of [`PlaceAt::MEMBERS`].
    Members(Path, Box<[Expr; 6]>),
}

impl PlaceAt {
    /// The members of the three forms of a place.
    pub const MEMBERS: [&str; 6] = ["lat", "lon", "latitude", "longitude", "type", "coordinates"];

    /// What an expression gives.
    #[must_use]
    pub fn of(expr: Expr) -> Self {
        match expr {
            Expr::Path(path) if !matches!(path.root, Root::Variable(_)) => {
                let member = |name: &str| {
                    let names = path.names.iter().cloned().chain([name.to_owned()]).collect();
                    Expr::Path(Path { root: path.root, names })
                };
                let members = Box::new(Self::MEMBERS.map(member));
                Self::Members(path, members)
            }
            expr => Self::Value(Box::new(expr)),
        }
    }

    /// Calls `visit` with each expression that is read.
    pub(super) fn each_child<'e>(&'e self, visit: &mut impl FnMut(&'e Expr)) {
        match self {
            Self::Value(expr) => visit(expr),
            Self::Members(_, members) => members.iter().for_each(visit),
        }
    }
}
