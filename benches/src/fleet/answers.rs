//! Whether two systems answer the same.

use anyhow::{Result, ensure};

use super::questions::Question;
use super::store::{Rows, Session};
use crate::talk::say;

/// The answer of one system.
pub(super) async fn of(session: &mut impl Session, question: &Question) -> Result<Rows> {
    session.turn_to(question).await?;
    session.ask().await
}

/// A difference between the answers of Muster and of another is an error that shows it.
pub(super) fn compare(question: &Question, ours: &Rows, other: &str, theirs: &Rows) -> Result<()> {
    let first = (0..ours.len().max(theirs.len()))
        .find(|row| !same_row(ours.get(*row), theirs.get(*row), question.rounded))
        .map(|row| format!("row {row}: {:?}, {other} {:?}", ours.get(row), theirs.get(row)));
    let counts = format!("{}: {} rows, {other} {}", question.name, ours.len(), theirs.len());
    ensure!(first.is_none(), "{counts}; {}", first.unwrap_or_default());
    if !found_something(ours) {
        say(&format!("{counts}: nothing was found, so nothing was compared"));
    }
    Ok(())
}

fn found_something(rows: &Rows) -> bool {
    rows.iter().flatten().any(|cell| !cell.is_empty() && cell != "0")
}

fn same_row(ours: Option<&Vec<String>>, theirs: Option<&Vec<String>>, rounded: bool) -> bool {
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same_cell(a, b, rounded))
}

fn same_cell(ours: &str, theirs: &str, rounded: bool) -> bool {
    let numbers = ours.parse::<f64>().ok().zip(theirs.parse::<f64>().ok());
    ours == theirs || (rounded && numbers.is_some_and(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_forgiven_only_where_it_may_be() {
        assert!(same_cell("b43", "b43", false));
        assert!(same_cell("40.00000000000001", "40", true));
        assert!(!same_cell("40.00000000000001", "40", false));
        assert!(!same_cell("40.001", "40", true));
        assert!(!same_cell("b43", "b44", true));
    }

    #[test]
    fn a_row_less_is_a_difference_and_nothing_is_no_answer() {
        let row = vec!["a".to_owned()];
        assert!(same_row(Some(&row), Some(&row), false));
        assert!(!same_row(Some(&row), None, false));
        assert!(!same_row(Some(&row), Some(&vec!["a".to_owned(), "b".to_owned()]), false));
        assert!(found_something(&vec![row]));
        assert!(!found_something(&vec![vec!["0".to_owned()]]));
        assert!(!found_something(&Vec::new()));
    }
}
