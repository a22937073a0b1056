//! Patterns, words and ranks.

use muster_query::syntax::ast::{Expr, ExprKind};

use super::{Documents, Fleet, Scope};

/// Section 6: `LIKE`, by trying everything.
pub(crate) fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    fn fits(text: &[char], pattern: &[(char, bool)]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((('%', false), rest)) => (0..=text.len()).any(|skip| fits(&text[skip..], rest)),
            Some((('_', false), rest)) => !text.is_empty() && fits(&text[1..], rest),
            Some(((wanted, _), rest)) => text.first() == Some(wanted) && fits(&text[1..], rest),
        }
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if Some(char) == escape {
            parts.push((chars.next().unwrap_or(char), true));
        } else {
            parts.push((char, false));
        }
    }
    fits(&text.chars().collect::<Vec<_>>(), &parts)
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// One part of what is looked for.
enum Term {
    Word(String),
    Beginning(String),
    Phrase(Vec<String>),
}

impl Term {
    fn occurs(&self, text: &[String]) -> usize {
        match self {
            Self::Word(word) => text.iter().filter(|own| *own == word).count(),
            Self::Beginning(beginning) => text.iter().filter(|own| own.starts_with(beginning.as_str())).count(),
            Self::Phrase(phrase) => text.windows(phrase.len()).filter(|window| *window == phrase.as_slice()).count(),
        }
    }
}

/// Terms that must occur, and terms that must not.
fn terms(wanted: &str) -> (Vec<Term>, Vec<Term>) {
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    let mut rest = wanted;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let is_absent = first == '-';
        if is_absent {
            rest = &rest[1..];
        }
        let (part, is_phrase, after) = match rest.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some((phrase, after)) => (phrase, true, after),
                None => (quoted, true, ""),
            },
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
                (&rest[..end], false, &rest[end..])
            }
        };
        rest = after;
        let list = if is_absent { &mut absent } else { &mut present };
        let mut own = words(part);
        if is_phrase {
            if !own.is_empty() {
                list.push(Term::Phrase(own));
            }
        } else {
            let last = if part.ends_with('*') { own.pop() } else { None };
            list.extend(own.into_iter().map(Term::Word));
            list.extend(last.map(Term::Beginning));
        }
    }
    (present, absent)
}

/// Whether a text has the words.
pub(crate) fn matches(text: &str, wanted: &str) -> bool {
    let text = words(text);
    let (present, absent) = terms(wanted);
    present.iter().all(|term| term.occurs(&text) > 0) && absent.iter().all(|term| term.occurs(&text) == 0)
}

/// What the rank needs: for each `MATCH` of a condition where it looks, its terms and the words of the texts of all rows.
pub(super) struct Statistics(Vec<Searched>);

/// Path, terms, and the words of all texts there.
type Searched = (Expr, Vec<Term>, Vec<Vec<String>>);

pub(super) fn statistics(fleet: &Fleet, condition: Option<&Expr>, rows: &Documents) -> Statistics {
    let mut found = Vec::new();
    condition.into_iter().for_each(|condition| collect(condition, &mut found));
    let of = |(path, wanted): (Expr, String)| {
        let texts = rows.values().filter_map(|row| at(&path, &Scope::of_row(fleet, row))).collect();
        let (mut present, _) = terms(&wanted);
        // Words come first, then beginnings, then phrases.
        present.sort_by_key(|term| match term {
            Term::Word(_) => 0,
            Term::Beginning(_) => 1,
            Term::Phrase(_) => 2,
        });
        (path, present, texts)
    };
    Statistics(found.into_iter().map(of).collect())
}

fn collect(expr: &Expr, found: &mut Vec<(Expr, String)>) {
    let mut all = |parts: &[&Expr]| parts.iter().for_each(|part| collect(part, found));
    match &expr.kind {
        ExprKind::Call { name, arguments, .. } if name.text.eq_ignore_ascii_case("match") => {
            if let ExprKind::String(wanted) = &arguments[1].kind {
                found.push((arguments[0].clone(), wanted.clone()));
            }
        }
        ExprKind::Call { arguments: parts, .. } | ExprKind::Array(parts) => all(&parts.iter().collect::<Vec<_>>()),
        ExprKind::Not(a) | ExprKind::Negate(a) | ExprKind::Like { value: a, .. } => all(&[a]),
        ExprKind::Binary(_, a, b) | ExprKind::In(a, b) => all(&[a, b]),
        ExprKind::Between(a, b, c) => all(&[a, b, c]),
        ExprKind::Quantified { list, condition, .. } => all(&[list, condition]),
        _ => {}
    }
}

fn at(path: &Expr, scope: &Scope<'_>) -> Option<Vec<String>> {
    super::value(path, scope)?.as_str().map(words)
}

/// Section 6: BM25 with k1 1.2 and b 0.75.
#[allow(clippy::cast_precision_loss, reason = "counts of test rows")]
pub(super) fn score(statistics: &Statistics, scope: &Scope<'_>) -> f64 {
    let of = |(path, terms, texts): &Searched| {
        let Some(text) = at(path, scope) else { return 0.0 };
        let rows = texts.len() as f64;
        let average = texts.iter().map(Vec::len).sum::<usize>() as f64 / rows;
        let one = |term: &Term| {
            let occurs = term.occurs(&text) as f64;
            if occurs == 0.0 {
                return 0.0;
            }
            let with = texts.iter().filter(|text| term.occurs(text) > 0).count() as f64;
            let idf = (1.0 + (rows - with + 0.5) / (with + 0.5)).ln();
            idf * (occurs * 2.2) / (occurs + 1.2 * (0.25 + 0.75 * text.len() as f64 / average))
        };
        terms.iter().map(one).fold(0.0, |sum, term| sum + term)
    };
    statistics.0.iter().map(of).fold(0.0, |sum, rank| sum + rank)
}
