//! Two orders become one, without looking at any value.

use std::cmp::Ordering;

use super::run::{ALL, Run};

impl Run {
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
}
