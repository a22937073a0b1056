//! What a plan demands of every row of its answer, if that is one text of a few at one path: who follows many queries at once asks
//! only those whose demand a changed row fulfils.

use super::{Expr, Path, Plan, Root};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// One of these texts lies at this path in every row that fulfils the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// In the row's own document.
    pub path: Vec<String>,
    /// Ordered, each once.
    pub texts: Vec<String>,
}

/// Texts of a demand at most: more are not worth remembering.
const TEXTS_MAX: usize = 64;

impl Plan {
    /// What every row of the answer fulfils; `None` when nothing of the kind follows from the filter.
    #[must_use]
    pub fn demand(&self) -> Option<Demand> {
        demand(self.filter.as_ref()?)
    }
}

fn demand(filter: &Expr) -> Option<Demand> {
    match filter {
        Expr::Compare(BinaryOp::Equal, left, right) => one(left, right).or_else(|| one(right, left)),
        Expr::In(path, constants) => {
            let path = own(path)?;
            let mut texts = Vec::new();
            for constant in constants {
                match &constant.0 {
                    Some(Value::String(text)) => texts.push(text.clone()),
                    // Equal to nothing, so no row comes in by it.
                    None => {}
                    Some(_) => return None,
                }
            }
            of(path, texts)
        }
        // Each part is demanded; the fewest texts tell most.
        Expr::And(parts) => parts.iter().filter_map(demand).min_by_key(|demand| demand.texts.len()),
        Expr::Or(parts) => {
            let mut demands = parts.iter().map(demand);
            let mut all = demands.next()??;
            for demand in demands {
                let demand = demand.filter(|demand| demand.path == all.path)?;
                all.texts.extend(demand.texts);
            }
            of(&all.path, all.texts)
        }
        _ => None,
    }
}

fn one(path: &Expr, constant: &Expr) -> Option<Demand> {
    match constant {
        Expr::Constant(constant) => match &constant.0 {
            Some(Value::String(text)) => of(own(path)?, vec![text.clone()]),
            _ => None,
        },
        _ => None,
    }
}

fn own(expr: &Expr) -> Option<&[String]> {
    match expr {
        Expr::Path(Path { root: Root::Row, names }) if !names.is_empty() => Some(names),
        _ => None,
    }
}

fn of(path: &[String], mut texts: Vec<String>) -> Option<Demand> {
    texts.sort_unstable();
    texts.dedup();
    (texts.len() <= TEXTS_MAX).then(|| Demand { path: path.to_vec(), texts })
}
