//! As `std::fs`, for what lies below `/sim/`; other paths are those of the real file system.

mod file;

pub use ::std::fs::{Permissions, TryLockError};
pub use ::std::os::unix::fs::PermissionsExt;

pub use file::{File, FileExt, OpenOptions, OpenOptionsExt};

use ::std::ffi::OsString;
use ::std::io::{self, Read, Write};
use ::std::path::{Path, PathBuf};

use crate::disk::{self, Entry};

/// As `std::fs::Metadata`, with what the node asks for.
#[derive(Clone, Copy, Debug)]
pub struct Metadata {
    length: u64,
    is_folder: bool,
}

impl Metadata {
    /// As in `std`.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "std's has none either")]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// As in `std`.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.is_folder
    }

    /// As in `std`.
    #[must_use]
    pub fn is_file(&self) -> bool {
        !self.is_folder
    }

    /// Simulated files are their owner's alone.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions::from_mode(if self.is_folder { 0o700 } else { 0o600 })
    }
}

/// As `std::fs::FileType`.
#[derive(Clone, Copy, Debug)]
pub struct FileType(Entry);

impl FileType {
    /// As in `std`.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.0, Entry::File(_))
    }

    /// As in `std`.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        matches!(self.0, Entry::Folder)
    }
}

/// As `std::fs::DirEntry`.
#[derive(Clone, Debug)]
pub struct DirEntry {
    path: PathBuf,
    entry: Entry,
}

impl DirEntry {
    /// As in `std`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// As in `std`.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.path.file_name().unwrap_or_default().to_owned()
    }

    /// As in `std`.
    ///
    /// # Errors
    /// Never.
    pub fn file_type(&self) -> io::Result<FileType> {
        Ok(FileType(self.entry))
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When it is gone.
    pub fn metadata(&self) -> io::Result<Metadata> {
        metadata(&self.path)
    }
}

/// As `std::fs::ReadDir`, in the order of names.
#[derive(Debug)]
pub struct ReadDir(::std::vec::IntoIter<DirEntry>);

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Ok)
    }
}

/// As `std::fs::DirBuilder`.
#[derive(Debug, Default)]
pub struct DirBuilder {
    recursive: bool,
}

/// As `std::os::unix::fs::DirBuilderExt`.
pub trait DirBuilderExt {
    /// As in `std`.
    fn mode(&mut self, mode: u32) -> &mut Self;
}

impl DirBuilderExt for DirBuilder {
    fn mode(&mut self, _mode: u32) -> &mut Self {
        self
    }
}

impl DirBuilder {
    /// As in `std`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As in `std`.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        if self.recursive { create_dir_all(path) } else { create_dir(path) }
    }
}

/// As a disk knows a path.
fn on_disk(path: &Path) -> io::Result<PathBuf> {
    disk::place(path).map(|place| place.path).ok_or_else(|| io::ErrorKind::CrossesDevices.into())
}

/// As in `std`.
///
/// # Errors
/// When it is not there.
pub fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    disk::with(path, |disk, path| {
        Ok(match disk.entry(path)? {
            Entry::Folder => Metadata { length: 0, is_folder: true },
            Entry::File(inode) => Metadata { length: disk.file(inode)?.len() as u64, is_folder: false },
        })
    })
}

/// As in `std`.
///
/// # Errors
/// When the disk does not say.
pub fn exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// As in `std`.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    if disk::place(path.as_ref()).is_none() {
        return ::std::fs::read(path);
    }
    let mut content = Vec::new();
    File::open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// As in `std`.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// As in `std`.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
    File::create(path)?.write_all(content.as_ref())
}

/// As in `std`.
///
/// # Errors
/// When it cannot be read or written.
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let content = read(from)?;
    write(to, &content)?;
    Ok(content.len() as u64)
}

/// As in `std`.
///
/// # Errors
/// When it is no folder.
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref();
    disk::with(path, |disk, there| match disk.entry(there)? {
        Entry::Folder => {
            let named =
                |(there, entry): (PathBuf, Entry)| Some(DirEntry { path: path.join(there.file_name()?), entry });
            let entries = disk.children(there).into_iter().filter_map(named);
            Ok(ReadDir(entries.collect::<Vec<_>>().into_iter()))
        }
        Entry::File(_) => Err(io::ErrorKind::NotADirectory.into()),
    })
}

/// As in `std`.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    disk::with(path, |disk, path| disk.make_folder(path))
}

/// As in `std`.
///
/// # Errors
/// When one cannot be made.
pub fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    if exists(path)? {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_dir_all(parent)?;
    }
    create_dir(path)
}

/// As in `std`.
///
/// # Errors
/// When it is not there.
pub fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    disk::with(path, |disk, path| disk.remove(path))
}

/// As in `std`.
///
/// # Errors
/// When it is not there, or not empty.
pub fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    remove_file(path)
}

/// As in `std`.
///
/// # Errors
/// When it is not there, or the machine dies meanwhile.
pub fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    for entry in read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { remove_dir_all(entry.path())? } else { remove_file(entry.path())? }
    }
    remove_dir(path)
}

/// As in `std`.
///
/// # Errors
/// When what it names is not there.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    disk::with(from, |disk, from| disk.rename(from, &on_disk(to)?))
}

/// As in `std`.
///
/// # Errors
/// When what it names is not there, or the new name is.
pub fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    disk::with(from, |disk, from| disk.link(from, &on_disk(to)?))
}

/// Simulated files are their owner's alone.
///
/// # Errors
/// When it is not there.
pub fn set_permissions(path: impl AsRef<Path>, _permissions: Permissions) -> io::Result<()> {
    metadata(path).map(|_| ())
}
