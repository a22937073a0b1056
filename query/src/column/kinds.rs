//! Conditions on the kind of a value, and booleans as conditions.

use super::condition::Condition;
use super::{ColumnId, Kind, Snapshot};

impl Snapshot {
    /// Whether the kind of each row's value, or that it has none, is wanted.
    #[must_use]
    pub fn kinds(&self, column: ColumnId, wanted: &dyn Fn(Kind) -> bool) -> Condition<'_> {
        let table = Kind::ALL.map(wanted);
        let absent = table[Kind::Absent as usize];
        // One kind is compared, several are looked up, which takes longer.
        let single = Kind::ALL.iter().filter(|kind| table[**kind as usize]).count() == 1;
        let one = Kind::ALL.into_iter().find(|kind| table[*kind as usize]).unwrap_or(Kind::Absent);
        Condition::of_all(self.column(column), absent, move |chunk, word| {
            if single { chunk.of_kind(word, one) } else { chunk.word_of(word, |kind| table[kind as usize]) }
        })
    }

    /// A boolean as a condition.
    #[must_use]
    pub fn truth(&self, column: ColumnId) -> Condition<'_> {
        Condition::of_column(self.column(column), 1, |chunk, word, _| {
            let of = |wanted: Kind| chunk.of_kind(word, wanted);
            (of(Kind::True), of(Kind::False))
        })
    }
}
