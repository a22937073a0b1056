//! Rules for documents: links within the repository lead somewhere, and decisions are numbered one after the other.

use std::path::{Component, Path, PathBuf};

use crate::TextFile;

/// Links to files of the repository that are not there. Addresses of the web and anchors are not followed.
pub(crate) fn dead_links(file: &TextFile, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !normal(&folder.join(path)).is_some_and(|path| exists(&path)) {
                found.push(format!("{}:{number}: links to {path}, which is not there", file.path));
            }
        }
    }
    found
}

/// The targets of `[text](target)` in a line. Links inside inline code are text; code inside a link's text is not.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for text in line.split('`').step_by(2) {
        let mut rest = text;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            if let Some(end) = rest.find(')') {
                found.push(rest[..end].split_whitespace().next().unwrap_or_default());
            }
        }
    }
    found
}

/// The path without `.` and `..`; none when it leads out of the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

/// Decision records that are not named `NNNN-title.md`, or whose numbers repeat or leave a gap.
pub(crate) fn numbering(names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut numbers = Vec::new();
    for name in names {
        let number = name
            .split_once('-')
            .filter(|(number, _)| number.len() == 4)
            .and_then(|(number, _)| number.parse::<usize>().ok());
        match number {
            Some(number) => numbers.push((number, name)),
            None => found.push(format!("{name}: a decision is named NNNN-title.md")),
        }
    }
    numbers.sort_unstable();
    for (expected, (number, name)) in (1..).zip(numbers) {
        if number != expected {
            found.push(format!("{name}: expected number {expected:04}"));
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(path: &str, text: &str) -> usize {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        dead_links(&file, |path| ["README.md", "node/ARCHITECTURE.md", "node"].map(Path::new).contains(&path)).len()
    }

    #[test]
    fn finds_links_to_nowhere() {
        assert_eq!(dead("README.md", "[a](node/ARCHITECTURE.md) and [b](node/) and [c](#here)"), 0);
        assert_eq!(
            dead("node/ARCHITECTURE.md", "[up](../README.md#tour \"the tour\") [web](https://example.org/x)"),
            0
        );
        assert_eq!(dead("README.md", "[a](node/MISSING.md) [b](also-missing)"), 2);
        assert_eq!(dead("README.md", "[out](../outside.md)"), 1);
        assert_eq!(dead("README.md", "[`code`](missing.md)"), 1);
    }

    #[test]
    fn code_is_not_followed() {
        assert_eq!(dead("README.md", "`[a](missing)`\n```\n[b](missing)\n```\n"), 0);
    }

    #[test]
    fn finds_repeated_and_missing_numbers() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(numbering(&names(&["0001-a.md", "0002-b.md"])).is_empty());
        assert_eq!(numbering(&names(&["0001-a.md", "0001-b.md"])).len(), 1);
        assert_eq!(numbering(&names(&["0001-a.md", "0003-b.md"])).len(), 1);
        assert_eq!(numbering(&names(&["1-a.md", "note.md"])).len(), 2);
    }
}
