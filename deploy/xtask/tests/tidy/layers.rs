//! Which module may know which: `api → authorize, propose, read, watch → raft, apply, views → store`, and the domain
//! knows none of them and no library that touches the world.
//!
//! Reads sources as text: every `crate::x`, `use crate::{x, y}` and the names of some libraries count, comments don't.

use crate::TextFile;

/// Files below the folder (or the file itself) may not know these modules of their own crate.
const MODULES: [(&str, &[&str]); 6] = [
    ("node/src/api", &["raft", "store"]),
    ("node/src/authorize", &["api", "raft", "store", "propose", "apply"]),
    ("node/src/store", &["api", "authorize", "raft", "propose", "apply", "read", "watch", "server"]),
    ("node/src/apply", &["api", "propose", "read", "server"]),
    ("node/src/raft", &["api", "authorize", "propose", "apply", "read", "server"]),
    ("node/src/propose", &["api", "server"]),
];

/// Files below the folder may not name these libraries.
const FORBIDDEN_LIBRARIES: [(&str, &[&str]); 6] = [
    ("node/domain/src", &["tokio", "rocksdb", "openraft", "tonic", "prost", "rand", "muster_proto"]),
    ("query/src", &["tokio", "rocksdb", "openraft", "tonic", "muster_domain", "muster_node", "muster_proto"]),
    ("client/src", &["muster_node", "muster_domain", "muster_query"]),
    ("client/edge/src", &["muster_node", "muster_query", "rocksdb", "openraft"]),
    ("client/edge/src/protocol", &["tokio", "tonic", "redb", "rand"]),
    ("proto/src", &["muster_node", "muster_domain", "muster_query", "muster_client"]),
];

/// These libraries may be named only below these folders: what they are is decided there and nowhere else.
const HOMES: [(&str, &[&str]); 2] = [
    ("openraft", &["node/src/raft/", "node/src/raft.rs"]),
    ("rocksdb", &["node/src/store/", "node/src/raft/", "node/src/apply/"]),
];

/// What a file knows and should not.
pub(crate) fn arrows(file: &TextFile) -> Vec<String> {
    // Sources name each other; tests and this file name everything.
    if !file.path.contains("/src/") {
        return Vec::new();
    }
    let code = without_comments(&file.text);
    let mut found = Vec::new();
    for (place, modules) in MODULES {
        if lies_in(&file.path, place) {
            let known = known_modules(&code);
            let wrong = known.iter().filter(|(_, name)| modules.contains(&name.as_str()));
            found.extend(wrong.map(|(line, name)| format!("{}:{line}: {place} may not know crate::{name}", file.path)));
        }
    }
    for (place, libraries) in FORBIDDEN_LIBRARIES {
        if lies_in(&file.path, place) {
            for library in libraries {
                found.extend(
                    lines_naming(&code, library)
                        .map(|line| format!("{}:{line}: {place} may not know {library}", file.path)),
                );
            }
        }
    }
    for (library, homes) in HOMES {
        if file.path.starts_with("node/") && !homes.iter().any(|home| file.path.starts_with(home)) {
            found.extend(
                lines_naming(&code, library)
                    .map(|line| format!("{}:{line}: {library} is named only in {}", file.path, homes.join(", "))),
            );
        }
    }
    found
}

fn lies_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// The text with comments blanked out; lines stay where they are. Sources of ours have no `//` inside code except in
/// addresses within strings, which name no module.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at])).collect::<Vec<_>>().join("\n")
}

/// Every module of its own crate that the code names, with the line.
fn known_modules(code: &str) -> Vec<(usize, String)> {
    let mut known = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `other_crate::` are something else.
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let line = code[..at].matches('\n').count() + 1;
        let names = rest.strip_prefix('{').map_or_else(|| vec![identifier(rest)], group);
        known.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (line, name)));
    }
    known
}

/// The first names of a group's members: `{a::b, c::{d, e}}` has `a` and `c`.
fn group(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 1;
    let mut begins = true;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            _ if begins && !character.is_whitespace() => {
                names.push(identifier(&text[at..]));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// The lines that name a library as the start of a path: `tokio::x`, `use tokio;`, `extern crate tokio`.
fn lines_naming<'a>(code: &'a str, library: &'a str) -> impl Iterator<Item = usize> + 'a {
    (1..).zip(code.lines()).filter(move |(_, line)| names(line, library)).map(|(number, _)| number)
}

fn names(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let before = &line[..at];
        let after = &line[at + library.len()..];
        let starts =
            !before.ends_with(|before: char| before.is_alphanumeric() || matches!(before, '_' | ':' | '"' | '.' | '-'));
        let path = after.starts_with("::") || (before.trim_end().ends_with("use") && after.starts_with([';', ' ']));
        starts && path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        arrows(&TextFile { path: path.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn finds_an_arrow_that_points_up_or_across() {
        assert_eq!(
            found("node/src/api/devices.rs", "use crate::raft::Handle;"),
            ["node/src/api/devices.rs:1: node/src/api may not know crate::raft"]
        );
        assert_eq!(found("node/src/api.rs", "\nlet x = crate::store::open();").len(), 1);
        assert_eq!(found("node/src/store/states.rs", "use crate::{clock, api::{a, b}, propose};").len(), 2);
        assert!(found("node/src/api/devices.rs", "use crate::{propose, read::View};").is_empty());
    }

    #[test]
    fn comments_and_other_crates_do_not_count() {
        assert!(found("node/src/api/devices.rs", "// use crate::raft;\n/// [`crate::store`]").is_empty());
        assert!(found("node/src/api/devices.rs", "my_crate::raft::x(); $crate::raft!();").is_empty());
        assert!(found("node/src/api_client.rs", "use crate::raft;").is_empty());
    }

    #[test]
    fn a_group_over_several_lines_is_read_whole() {
        let text = "use crate::{\n    clock::Clock,\n    raft::{Handle, Status},\n};";
        assert_eq!(found("node/src/api/cluster.rs", text).len(), 1);
    }

    #[test]
    fn finds_the_world_in_the_domain() {
        assert_eq!(found("node/domain/src/device.rs", "use tokio::sync::Mutex;").len(), 1);
        assert_eq!(found("node/domain/src/device.rs", "let x = prost::Message::encode(&m);").len(), 1);
        assert!(found("node/domain/src/device.rs", "let tokio = 1; let my_rocksdb_x = 2; \"tonic::\";").is_empty());
    }

    #[test]
    fn finds_a_library_away_from_its_home() {
        assert_eq!(found("node/src/server.rs", "use openraft::Raft;").len(), 1);
        assert!(found("node/src/raft/types.rs", "use openraft::Raft;").is_empty());
        assert!(found("node/src/store/rocks.rs", "use rocksdb::DB;").is_empty());
        assert_eq!(found("node/src/read/list.rs", "rocksdb::WriteBatch::new()").len(), 1);
    }
}
