//! The text format of cases; its rules stand at the top of `paths.txt`. It knows no query.

use serde_json::Value as Json;

use super::super::engine::{SCHEMA, World};

/// One query, and what it must become.
pub(super) struct Case {
    /// File and line.
    pub(super) place: String,
    pub(super) text: String,
    pub(super) world: World,
    pub(super) expected: Expected,
    /// Whether the engine is known to answer otherwise.
    pub(super) is_open: bool,
}

/// What must come out.
#[derive(Debug, PartialEq)]
pub(super) enum Expected {
    /// Rows as JSON text, in order.
    Rows(Vec<String>),
    /// The code in lower case, and the words underlined.
    Refused(String, String),
}

/// Reads a file of cases.
pub(super) fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut reader = Reader { world: empty(), is_closed: false, is_open: false, cases: Vec::new() };
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let place = format!("{file}:{}", index + 1);
        let line = line.trim();
        let Some((mark, rest)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else {
            assert!(line.is_empty() || line.starts_with('#'), "{place}: no line of a case: {line}");
            continue;
        };
        match mark {
            "~" => reader.is_open = true,
            "+" => reader.document(&place, rest),
            ">" => reader.value(place, rest),
            "?" => reader.condition(place, rest),
            "query" => {
                let mut query = rest.to_owned();
                while let Some((_, more)) = lines.next_if(|(_, line)| line.starts_with("  ")) {
                    query.push('\n');
                    query.push_str(more);
                }
                let mut answers = Vec::new();
                while let Some((_, answer)) = lines.next_if(|(_, line)| line.starts_with(['=', '!'])) {
                    answers.push(answer);
                }
                let expected = expected(&place, &answers);
                reader.push(place, query, expected);
            }
            _ => panic!("{place}: no line of a case: {line}"),
        }
    }
    reader.cases
}

fn empty() -> World {
    SCHEMA.collections.iter().map(|collection| (collection.name, Default::default())).collect()
}

struct Reader {
    world: World,
    /// Whether the next document begins a new world.
    is_closed: bool,
    /// Whether the next case is one that the engine answers otherwise.
    is_open: bool,
    cases: Vec<Case>,
}

impl Reader {
    fn document(&mut self, place: &str, rest: &str) {
        if std::mem::take(&mut self.is_closed) {
            self.world = empty();
        }
        let (name, json) = rest.split_once(' ').expect(place);
        let collection = SCHEMA.collection(name).expect(place);
        let document: Json = serde_json::from_str(json).expect(place);
        let id: Vec<&str> = collection.id.iter().map(|part| document[part].as_str().expect(place)).collect();
        self.world.get_mut(collection.name).expect(place).insert(id.join("\0"), document);
    }

    /// `> expression => value`, in the first device.
    fn value(&mut self, place: String, rest: &str) {
        let (expression, expected) = split(&place, rest, |value| {
            if value == "undefined" { vec!["{}".to_owned()] } else { vec![format!("{{\"v\":{value}}}")] }
        });
        self.push(place, format!("SELECT TOP 1 {expression} AS v FROM devices"), expected);
    }

    /// `? condition => ids of devices`.
    fn condition(&mut self, place: String, rest: &str) {
        let (condition, expected) =
            split(&place, rest, |ids| ids.split_whitespace().map(|id| format!("{{\"deviceId\":\"{id}\"}}")).collect());
        self.push(place, format!("SELECT deviceId FROM devices WHERE {condition}"), expected);
    }

    fn push(&mut self, place: String, text: String, expected: Expected) {
        self.is_closed = true;
        let is_open = std::mem::take(&mut self.is_open);
        self.cases.push(Case { place, text, world: self.world.clone(), expected, is_open });
    }
}

fn split<'t>(place: &str, rest: &'t str, rows: impl Fn(&str) -> Vec<String>) -> (&'t str, Expected) {
    if let Some((text, refused)) = rest.rsplit_once(" !! ") {
        return (text, expected(place, &[&format!("! {refused}")]));
    }
    let (text, found) = rest.rsplit_once(" =>").unwrap_or_else(|| panic!("{place}: no => and no !!"));
    (text, Expected::Rows(rows(found.trim()).iter().map(|row| canonical(place, row)).collect()))
}

fn expected(place: &str, answers: &[&str]) -> Expected {
    if let [refused] = answers
        && let Some(refused) = refused.strip_prefix('!')
    {
        let (code, words) = refused.split_once(':').unwrap_or_else(|| panic!("{place}: ! code: words"));
        return Expected::Refused(code.trim().to_owned(), words.trim().to_owned());
    }
    assert!(!answers.is_empty(), "{place}: nothing is expected");
    let rows = answers.iter().map(|answer| answer.strip_prefix('=').expect(place).trim());
    Expected::Rows(rows.filter(|row| *row != "nothing").map(|row| canonical(place, row)).collect())
}

/// The JSON as it is written everywhere else.
fn canonical(place: &str, json: &str) -> String {
    serde_json::from_str::<Json>(json).unwrap_or_else(|error| panic!("{place}: {error}: {json}")).to_string()
}
