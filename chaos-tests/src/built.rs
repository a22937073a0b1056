//! Where what was built lies, and the data that tests read.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A binary of this workspace, built beside the test that runs.
///
/// # Errors
/// When it is not built; says how to build it.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os(format!("{}_BINARY", name.to_uppercase())) {
        return Ok(path.into());
    }
    // A test lies one folder below the binaries, a binary beside them.
    let own = std::env::current_exe()?;
    let paths: Vec<PathBuf> = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).collect();
    let path = paths.iter().find(|path| path.exists()).or(paths.last()).context("there is no target folder")?.clone();
    ensure!(path.exists(), "{} is not built; run `cargo build --workspace` first", path.display());
    Ok(path)
}

/// The sample data of the workspace's tests, kept beside the repository.
///
/// # Errors
/// When it is absent; says where it is looked for.
pub fn shared_data(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    ensure!(path.exists(), "this test needs {}, which is kept beside the repository", path.display());
    Ok(path)
}
