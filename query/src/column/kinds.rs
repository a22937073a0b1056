//! Conditions on the kind of a value, and booleans as conditions.

use super::{ColumnId, Kind, Mask, Snapshot, Truth};

impl Snapshot {
    /// Whether the kind of each row's value, or that it has none, is wanted.
    #[must_use]
    pub fn kinds(&self, column: ColumnId, wanted: &dyn Fn(Kind) -> bool) -> Truth {
        let table = Kind::ALL.map(wanted);
        let mut yes = self.mask_of_kinds(column, &table);
        yes.and(self.live());
        let mut no = self.live().clone();
        no.and_not(&yes);
        Truth { yes, no }
    }

    /// A boolean as a condition.
    #[must_use]
    pub fn truth(&self, column: ColumnId) -> Truth {
        self.each_word(self.column(column), |chunk, word| {
            let of = |wanted: Kind| chunk.word_of(word, |kind| kind == wanted);
            (of(Kind::True), of(Kind::False))
        })
    }

    /// Whether a value is this boolean; `null` is not, all else is neither.
    pub(super) fn equals_bool(&self, column: ColumnId, value: bool) -> Truth {
        let truth = self.truth(column);
        let mut truth = if value { truth } else { truth.not() };
        if self.column(column).count(Kind::Null) > 0 {
            let mut nulls = self.mask_of_kinds(column, &Kind::ALL.map(|kind| kind == Kind::Null));
            nulls.and(self.live());
            truth.no.or(&nulls);
        }
        truth
    }

    fn mask_of_kinds(&self, column: ColumnId, wanted: &[bool; 9]) -> Mask {
        let column = self.column(column);
        let mut mask = Mask::none(self.slots());
        let words = column.chunk_rows() / 64;
        let absent = wanted[Kind::Absent as usize];
        if absent {
            for word in 0..self.slots().div_ceil(64) {
                mask.set_word(word, u64::MAX);
            }
        }
        // One kind is compared, several are looked up, which takes longer.
        let single = Kind::ALL.iter().filter(|kind| wanted[**kind as usize]).count() == 1;
        let one = Kind::ALL.into_iter().find(|kind| wanted[*kind as usize]).unwrap_or(Kind::Absent);
        for (index, chunk) in column.chunks() {
            for word in 0..words {
                let bits = if single {
                    chunk.word_of(word, |kind| kind == one)
                } else {
                    chunk.word_of(word, |kind| wanted[kind as usize])
                };
                mask.set_word(index * words + word, bits);
            }
        }
        mask
    }
}
