//! Entries that were refused: what is kept of each, and the file they are written to.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use muster_client::{CallError, proto};
use serde::Serialize;

use super::resume::places;

/// Why an entry was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    /// The line it begins on, from 1.
    pub(crate) line: u64,
    /// The device, `device/module` or `kind/name`; empty when it could not be read.
    pub(crate) id: String,
    /// A stable code: the server's, or one of this command's own (`NOT_JSON`, `LINE_TOO_LONG`, `INVALID_ENTRY`, …).
    pub(crate) reason: String,
    /// A sentence.
    pub(crate) message: String,
    /// The field at fault; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) field: String,
}

impl Refusal {
    pub(crate) fn new(line: u64, id: impl Into<String>, reason: &str, message: impl Into<String>) -> Self {
        Self { line, id: id.into(), reason: reason.to_owned(), message: message.into(), field: String::new() }
    }

    /// A refusal by the server of one element of a batch.
    pub(crate) fn of_item(line: u64, id: String, error: proto::ItemError) -> Self {
        Self { line, id, reason: error.reason, message: error.message, field: error.field }
    }

    /// A refusal by the server of a single call.
    pub(crate) fn of_call(line: u64, id: String, error: &CallError) -> Self {
        let field = error.field_violations().first().map(|violation| violation.field.clone()).unwrap_or_default();
        let reason = error.reason().map_or_else(|| format!("{:?}", error.code()), str::to_owned);
        Self { line, id, reason, message: error.message().to_owned(), field }
    }
}

/// The file, made when the first refusal comes.
#[derive(Debug)]
pub(crate) struct ErrorFile {
    /// Where to write, in order of preference; never empty.
    places: Vec<PathBuf>,
    file: Option<BufWriter<File>>,
    append: bool,
    count: u64,
}

impl ErrorFile {
    /// The file the person named, or one beside the import file.
    pub(crate) fn new(given: Option<&Path>, import: &Path, append: bool) -> Self {
        let places = given.map_or_else(|| places(import, ".errors.ndjson"), |path| vec![path.to_owned()]);
        Self { places, file: None, append, count: 0 }
    }

    /// Where refusals are.
    pub(crate) fn path(&self) -> &Path {
        self.places.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// How many were added.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Adds refusals, and has them written when it returns.
    pub(crate) fn add(&mut self, refusals: &[Refusal]) -> anyhow::Result<()> {
        if refusals.is_empty() {
            return Ok(());
        }
        let context = || "cannot write the error file".to_owned();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => BufWriter::new(self.open().with_context(context)?),
        };
        for refusal in refusals {
            serde_json::to_writer(&mut file, refusal).with_context(context)?;
            file.write_all(b"\n").with_context(context)?;
        }
        file.flush().with_context(context)?;
        self.count += refusals.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    fn open(&mut self) -> std::io::Result<File> {
        loop {
            let opened =
                File::options().create(true).write(true).append(self.append).truncate(!self.append).open(self.path());
            if opened.is_ok() || self.places.len() <= 1 {
                return opened;
            }
            self.places.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_makes_no_file() {
        let folder = tempfile::tempdir().expect("temp dir");
        let import = folder.path().join("fleet.ndjson");
        let mut file = ErrorFile::new(None, &import, false);
        file.add(&[]).expect("nothing to write");
        assert!(!file.path().exists());
        file.add(&[Refusal::new(3, "pump7", "NOT_JSON", "is not JSON")]).expect("temp dir is writable");
        let text = std::fs::read_to_string(folder.path().join("fleet.ndjson.errors.ndjson")).expect("was written");
        assert_eq!(text, "{\"line\":3,\"id\":\"pump7\",\"reason\":\"NOT_JSON\",\"message\":\"is not JSON\"}\n");
        assert_eq!(file.count(), 1);
    }
}
