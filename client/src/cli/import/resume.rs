//! What an import has done so far, so that it can go on after an interruption.
//!
//! - A line counts as done when the server has answered for it and, if it was refused, the error file says so.
//! - The file is bound to the content (BLAKE3) and the namespace; for another file or namespace it does not count.
//! - Request ids are made from the import's id and the lines of the batch, so that a batch whose answer was lost has one
//!   effect when it is sent again.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::output::talk;

/// The stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    content: String,
    namespace: String,
    import_id: String,
    /// Inclusive ranges of line numbers, in order, apart from each other.
    done: Vec<(u64, u64)>,
    accepted: u64,
    refused: u64,
}

/// Progress of one import.
#[derive(Debug)]
pub(crate) struct Resume {
    path: PathBuf,
    stored: Stored,
    /// Whether an interrupted import goes on.
    resumed: bool,
    /// False when the default place cannot be written; then an interruption starts over.
    writable: bool,
}

const FORMAT: u32 = 1;

/// Where a file that belongs to `import` may lie: beside it, unless that folder is meant to stay as it is, else here.
pub(crate) fn places(import: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut name = import.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    let folder = import.parent().filter(|folder| !folder.as_os_str().is_empty());
    // An administrator may write even where the permissions say that nobody should.
    let kept = folder.is_some_and(|folder| std::fs::metadata(folder).is_ok_and(|data| data.permissions().readonly()));
    let beside = (!kept).then(|| import.with_file_name(&name));
    beside.into_iter().chain(folder.map(|_| PathBuf::from(&name))).collect()
}

impl Resume {
    /// Takes up the state at `given`, or in one of the places for the import file.
    pub(crate) fn open(given: Option<&Path>, import: &Path, content: &str, namespace: &str) -> anyhow::Result<Self> {
        let places = match given {
            Some(path) => vec![path.to_owned()],
            None => places(import, ".muster-import"),
        };
        let mut last = None;
        for path in places {
            let mut state = Self::load(path, content, namespace)?;
            match state.save() {
                Ok(()) => return Ok(state),
                Err(error) if given.is_some() => return Err(error),
                Err(error) => {
                    state.writable = false;
                    last = Some((state, error));
                }
            }
        }
        let (state, error) = last.context("an import has a place for its state")?;
        talk(format_args!("note: {error:#}; this import cannot be resumed (see --state)"));
        Ok(state)
    }

    fn load(path: PathBuf, content: &str, namespace: &str) -> anyhow::Result<Self> {
        let fresh = Stored {
            format: FORMAT,
            content: content.to_owned(),
            namespace: namespace.to_owned(),
            import_id: muster_client::new_request_id(),
            done: Vec::new(),
            accepted: 0,
            refused: 0,
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, stored: fresh, resumed: false, writable: true });
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let found: Stored = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not the state of an import; delete it to start over", path.display()))?;
        if found.format == FORMAT && found.content == content && found.namespace == namespace {
            return Ok(Self { path, stored: found, resumed: true, writable: true });
        }
        talk(format_args!("{} belongs to another file or namespace: starting over", path.display()));
        Ok(Self { path, stored: fresh, resumed: false, writable: true })
    }

    /// Whether it goes on from before.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether an interruption can be resumed.
    pub(crate) fn is_kept(&self) -> bool {
        self.writable
    }

    /// Accepted and refused, earlier runs included.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.stored.accepted, self.stored.refused)
    }

    /// How many lines are done.
    pub(crate) fn lines_done(&self) -> u64 {
        self.stored.done.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether a line is done.
    pub(crate) fn is_done(&self, line: u64) -> bool {
        let after = self.stored.done.partition_point(|(first, _)| *first <= line);
        after > 0 && self.stored.done[after - 1].1 >= line
    }

    /// The request id of the batch with these lines.
    pub(crate) fn request_id(&self, first: u64, last: u64, entries: usize) -> String {
        let name = format!("{}/{first}/{last}/{entries}", self.stored.import_id);
        blake3::hash(name.as_bytes()).to_hex()[..32].to_owned()
    }

    /// Notes that a range of lines is done.
    pub(crate) fn finish(&mut self, first: u64, last: u64, accepted: u64, refused: u64) -> anyhow::Result<()> {
        let done = &mut self.stored.done;
        let at = done.partition_point(|(start, _)| *start < first);
        done.insert(at, (first, last));
        done.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1 + 1;
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        self.stored.accepted += accepted;
        self.stored.refused += refused;
        if self.writable { self.save() } else { Ok(()) }
    }

    /// The import is through: nothing to resume any more.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        if !self.writable {
            return Ok(());
        }
        std::fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))
    }

    fn save(&self) -> anyhow::Result<()> {
        let context = || format!("cannot write {}", self.path.display());
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".new");
        let mut file = std::fs::File::create(&temporary).with_context(context)?;
        serde_json::to_writer(&mut file, &self.stored).with_context(context)?;
        file.write_all(b"\n").with_context(context)?;
        std::fs::rename(&temporary, &self.path).with_context(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_known_after_an_interruption() {
        let folder = tempfile::tempdir().expect("temp dir");
        let import = folder.path().join("fleet.ndjson");
        let open = |content: &str, namespace: &str| {
            Resume::open(None, &import, content, namespace).expect("temp dir is writable")
        };
        let mut state = open("hash", "plant1");
        assert!(!state.is_resumed());
        state.finish(1, 200, 199, 1).expect("is writable");
        state.finish(401, 600, 200, 0).expect("is writable");
        let id = state.request_id(201, 400, 200);
        drop(state);

        let mut state = open("hash", "plant1");
        assert!(state.is_resumed());
        assert_eq!(state.lines_done(), 400);
        assert_eq!(state.counts(), (399, 1));
        assert_eq!(
            [1, 200, 201, 400, 401, 600, 601].map(|line| state.is_done(line)),
            [true, true, false, false, true, true, false]
        );
        assert_eq!(state.request_id(201, 400, 200), id, "a batch that is sent again is the same request");
        assert_ne!(state.request_id(201, 400, 199), id);
        state.finish(201, 400, 200, 0).expect("is writable");
        assert_eq!(state.stored.done, [(1, 600)]);
        assert!(!open("other", "plant1").is_resumed());
        open("hash", "plant1").remove().expect("exists");
        assert!(!open("hash", "plant1").is_resumed());
    }

    #[test]
    fn a_folder_that_is_to_stay_as_it_is_gets_no_files() {
        let folder = tempfile::tempdir().expect("temp dir");
        let import = folder.path().join("fleet.ndjson");
        assert_eq!(places(&import, ".x"), [folder.path().join("fleet.ndjson.x"), PathBuf::from("fleet.ndjson.x")]);
        assert_eq!(places(Path::new("fleet.ndjson"), ".x"), [PathBuf::from("fleet.ndjson.x")]);
        let mut permissions = std::fs::metadata(folder.path()).expect("exists").permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(folder.path(), permissions).expect("is ours");
        assert_eq!(places(&import, ".x"), [PathBuf::from("fleet.ndjson.x")]);
    }

    #[test]
    fn something_else_in_its_place_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("state");
        std::fs::write(&path, "my notes").expect("temp dir is writable");
        let error = Resume::open(Some(&path), Path::new("fleet.ndjson"), "hash", "n").expect_err("is not a state");
        assert!(error.to_string().contains("delete it"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("exists"), "my notes");
    }
}
