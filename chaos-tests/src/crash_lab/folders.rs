//! Copies of data folders.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Copies a folder into `to`, which it makes anew. Files with several names keep them: what damages one damages the
/// other.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy_into(from, to, &mut HashMap::new())
}

fn copy_into(from: &Path, to: &Path, known: &mut HashMap<u64, PathBuf>) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, about) = (to.join(entry.file_name()), entry.metadata()?);
        if about.is_dir() {
            copy_into(&entry.path(), &path, known)?;
        } else if let Some(first) = known.get(&about.ino()) {
            fs::hard_link(first, &path)?;
        } else {
            fs::copy(entry.path(), &path)?;
            known.insert(about.ino(), path);
        }
    }
    Ok(())
}

/// All files below a folder, by their paths in it, in order.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A folder for images: in memory where the system has such a place.
///
/// # Errors
/// When none can be made.
pub fn for_images() -> anyhow::Result<tempfile::TempDir> {
    let shared = Path::new("/dev/shm");
    let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    Ok(tempfile::TempDir::with_prefix_in("muster-crash-", parent)?)
}
