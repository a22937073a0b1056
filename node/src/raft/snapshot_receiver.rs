//! Receives a snapshot: file by file, each checked against the manifest, and goes on where a broken transfer stopped.
//!
//! It does not know where chunks come from. Invariants:
//! - What arrives is verified in full, hashes and contents, before openraft hears of it: a failed installation is fatal.
//! - Files that are whole when a transfer breaks are kept (`snapshot_kept.rs`); those that the sender leaves out are taken
//!   from there.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use muster_planted::{self as planted, Bug};
use muster_proto::stored::v1::SnapshotManifest;

use super::fatal::FatalHandler;
use super::snapshot::{SnapshotData, SnapshotDir, invalid, read_meta, write_manifest};
use super::snapshot_kept::KeptFiles;
use super::types::Snapshot;
use super::wire;
use crate::failpoint::{self, Point};
use crate::store::durable;

/// See the module.
pub(super) struct SnapshotReceiver {
    /// `None` once it is complete.
    dir: Option<SnapshotDir>,
    manifest: SnapshotManifest,
    /// The file that is expected next; those before it are whole.
    file: usize,
    open: Option<(File, blake3::Hasher, u64)>,
    kept: KeptFiles,
    fatal: Arc<dyn FatalHandler>,
}

impl SnapshotReceiver {
    pub(super) fn new(
        dir: SnapshotDir,
        manifest: SnapshotManifest,
        kept: KeptFiles,
        fatal: Arc<dyn FatalHandler>,
    ) -> Self {
        Self { dir: Some(dir), manifest, file: 0, open: None, kept, fatal }
    }

    /// Takes the next chunk. Chunks come in order and without gaps, but for whole files that are here already.
    pub(super) fn chunk(&mut self, file: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        while self.open.is_none() && self.file < file as usize {
            self.take_kept()?;
        }
        let expected =
            self.manifest.files.get(self.file).ok_or_else(|| invalid("more data than the manifest lists"))?;
        if self.open.is_none() {
            let handle = File::create_new(self.dir()?.path.join(&expected.name))?;
            self.open = Some((handle, blake3::Hasher::new(), 0));
        }
        let Some((handle, hasher, written)) = &mut self.open else { return Err(invalid("no open file")) };
        let is_misplaced = file as usize != self.file || offset != *written;
        if (is_misplaced && !planted::is(Bug::ChunkMisplaced)) || *written + data.len() as u64 > expected.size_bytes {
            return Err(invalid("a chunk is out of place"));
        }
        handle.write_all(data)?;
        hasher.update(data);
        *written += data.len() as u64;
        failpoint::reach(Point::ReceiveChunk);
        if *written == expected.size_bytes { self.finish_file() } else { Ok(()) }
    }

    /// Takes the next file from where it was kept, or makes it when it is empty.
    fn take_kept(&mut self) -> io::Result<()> {
        let expected = &self.manifest.files[self.file];
        let path = self.dir()?.path.join(&expected.name);
        if expected.size_bytes == 0 {
            self.open = Some((File::create_new(path)?, blake3::Hasher::new(), 0));
            return self.finish_file();
        }
        if !self.kept.take(expected, &path)? {
            return Err(invalid(&format!("{} was left out, and is not here", expected.name)));
        }
        metrics::counter!("muster_snapshot_files_resumed_total").increment(1);
        self.file += 1;
        Ok(())
    }

    fn finish_file(&mut self) -> io::Result<()> {
        let expected = &self.manifest.files[self.file];
        let Some((handle, hasher, _)) = self.open.take() else { return Err(invalid("no open file")) };
        if hasher.finalize().as_bytes()[..] != expected.blake3[..] && !planted::is(Bug::SnapshotUnchecked) {
            return Err(invalid(&format!("{} arrived damaged", expected.name)));
        }
        handle.sync_all()?;
        self.file += 1;
        failpoint::reach(Point::ReceiveFile);
        Ok(())
    }

    /// Checks that everything arrived and that the database inside is the one the manifest announces.
    pub(super) fn finish(mut self) -> io::Result<Snapshot> {
        while self.open.is_none() && self.file < self.manifest.files.len() {
            self.take_kept().map_err(in_part)?;
        }
        if self.open.is_some() {
            return Err(invalid("the snapshot arrived only in part"));
        }
        let announced = wire::manifest_meta(&self.manifest)?;
        let path = self.dir()?.path.clone();
        if read_meta(&path)? != announced {
            return Err(invalid("the snapshot's database and its manifest disagree"));
        }
        write_manifest(&path, &self.manifest)?;
        durable::sync_dir(&path)?;
        failpoint::reach(Point::ReceiveComplete);
        self.kept.clear()?;
        let dir = self.dir.take().ok_or_else(|| invalid("the snapshot is gone"))?;
        let data = SnapshotData { dir: Arc::new(dir), manifest: Arc::new(std::mem::take(&mut self.manifest)) };
        Ok(Snapshot { meta: announced, snapshot: data })
    }

    fn dir(&self) -> io::Result<&SnapshotDir> {
        self.dir.as_ref().ok_or_else(|| invalid("the snapshot is gone"))
    }
}

impl Drop for SnapshotReceiver {
    /// The transfer broke: what is whole need not come again.
    fn drop(&mut self) {
        let Some(dir) = &self.dir else { return };
        for file in self.manifest.files.iter().take(self.file).filter(|file| file.size_bytes > 0) {
            if let Err(error) = self.kept.keep(file, &dir.path.join(&file.name)) {
                self.fatal.end_if_broken("keeping a file of a snapshot", &error);
                tracing::warn!(file = file.name, %error, "a whole file of a broken transfer was not kept");
            }
        }
    }
}

/// What the disk says stays as it is; only what is missing is told so.
fn in_part(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::InvalidData {
        invalid(&format!("the snapshot arrived only in part: {error}"))
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use muster_proto::stored::v1::SnapshotFile;

    use super::*;
    use crate::raft::snapshot::SnapshotStore;
    use crate::raft::tests::support::{Remember, small_state};
    use crate::store::state_db::StateDb;

    fn receiver(root: &std::path::Path, files: &[&[u8]]) -> SnapshotReceiver {
        let manifest = SnapshotManifest {
            files: (0..)
                .zip(files)
                .map(|(number, content)| SnapshotFile {
                    name: format!("{number}.sst"),
                    size_bytes: content.len() as u64,
                    blake3: blake3::hash(content).as_bytes().to_vec().into(),
                })
                .collect(),
            ..SnapshotManifest::default()
        };
        let path = root.join("arriving");
        std::fs::create_dir(&path).unwrap();
        let dir = SnapshotDir { path, discard: AtomicBool::new(true) };
        SnapshotReceiver::new(dir, manifest, KeptFiles::at(root.join("kept")), Arc::new(Remember::default()))
    }

    #[test]
    fn a_file_whose_hash_is_not_the_manifests_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let mut receiving = receiver(root.path(), &[b"content"]);
        let refused = receiving.chunk(0, 0, b"c0ntent").unwrap_err();
        assert!(refused.to_string().contains("0.sst arrived damaged"), "{refused}");
    }

    #[test]
    fn chunks_out_of_place_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let mut receiving = receiver(root.path(), &[b"content", b"more"]);
        receiving.chunk(0, 0, b"con").unwrap();
        assert!(receiving.chunk(0, 4, b"ent").is_err(), "a gap");
        assert!(receiving.chunk(1, 0, b"more").is_err(), "the file before is not whole");
        assert!(receiving.chunk(0, 3, b"tent and more").is_err(), "too long");
    }

    #[test]
    fn a_broken_transfer_goes_on_with_the_files_that_are_whole() {
        let root = tempfile::tempdir().unwrap();
        let files: [&[u8]; 4] = [b"one", b"two", b"", b"four"];
        let mut receiving = receiver(root.path(), &files);
        receiving.chunk(0, 0, b"one").unwrap();
        receiving.chunk(1, 0, b"two").unwrap();
        receiving.chunk(3, 0, b"fo").unwrap();
        drop(receiving);
        let mut again = receiver(root.path(), &files);
        assert_eq!(again.kept.of(&again.manifest.files).unwrap(), [0, 1]);
        again.chunk(3, 0, b"four").unwrap();
        assert_eq!(again.file, 4);
        for (number, content) in files.iter().enumerate() {
            let path = again.dir().unwrap().path.join(format!("{number}.sst"));
            assert_eq!(std::fs::read(path).unwrap(), *content);
        }
    }

    #[test]
    fn a_broken_disk_is_fatal_and_wrong_data_is_not() {
        let root = tempfile::tempdir().unwrap();
        let fatal = Arc::new(Remember::default());
        let state = StateDb::open(root.path(), small_state()).unwrap();
        let store = SnapshotStore::open(root.path(), "test", state, Arc::clone(&fatal) as Arc<_>).unwrap();
        store.refuse(&invalid("0.sst arrived damaged"));
        store.refuse(&io::Error::from_raw_os_error(28));
        assert_eq!(fatal.0.lock().unwrap().len(), 0, "it may come again, also when there is room again");
        store.refuse(&in_part(io::Error::from_raw_os_error(5)));
        assert_eq!(fatal.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_is_left_out_and_not_here_is_missed() {
        let root = tempfile::tempdir().unwrap();
        let mut receiving = receiver(root.path(), &[b"one", b"two"]);
        let refused = receiving.chunk(1, 0, b"two").unwrap_err();
        assert!(refused.to_string().contains("0.sst was left out"), "{refused}");
    }
}
