//! Some rows in the order of their values in one column, and among equal ones of their ids, as of one moment.
//!
//! Each different value is kept once, with the rows that have it. Numbers are compared by 64 bits that keep their order, texts by
//! their bytes. Arrays and objects have no order here.

use std::cmp::Ordering;
use std::ops::Range;

use super::super::stored::Column;
use super::super::strings::Texts;
use super::super::top::double;
use super::super::{Cell, Leaf, Row, by_text};
use super::wanted::Wanted;
use crate::evaluate::number::to_double;

/// Values of one class are next to each other, and come after those of the classes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Class {
    Null,
    False,
    True,
    Number,
    Text,
    Other,
}

pub(super) const CLASSES: usize = 6;
pub(super) const ALL: [Class; CLASSES] =
    [Class::Null, Class::False, Class::True, Class::Number, Class::Text, Class::Other];

/// Rows by value.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Where the keys of each class begin, and the last ends.
    classes: [usize; CLASSES + 1],
    /// Different values: bits of numbers, codes of texts.
    keys: Vec<u64>,
    /// Where the rows of each key begin, and the last end.
    starts: Vec<u32>,
    rows: Vec<u32>,
    texts: Texts,
    /// Whether numbers with the same key are the same number.
    is_exact: bool,
}

/// The class of a value and, of a number, its key.
fn place(cell: Cell<'_>) -> Option<(Class, u64)> {
    Some(match cell {
        Leaf::Absent => return None,
        Leaf::Null => (Class::Null, 0),
        Leaf::Bool(false) => (Class::False, 0),
        Leaf::Bool(true) => (Class::True, 0),
        Leaf::Int(value) => (Class::Number, double(to_double(value))),
        Leaf::Float(value) => (Class::Number, double(value)),
        Leaf::String(_) => (Class::Text, 0),
        Leaf::Array(_) | Leaf::Object => (Class::Other, 0),
    })
}

impl Run {
    /// Of rows that are in the order of their ids.
    pub(super) fn new(column: &Column, by_id: impl Iterator<Item = Row> + Clone) -> Self {
        let mut of_class: [Vec<u32>; CLASSES] = Default::default();
        let (mut numbers, mut is_exact) = (Vec::new(), true);
        for (position, row) in (0_u32..).zip(by_id.clone()) {
            let cell = column.cell(row);
            match place(cell) {
                None => {}
                Some((Class::Number, key)) => {
                    numbers.push((key, position, row.0));
                    is_exact &= !matches!(cell, Leaf::Int(value) if value.unsigned_abs() > 1 << 53);
                }
                Some((class, _)) => of_class[class as usize].push(row.0),
            }
        }
        numbers.sort_unstable();
        let mut run = Self { texts: column.texts.clone(), is_exact, ..Self::default() };
        for class in ALL {
            let rows = std::mem::take(&mut of_class[class as usize]);
            match class {
                Class::Number => numbers.iter().for_each(|(key, _, row)| run.push(*key, *row, Class::Number)),
                Class::Text => run.push_texts(column, rows),
                _ => rows.into_iter().for_each(|row| run.push(0, row, class)),
            }
            run.classes[class as usize + 1] = run.keys.len();
        }
        run.finish();
        run
    }

    fn push_texts(&mut self, column: &Column, rows: Vec<u32>) {
        let code = |row: u32| column.code(Row(row));
        let in_order: Vec<u32> = if column.texts.is_dictionary {
            let codes = by_text::sorted(column.texts.iter().zip(0..));
            let mut of_code: Vec<Vec<u32>> = vec![Vec::new(); codes.len()];
            rows.into_iter().for_each(|row| of_code[code(row) as usize].push(row));
            codes.iter().flat_map(|code| std::mem::take(&mut of_code[*code as usize])).collect()
        } else {
            let positions = by_text::sorted(rows.iter().map(|row| column.texts.get(code(*row))).zip(0..));
            positions.iter().map(|position| rows[*position as usize]).collect()
        };
        for row in in_order {
            self.push(u64::from(code(row)), row, Class::Text);
        }
    }

    /// Appends a row whose value is the last one's or comes after it.
    fn push(&mut self, key: u64, row: u32, class: Class) {
        let is_first = self.keys.len() == self.classes[class as usize];
        let is_same = !is_first && self.keys.last().is_some_and(|last| self.compare(class, *last, self, key).is_eq());
        if !is_same {
            self.keys.push(key);
            self.starts.push(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        }
        self.rows.push(row);
    }

    fn finish(&mut self) {
        self.starts.push(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        self.keys.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    /// Both keys are of one class, the second one of `other`.
    fn compare(&self, class: Class, key: u64, other: &Self, other_key: u64) -> Ordering {
        match class {
            Class::Text => self.text(key).cmp(other.text(other_key)),
            _ => key.cmp(&other_key),
        }
    }

    fn text(&self, key: u64) -> &[u8] {
        self.texts.bytes_of(u32::try_from(key).unwrap_or(u32::MAX))
    }

    /// This one without rows that changed since, and with those of another one, all of which changed.
    pub(super) fn merged<'i>(
        &self,
        later: &Self,
        is_changed: impl Fn(u32) -> bool,
        id: impl Fn(u32) -> &'i str,
    ) -> Self {
        // Texts are only added, so the longer ones have all.
        let texts = if later.texts.len() < self.texts.len() { &self.texts } else { &later.texts };
        let mut run = Self { texts: texts.clone(), is_exact: self.is_exact && later.is_exact, ..Self::default() };
        for class in ALL {
            let (mut one, mut other) = (self.keys_of(class).peekable(), later.keys_of(class).peekable());
            loop {
                let order = match (one.peek(), other.peek()) {
                    (None, None) => break,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(a), Some(b)) => self.compare(class, self.keys[*a], later, later.keys[*b]),
                };
                let stayed = if order.is_le() { one.next() } else { None };
                let came = if order.is_ge() { other.next() } else { None };
                let key = came.map(|at| later.keys[at]).or(stayed.map(|at| self.keys[at])).unwrap_or(0);
                let stayed = stayed.map_or(&[][..], |at| self.rows_of(at)).iter().filter(|row| !is_changed(**row));
                run.push_both(key, stayed.copied(), came.map_or(&[][..], |at| later.rows_of(at)), &id);
            }
            run.classes[class as usize + 1] = run.keys.len();
        }
        run.finish();
        run
    }

    /// Appends rows of one new key, both sorts in the order of their ids.
    fn push_both<'i>(
        &mut self,
        key: u64,
        stayed: impl Iterator<Item = u32>,
        came: &[u32],
        id: impl Fn(u32) -> &'i str,
    ) {
        let from = self.rows.len();
        self.rows.extend(stayed);
        if !came.is_empty() && self.rows.len() > from {
            let stayed = self.rows.split_off(from);
            let mut at = 0;
            for row in came {
                let to = at + stayed[at..].partition_point(|other| id(*other) < id(*row));
                self.rows.extend_from_slice(&stayed[at..to]);
                self.rows.push(*row);
                at = to;
            }
            self.rows.extend_from_slice(&stayed[at..]);
        } else {
            self.rows.extend_from_slice(came);
        }
        if self.rows.len() > from {
            self.keys.push(key);
            self.starts.push(u32::try_from(from).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn keys_of(&self, class: Class) -> Range<usize> {
        self.classes[class as usize]..self.classes[class as usize + 1]
    }

    pub(super) fn class_of(&self, key: usize) -> Class {
        ALL.into_iter().find(|class| self.keys_of(*class).contains(&key)).unwrap_or(Class::Other)
    }

    /// Rows with a value, by their ids.
    pub(super) fn rows_of(&self, key: usize) -> &[u32] {
        &self.rows[self.starts[key] as usize..self.starts[key + 1] as usize]
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether values with this key are equal in the order of all values.
    pub(super) fn is_exact(&self, key: usize) -> bool {
        match self.class_of(key) {
            Class::Number => self.is_exact,
            Class::Other => false,
            _ => true,
        }
    }

    /// Whether [`Self::rows_in`] gives wanted values only.
    pub(super) fn proves(&self, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Numbers(numbers) => numbers.is_exact && self.is_exact,
            // The last class has both arrays and objects.
            Wanted::Classes(_, last) => *last != Class::Other,
            Wanted::Texts(_) => true,
        }
    }

    /// Rows whose value is wanted, and perhaps some with a value next to it.
    pub(super) fn rows_in(&self, wanted: &Wanted<'_>) -> &[u32] {
        let keys = match wanted {
            Wanted::Classes(first, last) => self.keys_of(*first).start..self.keys_of(*last).end,
            Wanted::Numbers(numbers) => {
                let all = self.keys_of(Class::Number);
                let (low, high) = numbers.keys(self.is_exact);
                let keys = &self.keys[all.clone()];
                let until = |bound: u64| all.start + keys.partition_point(|key| *key < bound);
                until(low)..high.checked_add(1).map_or(all.end, until)
            }
            Wanted::Texts(texts) => {
                let all = self.keys_of(Class::Text);
                let keys = &self.keys[all.clone()];
                let from = all.start + keys.partition_point(|key| texts.is_before(self.text(*key)));
                from..from + self.keys[from..all.end].partition_point(|key| !texts.is_behind(self.text(*key)))
            }
        };
        if keys.is_empty() { &[] } else { &self.rows[self.starts[keys.start] as usize..self.starts[keys.end] as usize] }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        8 * self.keys.capacity() + 4 * self.starts.capacity() + 4 * self.rows.capacity() + size_of::<Self>()
    }
}
