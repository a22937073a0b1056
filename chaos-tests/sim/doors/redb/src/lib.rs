//! Stands in for `redb`: it is redb, and its files lie on the simulated disk.

pub use ::redb::*;

use std::ops::Deref;
use std::path::Path;

use muster_sim_std::fs::OpenOptions;

/// As `redb::backends`.
pub mod backends {
    use std::io;
    use std::ops::Bound;

    use ::redb::{BackendError, DatabaseError, StorageBackend};
    use muster_sim_std::fs::{File, FileExt};

    /// As `redb::backends::FileBackend`.
    #[derive(Debug)]
    pub struct FileBackend(File);

    impl FileBackend {
        /// As in `redb`.
        ///
        /// # Errors
        /// When somebody has it open.
        pub fn new(file: File) -> Result<Self, DatabaseError> {
            file.try_lock().map_err(|_| DatabaseError::DatabaseAlreadyOpen)?;
            Ok(Self(file))
        }
    }

    impl StorageBackend for FileBackend {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.metadata()?.len())
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read_exact_at(out, offset)
        }

        fn set_len(&self, length: u64) -> io::Result<()> {
            self.0.set_len(length)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.0.write_all_at(data, offset)
        }

        fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
            Ok(true)
        }

        fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
            Ok(true)
        }

        fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
            Ok(false)
        }
    }
}

/// As `redb::Database`.
#[derive(Debug)]
pub struct Database(::redb::Database);

impl Deref for Database {
    type Target = ::redb::Database;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Database {
    /// As in `redb`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        Self::builder().create_with_backend(backends::FileBackend::new(file.map_err(StorageError::from)?)?)
    }

    /// As in `redb`.
    #[must_use]
    pub fn builder() -> Builder {
        Builder(::redb::Database::builder())
    }
}

/// As `redb::Builder`.
pub struct Builder(::redb::Builder);

impl Builder {
    /// As in `redb`.
    pub fn set_check_integrity_on_open(&mut self, check: bool) -> &mut Self {
        self.0.set_check_integrity_on_open(check);
        self
    }

    /// As in `redb`.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn create_with_backend(&self, backend: impl StorageBackend) -> Result<Database, DatabaseError> {
        self.0.create_with_backend(backend).map(Database)
    }
}
