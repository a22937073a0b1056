//! Writing the few small files a node makes itself: owner-only, synced, whole or not at all.
//!
//! Deliberately does not know what is in them.
//!
//! - A file is complete under its name or absent: written beside it, synced, then linked into place.
//! - [`create_private`] never replaces: of two processes that race, one gets `AlreadyExists`.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Makes a folder and its missing parents, readable by the owner only.
///
/// # Errors
/// When it cannot be made. An existing folder keeps its permissions.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a new file, readable by the owner only.
///
/// # Errors
/// `AlreadyExists` when there is one of this name; it stays as it was.
pub fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = write_draft(path, content)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked?;
    sync_folder_of(path)
}

/// Writes a file, readable by the owner only, in the place of any that had its name.
///
/// # Errors
/// When it cannot be written; then the earlier file stays.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = write_draft(path, content)?;
    fs::rename(&draft, path).inspect_err(|_| drop(fs::remove_file(&draft)))?;
    sync_folder_of(path)
}

/// Whether others than the owner may read or change the file.
///
/// # Errors
/// When the file cannot be looked at.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

fn write_draft(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let draft = path.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    // An interrupted earlier attempt may have left the draft with other permissions.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(draft)
}

/// Makes durable which names the folder of `path` has.
///
/// # Errors
/// When it cannot be opened or synced.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_the_owners_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("a/b");
        create_private_folder(&inner).expect("made");
        assert_eq!(fs::metadata(&inner).expect("there").permissions().mode() & 0o777, 0o700);
        let path = inner.join("key");
        create_private(&path, b"one").expect("written");
        assert!(!is_open_to_others(&path).expect("there"));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("changed");
        assert!(is_open_to_others(&path).expect("there"));
    }

    #[test]
    fn creating_never_replaces_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("key");
        create_private(&path, b"one").expect("written");
        assert_eq!(create_private(&path, b"two").expect_err("refused").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("there"), b"one");
        replace_private(&path, b"three").expect("replaced");
        assert_eq!(fs::read(&path).expect("there"), b"three");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
