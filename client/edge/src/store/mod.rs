//! The agent's store: items, queue and state in one redb file, changed in transactions.
//!
//! ```text
//!   STORE        which incarnation the file beside it holds; written once, after the file is whole
//!   RESERVE      zeros: room for the writes that are under way when the disk becomes full
//!   edge.redb    items: name → item    queue: key → operation    state: one record
//! ```
//!
//! It knows nothing of sessions and marks: [`crate::protocol`] says what is written, and together with what. Invariants:
//!
//! - [`Store::commit`] writes all or nothing. A durable one returns after the sync; one that is not durable may be lost in
//!   a crash as a whole, with others after it, until the next durable one.
//! - A store that is damaged, torn, another edge's or gone is an error, and never taken for an empty one. An item alone
//!   that is damaged is reported and left out of the index, so that the next mark brings it again.

mod backend;
mod create;
mod error;
mod load;
mod read;
mod record;
mod room;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Database, Durability, TableDefinition};

use crate::failpoint::{self, Point};
use crate::protocol::Write;

pub(crate) use create::hex;
pub use create::{Chance, set_aside};
pub use error::StoreError;
pub use load::Loaded;
pub use read::{Listed, Reader};
pub use room::{Left, Room};

const ITEMS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("items");
const QUEUE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("queue");
const STATE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("state");
/// The one key of [`STATE`].
const STATE_KEY: &str = "state";

/// An open store; no other process has it open.
#[derive(Debug)]
pub struct Store {
    database: Arc<Database>,
    path: PathBuf,
}

impl Store {
    /// Opens the store in `folder`, or makes one if there was none, and reads what the agent keeps in memory.
    ///
    /// # Errors
    /// When it is damaged, torn, gone, open elsewhere, or another edge's.
    pub fn open(folder: &Path, edge: &str, chance: Chance<'_>) -> Result<(Self, Loaded), StoreError> {
        Self::open_in(&Arc::new(Room::new(folder, 0)), folder, edge, chance)
    }

    /// The same, with writes that wait for room.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_in(
        room: &Arc<Room>,
        folder: &Path,
        edge: &str,
        chance: Chance<'_>,
    ) -> Result<(Self, Loaded), StoreError> {
        let path = create::find_or_create(folder, edge, chance)?;
        let database = open_file(&path, room)?;
        let store = Self { database: Arc::new(database), path };
        let loaded = load::load(&store.database, &store.path, edge)?;
        create::check_marker(folder, &loaded.state.incarnation)?;
        Ok((store, loaded))
    }

    /// Makes the writes, all or none. Returns after the sync when `durable`.
    ///
    /// # Errors
    /// When the disk fails. What is in memory is ahead of the store then: the agent has to end.
    pub fn commit(&self, writes: &[Write], durable: bool) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        failpoint::reach(Point::CommitBefore);
        self.write(writes, durable)
            .map_err(|cause| StoreError::Write { path: self.path.clone(), cause: Box::new(cause) })?;
        failpoint::reach(Point::CommitAfter);
        Ok(())
    }

    fn write(&self, writes: &[Write], durable: bool) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        {
            let mut items = transaction.open_table(ITEMS)?;
            let mut queue = transaction.open_table(QUEUE)?;
            let mut state = transaction.open_table(STATE)?;
            for write in writes {
                match write {
                    Write::State(value) => {
                        state.insert(STATE_KEY, record::encode_state(value).as_slice())?;
                    }
                    Write::PutItem(item) => {
                        items.insert(item.name.as_str(), record::encode_item(item).as_slice())?;
                    }
                    Write::RemoveItem(name) => {
                        items.remove(name.as_str())?;
                    }
                    Write::Enqueue(key, queued) => {
                        queue.insert(key, record::encode_queued(*key, queued).as_slice())?;
                    }
                    Write::Unqueue(key) => {
                        queue.remove(key)?;
                    }
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// For those who read beside the one who writes.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.database))
    }
}

/// Opens a file that is there. Every page is held against its checksum: what was damaged outside of the database would
/// otherwise be found in the middle of something, or not at all.
fn open_file(path: &Path, room: &Arc<Room>) -> Result<Database, StoreError> {
    let file = File::options().read(true).write(true).open(path).map_err(StoreError::files(path))?;
    // An empty file would be taken for a database that is to be made.
    if file.metadata().map_err(StoreError::files(path))?.len() == 0 {
        return Err(StoreError::damaged(path, "it is empty"));
    }
    let opened = FileBackend::new(file).and_then(|file| {
        let backend = backend::Patient::new(file, Arc::clone(room));
        Database::builder().set_check_integrity_on_open(true).create_with_backend(backend)
    });
    opened.map_err(|cause| StoreError::open(path, cause))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod torn;
