//! The rules of the house that no compiler checks: how files open and how long they are, which way the arrows between
//! layers point, that every dependency says why it is there, and that documents link to what exists.
//!
//! Each rule is a function over text that returns what it found, with tests that show it finding something; the tests
//! here run all of them over the repository. What they find is printed whole, with file and line.

mod documents;
mod layers;
mod manifests;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository: its path from the root, with `/` between folders, and its content.
struct TextFile {
    path: String,
    text: String,
}

/// Folders with our own files. The top level is fixed, so a new one is added here on purpose.
const FOLDERS: [&str; 7] = ["proto", "node", "query", "client", "benches", "chaos-tests", "deploy"];

fn root() -> PathBuf {
    // As it is now, not as it was when this was built: clones share what was built.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this test");
    Path::new(&own).join("../..").canonicalize().expect("the root of the repository")
}

/// All our files whose names end so, in a fixed order.
fn files(ending: &str) -> Vec<TextFile> {
    let root = root();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), ending, &mut paths);
    }
    for entry in fs::read_dir(&root).expect("the root is readable").flatten() {
        if entry.path().is_file() && entry.file_name().to_string_lossy().ends_with(ending) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let read = |path: PathBuf| TextFile {
        path: path.strip_prefix(&root).expect("it lies below the root").to_str().expect("plain names").to_owned(),
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Build output and tools' own folders hold no files of ours.
        if name == "target" || name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            collect(&entry.path(), ending, into);
        } else if name.ends_with(ending) {
            into.push(entry.path());
        }
    }
}

/// Runs a rule over files and fails with everything it found.
fn check(files: &[TextFile], rule: impl Fn(&TextFile) -> Vec<String>) {
    assert!(!files.is_empty(), "the rule saw no file: has the layout changed?");
    let found: Vec<_> = files.iter().flat_map(rule).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_source_file_opens_with_its_responsibility() {
    check(&files(".rs"), sources::opening);
}

#[test]
fn no_source_file_is_too_long() {
    check(&files(".rs"), sources::length);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    check(&files(".rs"), sources::names);
}

#[test]
fn arrows_between_layers_point_down() {
    check(&files(".rs"), layers::arrows);
}

#[test]
fn every_dependency_says_why_it_is_there() {
    check(&files("Cargo.toml"), manifests::reasons);
}

#[test]
fn every_member_takes_versions_from_the_workspace() {
    // Workspaces of their own: what is fuzzed needs another compiler, and what is simulated another tokio.
    let is_apart =
        |file: &TextFile| ["query/fuzz/", "chaos-tests/sim/"].iter().any(|folder| file.path.starts_with(folder));
    let members: Vec<_> = files("Cargo.toml").into_iter().filter(|file| !is_apart(file)).collect();
    check(&members, manifests::versions);
}

#[test]
fn documents_link_to_what_exists() {
    let root = root();
    check(&files(".md"), |file| documents::dead_links(file, |path| root.join(path).exists()));
}

#[test]
fn decisions_are_numbered_without_gap_or_repeat() {
    let names: Vec<_> = files(".md")
        .into_iter()
        .filter_map(|file| file.path.strip_prefix("node/docs/decisions/").map(str::to_owned))
        .filter(|name| name != "README.md")
        .collect();
    let found = documents::numbering(&names);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
