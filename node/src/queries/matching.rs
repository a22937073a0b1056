//! Which live answers a change may concern: one index for all live queries of a collection.
//!
//! It knows rows and demands, no answers and nobody who follows. Invariant: a live query that a changed row may enter, change in or
//! leave is always named; others may be named too.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use muster_query::column::{Cell, Lookup, Row, Snapshot};
use muster_query::plan::{Demand, Plan};

use crate::views::SCHEMA;

/// The number of a live query in its collection.
pub(super) type Number = u64;

/// The index.
#[derive(Default)]
pub(super) struct Matching {
    /// By path, then by text there.
    demands: HashMap<Vec<String>, HashMap<String, BTreeSet<Number>>>,
    /// Those that demand nothing that is indexed: any row may be theirs.
    open: BTreeSet<Number>,
    /// By the id of a row those whose answer it is in.
    holders: HashMap<Arc<str>, BTreeSet<Number>>,
}

impl Matching {
    /// Takes in a query.
    pub(super) fn add(&mut self, number: Number, plan: &Plan) {
        match indexed(plan) {
            Some(Demand { path, texts }) => {
                let by_text = self.demands.entry(path).or_default();
                for text in texts {
                    by_text.entry(text).or_default().insert(number);
                }
            }
            None => drop(self.open.insert(number)),
        }
    }

    /// Forgets a query and the rows that it held.
    pub(super) fn remove<'r>(&mut self, number: Number, plan: &Plan, rows: impl IntoIterator<Item = &'r Arc<str>>) {
        match indexed(plan) {
            Some(Demand { path, texts }) => {
                if let Some(by_text) = self.demands.get_mut(&path) {
                    for text in &texts {
                        take(by_text, text, number);
                    }
                    if by_text.is_empty() {
                        self.demands.remove(&path);
                    }
                }
            }
            None => drop(self.open.remove(&number)),
        }
        for id in rows {
            take(&mut self.holders, id, number);
        }
    }

    /// Notes whether a row is in the answer of a query now.
    pub(super) fn note(&mut self, number: Number, id: &Arc<str>, is_in: bool) {
        if is_in {
            self.holders.entry(Arc::clone(id)).or_default().insert(number);
        } else {
            take(&mut self.holders, id, number);
        }
    }

    /// The queries that changed rows may concern, each with the ids of these rows, ordered as given.
    pub(super) fn concerned(&self, snapshot: &Snapshot, ids: &[String]) -> BTreeMap<Number, Vec<String>> {
        let places: Vec<_> = self.demands.iter().map(|(path, by_text)| (snapshot.lookup(path), by_text)).collect();
        let mut concerned: BTreeMap<Number, Vec<String>> = BTreeMap::new();
        for id in ids {
            let mut numbers: BTreeSet<Number> = self.open.iter().copied().collect();
            numbers.extend(self.holders.get(id.as_str()).into_iter().flatten());
            if let Some(row) = snapshot.row(id) {
                places.iter().for_each(|(place, by_text)| may_enter(snapshot, row, *place, by_text, &mut numbers));
            }
            for number in numbers {
                concerned.entry(number).or_default().push(id.clone());
            }
        }
        concerned
    }
}

fn may_enter(
    snapshot: &Snapshot,
    row: Row,
    place: Lookup,
    by_text: &HashMap<String, BTreeSet<Number>>,
    numbers: &mut BTreeSet<Number>,
) {
    match place {
        Lookup::Column(column) => {
            if let Cell::String(text) = snapshot.cell(column, row) {
                numbers.extend(by_text.get(text).into_iter().flatten());
            }
        }
        Lookup::Nowhere => {}
        // Only documents tell.
        Lookup::Uncovered => numbers.extend(by_text.values().flatten()),
    }
}

/// What columns can tell of the demand.
fn indexed(plan: &Plan) -> Option<Demand> {
    let collection = SCHEMA.collection(plan.collection)?;
    plan.demand().filter(|demand| !collection.is_documents_only(&demand.path))
}

fn take<K: Borrow<str> + Hash + Eq>(from: &mut HashMap<K, BTreeSet<Number>>, key: &str, number: Number) {
    if let Some(numbers) = from.get_mut(key) {
        numbers.remove(&number);
        if numbers.is_empty() {
            from.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
