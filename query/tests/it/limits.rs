//! Section 13: what is one too large is refused, and what is not is answered.

use muster_query::{Code, compile};

use super::engine::SCHEMA;

fn code(text: &str) -> Option<Code> {
    compile(text, &SCHEMA).err().map(|error| error.code)
}

fn list(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_text_has_up_to_8192_characters() {
    let query = |chars: usize| {
        let head = "SELECT * FROM devices WHERE deviceId = '";
        format!("{head}{}'", "é".repeat(chars - head.len() - 1))
    };
    assert_eq!(query(8_192).chars().count(), 8_192);
    assert_eq!(code(&query(8_192)), None);
    assert_eq!(code(&query(8_193)), Some(Code::TooLarge));
}

#[test]
fn what_is_nested_has_up_to_64_levels() {
    let query = |open: &str, close: &str, levels: usize| {
        format!("SELECT * FROM devices WHERE {}true{}", open.repeat(levels), close.repeat(levels))
    };
    for (open, close) in [("(", ")"), ("IS_NULL(", ")"), ("NOT ", "")] {
        assert_eq!(code(&query(open, close, 63)), None, "{open}");
        assert_eq!(code(&query(open, close, 65)), Some(Code::TooLarge), "{open}");
    }
    // What is not nested is as long as the text allows.
    let chain = format!("SELECT * FROM devices WHERE {}", vec!["status = 'x'"; 400].join(" OR "));
    assert_eq!(code(&chain), None);
}

#[test]
fn lists_have_up_to_1000_elements() {
    let query = |count| format!("SELECT * FROM devices WHERE version IN [{}]", list(count, |_| "1".to_owned()));
    assert_eq!(code(&query(1_000)), None);
    assert_eq!(code(&query(1_001)), Some(Code::TooLarge));
}

#[test]
fn clauses_have_their_numbers_of_elements() {
    let select = |count| format!("SELECT {} FROM devices", list(count, |index| format!("version AS v{index}")));
    assert_eq!(code(&select(100)), None);
    assert_eq!(code(&select(101)), Some(Code::TooLarge));
    let order = |count| format!("SELECT * FROM devices ORDER BY {}", list(count, |index| format!("tags.v{index}")));
    assert_eq!(code(&order(16)), None);
    assert_eq!(code(&order(17)), Some(Code::TooLarge));
    let group =
        |count| format!("SELECT COUNT() FROM devices GROUP BY {}", list(count, |index| format!("tags.v{index}")));
    assert_eq!(code(&group(16)), None);
    assert_eq!(code(&group(17)), Some(Code::TooLarge));
}
