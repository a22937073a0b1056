//! Where things are: the root of the repository and the folder of built binaries.
//!
//! Knows no commands. Both places follow from where xtask itself was built, so that `CARGO_TARGET_DIR`, a configured
//! target directory and the default all work without being asked for.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The root of the repository that this xtask was built from.
pub(crate) fn root() -> Result<PathBuf> {
    // `cargo run` says it at run time, which stays right when the clone moved; else it is known from the build.
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = here.ancestors().nth(2).context("deploy/xtask lies two folders below the root")?;
    ensure!(root.join("Cargo.lock").is_file(), "{} is not the root of Muster's repository", root.display());
    Ok(root.to_owned())
}

/// The folder that cargo puts the binaries of this profile into: the one that xtask runs from.
pub(crate) fn binaries() -> Result<PathBuf> {
    let me = env::current_exe().context("finding the running program")?;
    let folder = me.parent().context("a program lies in a folder")?;
    // Tests run from `deps`, one folder deeper.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}

/// The path of a built binary; an error that says how to build it where it is absent.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let path = binaries()?.join(name);
    ensure!(path.is_file(), "{} is not built: run `cargo build --workspace`", path.display());
    Ok(path)
}

/// A path as a person at `from` would write it: relative where it lies below, else whole.
pub(crate) fn shown(path: &Path, from: &Path) -> String {
    path.strip_prefix(from).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace_and_this_crate() {
        let root = root().expect("the tests run inside the repository");
        assert!(root.join("deploy/xtask/Cargo.toml").is_file());
    }

    #[test]
    fn a_missing_binary_is_an_error_that_says_how_to_get_it() {
        let error = binary("no-such-binary").expect_err("nobody builds this").to_string();
        assert!(error.contains("cargo build"), "{error}");
    }

    #[test]
    fn paths_are_shown_relative_where_they_can_be() {
        assert_eq!(shown(Path::new("/a/b/c"), Path::new("/a")), "b/c");
        assert_eq!(shown(Path::new("/x/y"), Path::new("/a")), "/x/y");
    }
}
