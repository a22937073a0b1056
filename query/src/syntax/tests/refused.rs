//! Queries that are not valid: what is said, at which text, and with which help.

use crate::error::Code;
use crate::syntax::{Limits, parse, parse_condition};

/// Text, what is marked, part of the message, part of the help.
type Case = (&'static str, &'static str, &'static str, &'static str);

const QUERIES: [Case; 34] = [
    ("", "", "expected SELECT, found the end of the query", ""),
    ("SELCT * FROM devices", "SELCT", "expected SELECT, found `SELCT`", "did you mean SELECT?"),
    ("SELECT * FORM devices", "FORM", "expected FROM, found `FORM`", "did you mean FROM?"),
    ("SELECT a FORM devices", "FORM", "found `FORM`", "did you mean FROM?"),
    ("SELECT a, b FRM devices", "FRM", "found `FRM`", "did you mean FROM?"),
    ("SELECT DISTINT tags.a FROM devices", "DISTINT", "expected DISTINCT", "did you mean DISTINCT?"),
    ("SELECT DISTICT COUNT(a) FROM devices", "DISTICT", "expected DISTINCT", "did you mean DISTINCT?"),
    ("SELECT TPO 5 a FROM devices", "TPO", "expected TOP", "did you mean TOP?"),
    ("SELECT a.b.c 5 FROM devices", "5", "expected AS, `,` or FROM, found the number 5", ""),
    ("SELECT * FROM assets JION device", "JION", "found `JION`", "did you mean JOIN?"),
    ("SELECT a, FROM devices", "FROM", "expected an expression, found `FROM`", "comma too many"),
    ("SELECT a,", "", "expected an expression, found the end", "comma too many"),
    ("SELECT * FROM devices WHRE a = 1", "WHRE", "found `WHRE`", "did you mean WHERE?"),
    ("SELECT * FROM devices WHERE a = 1 GRUOP BY a", "GRUOP", "found `GRUOP`", "did you mean GROUP BY?"),
    ("SELECT * FROM devices WHERE a = 1 ODER BY a", "ODER", "found `ODER`", "did you mean ORDER BY?"),
    ("SELECT * FROM devices WHERE a = 1 ADN b = 2", "ADN", "found `ADN`", "did you mean AND?"),
    ("SELECT * FROM devices GROUP a", "a", "expected BY, found `a`", ""),
    ("SELECT * FROM devices ORDER BY a DECS", "DECS", "found `DECS`", "did you mean DESC?"),
    ("SELECT * FROM devices LIMIT 5", "LIMIT", "found `LIMIT`", "SELECT TOP n"),
    ("SELECT * FROM devices;", ";", "`;` means nothing here", "ends without a sign"),
    ("SELECT * FROM devices AS d", "d", "expected OF, found `d`", "no alias"),
    ("SELECT * FROM devices AS OF 'x'", "'x'", "expected REVISION or TIME", ""),
    ("SELECT * FROM devices AS OF TIME 5", "5", "expected a time as a string", ""),
    ("SELECT * FROM devices AS OF REVISION -1", "-", "expected a number after REVISION", ""),
    ("SELECT * FROM 'devices'", "'devices'", "expected the name of a collection", ""),
    ("SELECT * FROM devices HAVING a", "HAVING", "found `HAVING`", "after GROUP BY"),
    ("SELECT TOP 0 * FROM devices", "0", "TOP takes a number from 1 to 2147483647", ""),
    ("SELECT TOP 2147483648 * FROM devices", "2147483648", "TOP takes a number", ""),
    ("SELECT TOP x * FROM devices", "x", "expected a number after TOP", ""),
    ("SELECT a AS FROM devices", "FROM", "expected a name after AS", "[[FROM]]"),
    ("SELECT tags.group FROM devices", "group", "expected a name after the dot", "[[group]]"),
    ("SELECT * FROM devices WHERE", "", "expected an expression, found the end", ""),
    ("SELECT * FROM devices WHERE a = 1 WHERE b = 2", "WHERE", "expected AND, OR, GROUP BY, ORDER BY or the end", ""),
    ("SELECT * FROM devices d", "d", "expected JOIN, AS OF, WHERE, GROUP BY, ORDER BY or the end, found `d`", ""),
];

const CONDITIONS: [Case; 57] = [
    ("a == 1", "==", "`==` means nothing here", "write `=`"),
    ("a => 1", "=>", "`=>` means nothing here", "write `>=`"),
    ("a =< 1", "=<", "`=<` means nothing here", "write `<=`"),
    ("!a", "!", "`!` means nothing here", "NOT"),
    ("a && b", "&&", "`&&` means nothing here", "AND"),
    ("a || b", "||", "`||` means nothing here", "OR"),
    ("a /* b */", "/*", "`/*` means nothing here", "--"),
    ("a = ‘x’", "‘", "means nothing here", "straight quotes"),
    ("`a` = 1", "`", "means nothing here", "[[name]]"),
    ("a = 'x", "'x", "this string is not closed", "close it with '"),
    ("a = 'x AND b = 'y'", "y", "found `y`", "backslash"),
    ("a = 'it's'", "s", "found `s`", "backslash"),
    ("a = 'this 'an' that'", "an", "found `an`", "backslash"),
    ("a BETWEN 1 AND 2", "BETWEN", "found `BETWEN`", "did you mean BETWEEN?"),
    ("(a BETWEN 1 AND 2)", "BETWEN", "expected an operator or `)`", "did you mean BETWEEN?"),
    ("a LKIE 'x'", "LKIE", "found `LKIE`", "did you mean LIKE?"),
    ("a LIKE 'x' ESCAP '!'", "ESCAP", "found `ESCAP`", "did you mean ESCAPE?"),
    ("a NTO IN [1]", "NTO", "found `NTO`", "did you mean NOT?"),
    ("a = 1\u{200b}", "\u{200b}", "`\\u{200b}` means nothing here", ""),
    ("a = b\u{1}", "\u{1}", "`\\u{1}` means nothing here", ""),
    ("a = \"x\nAND b", "\"x", "this string is not closed", "close it with \""),
    ("a = 'x\\", "'x\\", "this string is not closed", ""),
    ("a = 'it''s'", "'s'", "found the string 's'", "backslash"),
    (r"a = 'x\d'", r"\d", "this escape does not exist", r"\\"),
    (r"a = '\u12g4'", r"\u12", "four hexadecimal digits", ""),
    (r"a = '\ud83d'", r"\ud83d", "no partner", "surrogate"),
    (r"a = '\ud83d\u0041'", r"\ud83d\u0041", "no partner", "surrogate"),
    (r"a = '\ude00'", r"\ude00", "no partner", "surrogate"),
    ("tags.[[a = 1", "[[a = 1", "`[[` is not closed", "]]"),
    ("a = 9223372036854775808", "9223372036854775808", "out of range", "9223372036854775807"),
    ("a = -9223372036854775809", "-9223372036854775809", "out of range", ""),
    ("a = 99999999999999999999", "99999999999999999999", "out of range", ""),
    ("a = 0xFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFF", "out of range", ""),
    ("a = 1e400", "1e400", "out of range", "1.8e308"),
    ("a = 1.", "1.", "ends with its point", ""),
    ("a = 1e+", "1e+", "exponent of this number has no digits", ""),
    ("a = 0x", "0x", "no hexadecimal digits", ""),
    ("a = 12abc", "12abc", "neither a number nor a name", "[[12abc]]"),
    ("a IN []", "[]", "IN needs at least one element", ""),
    ("a IN ['x',]", "]", "expected an expression, found `]`", "comma too many"),
    ("a IN ['x' 'y']", "'y'", "expected `,` or `]`", ""),
    ("f(a, )", ")", "expected an expression", "comma too many"),
    ("(a = 1", "", "expected an operator or `)`, found the end", ""),
    ("a = 1)", ")", "expected AND, OR or the end, found `)`", ""),
    ("a = b = c", "=", "comparisons do not chain", "AND"),
    ("a < b < c", "<", "comparisons do not chain", ""),
    ("a IN [1] IN [2]", "IN", "comparisons do not chain", ""),
    ("a = NOT b", "NOT", "NOT binds more loosely", "(NOT"),
    ("a = ANY x IN l SATISFIES x", "ANY", "ANY binds more loosely", "(ANY"),
    ("ANY x IN l SATISFES x", "SATISFES", "expected SATISFIES", "did you mean SATISFIES?"),
    ("a BETWEEN 1 OR 2", "OR", "expected AND, found `OR`", ""),
    ("a LIKE b", "b", "expected a pattern as a string", ""),
    ("a LIKE 'x' ESCAPE '!!'", "'!!'", "one character", ""),
    ("tags.list[0] = 1", "[", "expected an operator", "ANY x IN"),
    ("a.b(c)", "(", "expected an operator", "without dots"),
    ("a IS NULL", "IS", "found `IS`", "IS_NULL"),
    ("COUNT(DISTINCT)", ")", "expected an expression", ""),
];

fn check(result: Result<(), crate::QueryError>, (text, marked, message, help): Case) {
    let error = result.expect_err(text);
    let (start, end) = (error.span.start as usize, error.span.end as usize);
    assert_eq!(&text[start..end], marked, "{text}: {error:?}");
    assert!(error.message.contains(message) && error.help.contains(help), "{text}: {error:?}");
    assert!(!error.render(text).is_empty());
}

#[test]
fn broken_queries_say_what_and_where() {
    for case in QUERIES {
        check(parse(case.0, &Limits::default()).map(drop), case);
    }
}

#[test]
fn broken_conditions_say_what_and_where() {
    for case in CONDITIONS {
        check(parse_condition(case.0, &Limits::default()).map(drop), case);
    }
}

/// What is wrong first is reported, be it the grammar or a token.
#[test]
fn the_first_error_is_the_one_reported() {
    let error = parse("SELCT * FROM devices WHERE a == 'x", &Limits::default()).expect_err("misspelt");
    assert_eq!((error.code, error.span.start), (Code::Syntax, 0));
}

#[test]
fn an_error_is_drawn_under_its_line() {
    let text = "SELECT *\nFROM devices\n\tWHERE é == 1";
    let error = parse(text, &Limits::default()).expect_err("no operator");
    let wanted =
        "`==` means nothing here\n --> line 3, column 10\n3 | \tWHERE é == 1\n  | \t        ^^\nhelp: write `=`";
    assert_eq!(error.render(text), wanted);
}

#[test]
fn long_lines_are_shown_around_the_place() {
    let text = format!("{} == 1 OR {}", "a".repeat(500), "b".repeat(500));
    let drawn = parse_condition(&text, &Limits::default()).expect_err("no operator").render(&text);
    let lines: Vec<&str> = drawn.lines().collect();
    assert!(
        lines[2].starts_with("1 | …aaa") && lines[2].ends_with("bbb…") && lines[2].chars().count() < 120,
        "{drawn}"
    );
    let column = |line: &str, wanted| line.chars().position(|char| char == wanted);
    assert_eq!(column(lines[2], '='), column(lines[3], '^'), "{drawn}");
    assert_eq!(lines[1], " --> line 1, column 502");
}
