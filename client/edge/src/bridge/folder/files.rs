//! Files that appear, change and go in one step.
//!
//! It follows no links inside the folder: a link where a folder belongs is refused.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::FolderError;
use super::layout::UNFINISHED;

fn failed(path: &Path) -> impl Fn(std::io::Error) -> FolderError {
    |cause| FolderError::Files { path: path.to_owned(), cause }
}

/// What a file holds; `None` when there is none.
pub(super) fn read(root: &Path, relative: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    let path = root.join(relative);
    if !is_within(root, relative)? {
        return Ok(None);
    }
    match std::fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => std::fs::read(&path).map(Some).map_err(failed(&path)),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(cause) => Err(failed(&path)(cause)),
    }
}

/// Writes a file beside its place, syncs it, and moves it there.
pub(super) fn put(root: &Path, relative: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let folder = make_folder(root, relative)?;
    let (unfinished, path) = (folder.join(UNFINISHED), root.join(relative));
    // A link that lies there is not written through.
    remove_if_there(&unfinished)?;
    let write = || {
        let mut file = File::create_new(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed(&unfinished))?;
    std::fs::rename(&unfinished, &path).map_err(failed(&path))?;
    sync(&folder)
}

/// Removes a file, and the folders that are empty then; whether it was there.
pub(super) fn remove(root: &Path, relative: &Path) -> Result<bool, FolderError> {
    if !is_within(root, relative)? || !remove_if_there(&root.join(relative))? {
        return Ok(false);
    }
    let mut left = relative.parent();
    while let Some(folder) = left.filter(|folder| !folder.as_os_str().is_empty()) {
        // It fails when something lies in there, and that is well.
        if std::fs::remove_dir(root.join(folder)).is_err() {
            break;
        }
        left = folder.parent();
    }
    sync(&root.join(left.unwrap_or(Path::new(""))))?;
    Ok(true)
}

/// All files below, with their paths relative to `root`. Links are not followed.
pub(super) fn list(root: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in std::fs::read_dir(&path).map_err(failed(&path))? {
            let entry = entry.map_err(failed(&path))?;
            let kind = entry.file_type().map_err(failed(&path))?;
            let own = folder.join(entry.file_name());
            if kind.is_dir() {
                folders.push(own);
            } else if kind.is_file() {
                found.push(own);
            }
        }
    }
    Ok(found)
}

/// Whether the way to a file leads through folders only: behind a link nothing is the bridge's.
fn is_within(root: &Path, relative: &Path) -> Result<bool, FolderError> {
    let mut folder = root.to_owned();
    for part in relative.parent().into_iter().flat_map(Path::iter) {
        folder.push(part);
        match std::fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(failed(&folder)(cause)),
        }
    }
    Ok(true)
}

fn remove_if_there(path: &Path) -> Result<bool, FolderError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(cause) => Err(failed(path)(cause)),
    }
}

/// Makes the folders on the way to a file, each durable, and returns the last one.
fn make_folder(root: &Path, relative: &Path) -> Result<PathBuf, FolderError> {
    let mut folder = root.to_owned();
    for part in relative.parent().into_iter().flat_map(Path::iter) {
        let above = folder.clone();
        folder.push(part);
        match std::fs::create_dir(&folder) {
            Ok(()) => sync(&above)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let metadata = std::fs::symlink_metadata(&folder).map_err(failed(&folder))?;
                if !metadata.is_dir() {
                    return Err(FolderError::NoFolder(folder));
                }
            }
            Err(cause) => return Err(failed(&folder)(cause)),
        }
    }
    Ok(folder)
}

fn sync(folder: &Path) -> Result<(), FolderError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_change_and_go_with_their_folders() {
        let root = tempfile::tempdir().expect("a folder");
        let (root, file) = (root.path(), Path::new("devices/a/modules/m/twin.json"));
        assert_eq!(read(root, file).expect("readable"), None);
        put(root, file, b"one").expect("written");
        put(root, file, b"two").expect("written");
        put(root, Path::new("devices/a/twin.json"), b"x").expect("written");
        assert_eq!(read(root, file).expect("readable").as_deref(), Some(&b"two"[..]));
        assert_eq!(list(root).expect("listed").len(), 2, "nothing unfinished is left");
        assert!(remove(root, file).expect("removed") && !remove(root, file).expect("it is gone"));
        assert!(!root.join("devices/a/modules").exists() && root.join("devices/a/twin.json").exists());
        assert!(remove(root, Path::new("devices/a/twin.json")).expect("removed"));
        assert_eq!(std::fs::read_dir(root).expect("read").count(), 0);
    }

    #[test]
    fn links_are_not_followed() {
        let (root, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::fs::write(elsewhere.path().join("twin.json"), "precious").expect("written");
        std::fs::create_dir(root.path().join("devices")).expect("made");
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("devices/a")).expect("linked");
        let file = Path::new("devices/a/twin.json");
        assert!(matches!(put(root.path(), file, b"x"), Err(FolderError::NoFolder(_))));
        assert!(list(root.path()).expect("listed").is_empty());
        assert_eq!(read(root.path(), file).expect("nothing of ours"), None);
        assert!(!remove(root.path(), file).expect("nothing of ours"));
        assert!(elsewhere.path().join("twin.json").exists());
        let precious = elsewhere.path().join("twin.json");
        std::fs::create_dir(root.path().join("assets")).expect("made");
        std::os::unix::fs::symlink(&precious, root.path().join("assets").join(UNFINISHED)).expect("linked");
        put(root.path(), Path::new("assets/x.json"), b"x").expect("written");
        assert_eq!(std::fs::read_to_string(precious).expect("there"), "precious");
    }
}
