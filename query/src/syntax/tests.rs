//! The front end as a whole: what parses, what does not and where it says so, and that what is printed is read back.

mod accepted;
mod hostile;
mod refused;
mod round_trip;

use super::ast::Expr;

/// Trees as text without places, to compare them; unlike `==` it tells `0.0` from `-0.0`.
fn bare(tree: &impl std::fmt::Debug) -> String {
    let text = format!("{tree:?}");
    text.split("Span { start: ")
        .enumerate()
        .map(|(index, part)| if index == 0 { part } else { part.split_once('}').map_or("", |(_, rest)| rest) })
        .collect()
}

fn condition(text: &str) -> Expr {
    super::parse_condition(text, &super::Limits::default()).unwrap_or_else(|error| panic!("{text}\n{error:?}"))
}
