//! Rules for a member's `Cargo.toml`: a dependency costs everybody build time, so it says in a comment on its line what
//! it is there for, and its version stands in the workspace's table, once.

use crate::TextFile;

/// Every dependency on somebody else's crate has a comment on its line. Our own crates explain themselves.
pub(crate) fn reasons(file: &TextFile) -> Vec<String> {
    dependencies(file)
        .into_iter()
        .filter(|(_, line)| !line.starts_with("muster-"))
        .filter(|(_, line)| line.split_once('#').is_none_or(|(_, reason)| reason.trim().is_empty()))
        .map(|(number, line)| format!("{}:{number}: no reason (`# …`) on: {line}", file.path))
        .collect()
}

/// Every dependency takes its version from the workspace.
pub(crate) fn versions(file: &TextFile) -> Vec<String> {
    dependencies(file)
        .into_iter()
        .filter(|(_, line)| !line.contains("workspace = true"))
        .map(|(number, line)| format!("{}:{number}: takes no version from the workspace: {line}", file.path))
        .collect()
}

/// The lines of the dependency sections, with their numbers. The workspace's own table is not a member's.
fn dependencies(file: &TextFile) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines().map(str::trim)) {
        if line.starts_with('[') {
            let name = line.trim_matches(['[', ']']);
            inside = name.ends_with("dependencies") && !name.starts_with("workspace");
        } else if inside && !line.starts_with('#') && line.contains('=') {
            found.push((number, line));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> TextFile {
        TextFile { path: "x/Cargo.toml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn finds_a_dependency_without_a_reason() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na = { workspace = true }  # reads TOML\nb = { workspace = true }\nmuster-proto = { workspace = true }\n[target.'cfg(unix)'.dev-dependencies]\nc.workspace = true #\n";
        assert_eq!(reasons(&manifest(text)).len(), 2);
    }

    #[test]
    fn finds_a_version_of_its_own() {
        let text = "[dependencies]\na = { workspace = true }\nb = \"1\"\n[lints]\nworkspace = true\n[build-dependencies]\nc = { version = \"2\" }\n";
        assert_eq!(versions(&manifest(text)).len(), 2);
    }

    #[test]
    fn the_workspace_table_is_where_versions_belong() {
        let text = "[workspace.dependencies]\na = \"1\"\n";
        assert!(versions(&manifest(text)).is_empty() && reasons(&manifest(text)).is_empty());
    }
}
