//! Rules for one source file: how it opens, how long it is, what it is called.

use crate::TextFile;

/// A file that is longer holds two things. Generated code is not in the repository.
const LINES_MAX: usize = 500;

/// Names that say where code was put, not what it does.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "manager", "misc", "shared"];

/// A file opens with `//!`: its one responsibility and what it does not know.
pub(crate) fn opening(file: &TextFile) -> Vec<String> {
    let opens = file.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > "//! ".len());
    if opens { Vec::new() } else { vec![format!("{}:1: does not open with `//!` and its responsibility", file.path)] }
}

/// A file has a bounded length.
pub(crate) fn length(file: &TextFile) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX {
        Vec::new()
    } else {
        vec![format!("{}: {lines} lines, at most {LINES_MAX}: which second thing moved in?", file.path)]
    }
}

/// No part of a path and no inline module has an empty name.
pub(crate) fn names(file: &TextFile) -> Vec<String> {
    let mut found = Vec::new();
    for part in file.path.split('/') {
        if EMPTY_NAMES.contains(&part.trim_end_matches(".rs")) {
            found.push(format!("{}: `{part}` does not say what it holds", file.path));
        }
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        let module =
            line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ");
        if let Some(name) = module.map(|rest| rest.trim_end_matches([';', '{', ' ']))
            && EMPTY_NAMES.contains(&name)
        {
            found.push(format!("{}:{number}: module `{name}` does not say what it holds", file.path));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn finds_a_file_that_does_not_say_what_it_is_for() {
        assert!(opening(&file("a.rs", "//! Reads.\nfn main() {}")).is_empty());
        for text in ["", "fn main() {}", "\n//! Late.", "//!", "//! ", "// Not a doc."] {
            assert_eq!(opening(&file("a.rs", text)).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn finds_a_file_that_grew_too_long() {
        assert!(length(&file("a.rs", &"x\n".repeat(LINES_MAX))).is_empty());
        assert_eq!(length(&file("a.rs", &"x\n".repeat(LINES_MAX + 1))).len(), 1);
    }

    #[test]
    fn finds_empty_names_in_paths_and_modules() {
        assert!(names(&file("node/src/raft/log_store.rs", "mod utility;\nlet common = 1;")).is_empty());
        assert_eq!(names(&file("node/src/util.rs", "")).len(), 1);
        assert_eq!(names(&file("node/src/common/mod.rs", "")).len(), 1);
        assert_eq!(names(&file("a.rs", "    pub(crate) mod helpers {\nmod util;")).len(), 2);
    }
}
