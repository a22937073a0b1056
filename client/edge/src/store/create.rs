//! Making a store, finding one, and setting one aside.
//!
//! - The file is made whole and synced under another name, then renamed, and only then the marker is written. So a file
//!   without a marker is whole, and a marker without its file means that a store was lost.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use muster_proto::stored::v1::EdgeAgentState;
use redb::Database;

use super::{ITEMS, QUEUE, STATE, STATE_KEY, StoreError, record};

/// Fills an array with random bytes.
pub type Chance<'a> = &'a mut dyn FnMut() -> [u8; 16];

const FILE: &str = "edge.redb";
const UNFINISHED: &str = "edge.redb.new";
const MARKER: &str = "STORE";

/// The path of the store's file, which is there and whole.
pub(super) fn find_or_create(folder: &Path, edge: &str, chance: Chance<'_>) -> Result<PathBuf, StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(StoreError::files(folder))?;
    let (path, marker) = (folder.join(FILE), folder.join(MARKER));
    match (exists(&path)?, exists(&marker)?) {
        (true, _) => Ok(path),
        (false, true) => Err(StoreError::Gone { path, marker }),
        (false, false) => {
            create(folder, &path, edge, chance)?;
            Ok(path)
        }
    }
}

fn create(folder: &Path, path: &Path, edge: &str, chance: Chance<'_>) -> Result<(), StoreError> {
    let unfinished = folder.join(UNFINISHED);
    if exists(&unfinished)? {
        fs::remove_file(&unfinished).map_err(StoreError::files(&unfinished))?;
    }
    let state = EdgeAgentState {
        edge: edge.to_owned(),
        incarnation: chance().to_vec().into(),
        session: chance().to_vec().into(),
        ..EdgeAgentState::default()
    };
    let written = write_first(&unfinished, &state);
    written.map_err(|cause| StoreError::Write { path: unfinished.clone(), cause: Box::new(cause) })?;
    fs::rename(&unfinished, path).map_err(StoreError::files(path))?;
    sync_folder(folder)
}

fn write_first(path: &Path, state: &EdgeAgentState) -> Result<(), redb::Error> {
    let database = Database::create(path)?;
    let transaction = database.begin_write()?;
    transaction.open_table(ITEMS)?;
    transaction.open_table(QUEUE)?;
    transaction.open_table(STATE)?.insert(STATE_KEY, record::encode_state(state).as_slice())?;
    Ok(transaction.commit()?)
}

/// The marker names the incarnation of the file. Without one it is written now.
pub(super) fn check_marker(folder: &Path, incarnation: &[u8]) -> Result<(), StoreError> {
    let path = folder.join(MARKER);
    let expected = hex(incarnation);
    match fs::read_to_string(&path) {
        Ok(found) if found.trim() == expected => Ok(()),
        Ok(found) => {
            let what = format!("{} says incarnation {}, the file is of {expected}", path.display(), found.trim());
            Err(StoreError::damaged(&folder.join(FILE), what))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => write_marker(folder, &path, &expected),
        Err(error) => Err(StoreError::files(&path)(error)),
    }
}

fn write_marker(folder: &Path, path: &Path, text: &str) -> Result<(), StoreError> {
    let unfinished = folder.join("STORE.new");
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    write().map_err(StoreError::files(path))?;
    sync_folder(folder)
}

/// Moves the store out of the way, so that the next start makes a new one; returns where it lies now. `label` tells it
/// from others that were set aside.
///
/// # Errors
/// When a file cannot be renamed.
pub fn set_aside(folder: &Path, label: &str) -> Result<Option<PathBuf>, StoreError> {
    let (path, marker) = (folder.join(FILE), folder.join(MARKER));
    let aside = folder.join(format!("{FILE}.{label}"));
    // The marker goes last: a reset that was cut short in between still says that there was a store.
    let moved = if exists(&path)? {
        fs::rename(&path, &aside).map_err(StoreError::files(&path))?;
        Some(aside)
    } else {
        None
    };
    sync_folder(folder)?;
    if exists(&marker)? {
        fs::remove_file(&marker).map_err(StoreError::files(&marker))?;
    }
    sync_folder(folder)?;
    Ok(moved)
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    fs::exists(path).map_err(StoreError::files(path))
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::files(folder))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
