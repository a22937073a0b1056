//! Any text: no panic, errors can be drawn, and what parses is printed and read back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_query::syntax::{Limits, parse, parse_condition, print, print_condition};

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    // Printing may lengthen a text; that alone is no finding.
    let wide = Limits { characters: usize::MAX, ..limits };
    match parse(text, &limits) {
        Ok(select) => {
            let printed = print(&select);
            let again = parse(&printed, &wide).unwrap_or_else(|error| panic!("{}", error.render(&printed)));
            assert_eq!(print(&again), printed);
        }
        Err(error) => drop(error.render(text)),
    }
    if let Ok(condition) = parse_condition(text, &limits) {
        let printed = print_condition(&condition);
        let again = parse_condition(&printed, &wide).unwrap_or_else(|error| panic!("{}", error.render(&printed)));
        assert_eq!(print_condition(&again), printed);
    }
});
