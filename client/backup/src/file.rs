//! Writes a backup that is one file. What is written becomes visible under its name only when it is whole and synced.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{BackupError, io_failed};
use crate::manifest::{self, Manifest};

/// A backup being written into one file.
#[derive(Debug)]
pub struct FileWriter {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    finished: bool,
}

impl FileWriter {
    /// Begins a backup at `path`.
    ///
    /// # Errors
    /// When `path` exists already or cannot be written.
    pub fn begin(path: &Path, sealed: &[u8]) -> Result<Self, BackupError> {
        manifest::open(path, sealed)?;
        if path.exists() {
            let what = "it exists already; a backup never replaces a file".to_owned();
            return Err(BackupError::Choice { path: path.to_owned(), what });
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".part");
        let temporary = PathBuf::from(temporary);
        let mut out = BufWriter::new(private(&temporary)?);
        out.write_all(sealed).map_err(io_failed("write", &temporary))?;
        Ok(Self { path: path.to_owned(), temporary, out, finished: false })
    }

    /// Adds content; files follow each other in the order of the manifest. That it fits is checked at the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, data: &[u8]) -> Result<(), BackupError> {
        self.out.write_all(data).map_err(io_failed("write", &self.temporary))
    }

    /// Reads everything back, checks it, and gives it its name.
    ///
    /// # Errors
    /// When it is not what the manifest says, or cannot be synced.
    pub fn finish(mut self) -> Result<Manifest, BackupError> {
        self.out.flush().map_err(io_failed("write", &self.temporary))?;
        self.out.get_ref().sync_all().map_err(io_failed("sync", &self.temporary))?;
        let verified = crate::Backup::open(&self.temporary, None)?.verify(|_| {})?;
        fs::rename(&self.temporary, &self.path).map_err(io_failed("name", &self.path))?;
        self.finished = true;
        sync_parent(&self.path)?;
        Ok(verified.manifest)
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: what is left over is overwritten by the next try.
            drop(fs::remove_file(&self.temporary));
        }
    }
}

/// A new file that only its owner reads: a backup holds the whole fleet.
pub(crate) fn private(path: &Path) -> Result<File, BackupError> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(io_failed("create", path))
}

pub(crate) fn sync_parent(path: &Path) -> Result<(), BackupError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_failed("sync", parent))
}
