//! File operations whose effect survives a power cut: contents synced, and the directory entries that name them.
//!
//! - A rename counts as done only after its directory is synced.
//! - A tree is published by renaming a finished, synced directory; half a tree is never visible under its final name.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::broken;

/// Syncs a directory, so that the names in it survive.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Replaces a small file as a whole: a reader finds the old or the new content, never a mixture.
///
/// # Errors
/// When any step fails; the old content is then still in place.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_dir(parent(path)?)
}

/// Moves a finished directory to its final name and syncs both parents.
///
/// # Errors
/// When the rename or a sync fails.
pub fn publish_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(parent(to)?)?;
    sync_dir(parent(from)?)
}

/// Fills `to` (created, must not exist) with the regular files of `from`, by hard link where `may_link` says so
/// and by copy otherwise, and syncs everything.
///
/// # Errors
/// When a file cannot be linked, copied or synced.
pub fn link_or_copy_dir(from: &Path, to: &Path, may_link: impl Fn(&str) -> bool) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let name = entry.file_name();
        let target = to.join(&name);
        let linked = may_link(&name.to_string_lossy()) && link(&entry.path(), &target)?;
        if !linked {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    sync_dir(to)
}

/// Whether the file could be linked. Not every file system can; a broken one is no reason to copy.
fn link(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Err(error) if broken::is_broken(&error) => Err(error),
        linked => Ok(linked.is_ok()),
    }
}

/// Removes a directory tree; one that is not there is fine.
///
/// # Errors
/// When something in it cannot be removed.
pub fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path without a parent directory"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{link_or_copy_dir, publish_dir, replace_file};

    #[test]
    fn replacing_leaves_only_the_new_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("CURRENT");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_copied_tree_does_not_share_what_may_not_be_linked() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("1.sst"), b"table").unwrap();
        fs::write(from.join("MANIFEST-1"), b"manifest").unwrap();
        link_or_copy_dir(&from, &to, |name| name.ends_with(".sst")).unwrap();
        fs::write(from.join("MANIFEST-1"), b"changed").unwrap();
        assert_eq!(fs::read(to.join("MANIFEST-1")).unwrap(), b"manifest");
        let published = dir.path().join("published");
        publish_dir(&to, &published).unwrap();
        assert_eq!(fs::read(published.join("1.sst")).unwrap(), b"table");
    }
}
