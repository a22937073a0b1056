//! Texts that want too much: limits hold, and cost nothing.

use crate::error::Code;
use crate::syntax::{Limits, parse, parse_condition, print_condition};

/// Everything but the length is as always, so that the length does not hide the other limits.
const LONG: Limits = Limits { characters: 10_000_000, depth: 64, list: 1_000, elements: 100, keys: 16 };

fn code(text: &str, limits: &Limits) -> Option<Code> {
    parse_condition(text, limits).err().map(|error| error.code)
}

#[test]
fn deep_nesting_is_refused() {
    for (open, inner, close) in [
        ("(", "a", ")"),
        ("NOT ", "a", ""),
        ("- ", "a", ""),
        ("[ ", "a", "]"),
        ("f(", "a", ")"),
        ("ANY x IN a SATISFIES ", "x", ""),
        ("a IN (", "1", ")"),
        ("a + ", "1", ""),
        ("a = (", "1", ")"),
        ("(a + ", "1", ")"),
    ] {
        let nested = |levels| format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(code(&nested(10_000), &LONG), Some(Code::TooLarge), "{open}");
        assert_eq!(code(&nested(20), &LONG), None, "{open}");
    }
    assert_eq!(code(&format!("{}a{}", "(".repeat(64), ")".repeat(64)), &LONG), None);
    assert_eq!(code(&format!("{}a{}", "(".repeat(65), ")".repeat(65)), &LONG), Some(Code::TooLarge));
}

/// A long chain of `AND` is no deep nesting.
#[test]
fn long_chains_of_logic_are_shallow() {
    let text = vec!["a = 1"; 5_000].join(" AND ");
    let chain = parse_condition(&text, &LONG).expect("is flat");
    assert_eq!(print_condition(&chain), text);
}

#[test]
fn lists_have_a_bound() {
    let list = |count: usize| vec!["1"; count].join(",");
    assert_eq!(code(&format!("a IN [{}]", list(1_000)), &LONG), None);
    assert_eq!(code(&format!("a IN [{}]", list(1_001)), &LONG), Some(Code::TooLarge));
    let select = |elements, keys| format!("SELECT {} FROM devices ORDER BY {}", list(elements), list(keys));
    assert!(parse(&select(100, 16), &LONG).is_ok());
    for (elements, keys) in [(101, 16), (100, 17)] {
        let error = parse(&select(elements, keys), &LONG).expect_err("too many");
        assert_eq!(error.code, Code::TooLarge);
    }
    let groups = format!("SELECT a FROM devices GROUP BY {}", list(17));
    assert_eq!(parse(&groups, &LONG).expect_err("too many").code, Code::TooLarge);
}

/// The limit counts characters, not bytes, and is met exactly.
#[test]
fn long_text_is_refused_before_it_is_read() {
    let text = |count: usize| format!("'{}'", "é".repeat(count - 2));
    assert_eq!(code(&text(8_192), &Limits::default()), None);
    assert_eq!(code(&text(8_193), &Limits::default()), Some(Code::TooLarge));
    assert_eq!(code(&"(".repeat(1 << 20), &Limits::default()), Some(Code::TooLarge));
}

/// Would run for minutes if each bracket looked for its end anew.
#[test]
fn a_megabyte_of_anything_is_read_once() {
    for part in ["[[a ", "[[1 ", "[[a][", "[", "(", "'", "\\", "a.", "1,", "a AND ", "-", "- ", "[[ ", "\"a\" ", "é"] {
        let text = part.repeat((1 << 20) / part.len());
        let _ = code(&text, &LONG);
        let _ = code(&format!("{text}]x"), &LONG);
        let _ = code(&format!("a IN [1{text}"), &LONG);
    }
}
