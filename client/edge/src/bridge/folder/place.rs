//! Whether a folder is this bridge's: it made it, and left a file that says for which edge.

use std::path::Path;

use super::FolderError;
use super::files;

/// The file that says so.
const MARKER: &str = ".muster-edge";

/// Makes the folder the bridge's, if it is empty or does not exist, or finds that it is.
///
/// # Errors
/// When it holds somebody else's files, or is another edge's.
pub(super) fn claim(path: &Path, edge: &str) -> Result<(), FolderError> {
    let failed = |cause| FolderError::Files { path: path.to_owned(), cause };
    std::fs::create_dir_all(path).map_err(failed)?;
    match std::fs::read_to_string(path.join(MARKER)) {
        Ok(owner) if owner.trim() == edge => Ok(()),
        Ok(owner) => Err(FolderError::OtherEdge { path: path.to_owned(), edge: owner.trim().to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut entries = std::fs::read_dir(path).map_err(failed)?;
            // A start that ended before the marker was whole leaves this behind.
            if entries.any(|entry| entry.map_or(true, |entry| entry.file_name() != super::layout::UNFINISHED)) {
                return Err(FolderError::NotOurs(path.to_owned()));
            }
            files::put(path, Path::new(MARKER), format!("{edge}\n").as_bytes())
        }
        Err(cause) => Err(failed(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: &str = "namespaces/plant1/edges/press-hall";

    #[test]
    fn a_folder_is_claimed_once_and_known_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/resources");
        claim(&path, EDGE).expect("it is made");
        std::fs::write(path.join("notes.txt"), "x").expect("written");
        claim(&path, EDGE).expect("it is ours, whatever lies in it");
        let error = claim(&path, "namespaces/plant1/edges/other").expect_err("another edge's").to_string();
        assert!(error.ends_with("is that of namespaces/plant1/edges/press-hall"), "{error}");
    }

    #[test]
    fn a_folder_with_other_files_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("precious"), "x").expect("written");
        let error = claim(folder.path(), EDGE).expect_err("not ours").to_string();
        assert!(error.contains("was not made by this bridge"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
        assert!(claim(&folder.path().join("precious"), EDGE).is_err(), "a file is no folder");
    }

    #[test]
    fn a_start_that_was_cut_short_is_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(super::super::layout::UNFINISHED), "names").expect("written");
        claim(folder.path(), EDGE).expect("claimed");
        claim(folder.path(), EDGE).expect("known again");
    }
}
