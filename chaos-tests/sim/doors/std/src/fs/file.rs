//! As `std::fs::File`. A handle belongs to the life of the process that opened it: later it is dead.

use ::std::fmt;
use ::std::io::{self, Read, Seek, SeekFrom, Write};
use ::std::path::{Path, PathBuf};
use ::std::sync::atomic::{AtomicU64, Ordering};

use super::{Metadata, TryLockError};
use crate::disk::{self, Disk, Entry};

static HANDLES: AtomicU64 = AtomicU64::new(0);

/// As `std::fs::File`.
pub struct File {
    handle: u64,
    name: String,
    path: PathBuf,
    life: u64,
    entry: Entry,
    place: AtomicU64,
    appends: bool,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

/// As `std::fs::OpenOptions`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "so are std's")]
pub struct OpenOptions {
    create: bool,
    create_new: bool,
    truncate: bool,
    append: bool,
}

/// As `std::os::unix::fs::OpenOptionsExt`.
pub trait OpenOptionsExt {
    /// As in `std`.
    fn mode(&mut self, mode: u32) -> &mut Self;
}

impl OpenOptionsExt for OpenOptions {
    fn mode(&mut self, _mode: u32) -> &mut Self {
        self
    }
}

impl OpenOptions {
    /// As in `std`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As in `std`; all simulated files may be read.
    pub fn read(&mut self, _read: bool) -> &mut Self {
        self
    }

    /// As in `std`; all simulated files may be written.
    pub fn write(&mut self, _write: bool) -> &mut Self {
        self
    }

    /// As in `std`.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.create = create;
        self
    }

    /// As in `std`.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.create_new = create_new;
        self
    }

    /// As in `std`.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.truncate = truncate;
        self
    }

    /// As in `std`.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.append = append;
        self
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        let place = disk::place(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let (life, entry) = disk::with(path, |disk, path| {
            let entry = match disk.entry(path) {
                Ok(_) if self.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
                Ok(entry) => entry,
                Err(error) if error.kind() == io::ErrorKind::NotFound && (self.create || self.create_new) => {
                    Entry::File(disk.make_file(path)?)
                }
                Err(error) => return Err(error),
            };
            if let Entry::File(inode) = entry {
                let file = disk.file(inode)?;
                if self.truncate && file.len() > 0 {
                    file.resize(0);
                }
                file.handles += 1;
            }
            Ok((disk.life, entry))
        })?;
        let handle = HANDLES.fetch_add(1, Ordering::SeqCst);
        Ok(File {
            handle,
            name: place.name,
            path: place.path,
            life,
            entry,
            place: AtomicU64::new(0),
            appends: self.append,
        })
    }
}

impl File {
    /// As in `std`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When it cannot be made, or is there.
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    /// As in `std`.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Simulated files are their owner's alone.
    ///
    /// # Errors
    /// Never.
    pub fn set_permissions(&self, _: super::Permissions) -> io::Result<()> {
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Disk, u64) -> io::Result<T>) -> io::Result<T> {
        disk::with_file(&self.name, Some(self.life), |disk| match self.entry {
            Entry::File(inode) => work(disk, inode),
            Entry::Folder => Err(io::ErrorKind::IsADirectory.into()),
        })
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not do it.
    pub fn sync_all(&self) -> io::Result<()> {
        disk::with_file(&self.name, Some(self.life), |disk| match self.entry {
            Entry::File(inode) => disk.sync_file(inode),
            Entry::Folder => disk.sync_folder(&self.path),
        })
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not do it.
    pub fn sync_data(&self) -> io::Result<()> {
        self.sync_all()
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not do it.
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(|disk, inode| {
            disk.file(inode)?.resize(usize::try_from(length).map_err(io::Error::other)?);
            Ok(())
        })
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not say.
    pub fn metadata(&self) -> io::Result<Metadata> {
        let length = self.with(|disk, inode| Ok(disk.file(inode)?.len() as u64))?;
        Ok(Metadata { length, is_folder: false })
    }

    /// As in `std`.
    ///
    /// # Errors
    /// When somebody has it locked.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        match self.with(|disk, inode| Ok(disk.try_lock(inode, self.handle))) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TryLockError::WouldBlock),
            Err(error) => Err(TryLockError::Error(error)),
        }
    }

    fn read_here(&self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(into, self.place.load(Ordering::Relaxed))?;
        self.place.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn write_here(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.appends {
            self.place.store(self.metadata()?.len(), Ordering::Relaxed);
        }
        self.write_all_at(bytes, self.place.load(Ordering::Relaxed))?;
        self.place.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let (life, handle) = (self.life, self.handle);
        if let Entry::File(inode) = self.entry {
            disk::closed(&self.name, life, inode, handle);
        }
    }
}

/// As `std::os::unix::fs::FileExt`.
pub trait FileExt {
    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not do it.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not do it.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// As in `std`.
    ///
    /// # Errors
    /// When the disk does not do it, or there is not so much.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_at(into, offset)? == into.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl FileExt for File {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|disk, inode| Ok(disk.file(inode)?.read(offset, into)))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|disk, inode| disk.write(inode, offset, bytes))
    }
}

impl Read for File {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_here(into)
    }
}

impl Read for &File {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_here(into)
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_here(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_here(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.metadata()?.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.place.load(Ordering::Relaxed).checked_add_signed(by),
        };
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.place.store(place, Ordering::Relaxed);
        Ok(place)
    }
}
