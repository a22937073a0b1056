//! What images may and may not hold, on recordings made here.

use std::sync::Arc;

use super::{Mode, image};
use crate::crash_lab::disk::Disk;
use crate::crash_lab::recording::Recording;

/// Writes records as the shim does.
#[derive(Default)]
struct Script {
    bytes: Vec<u8>,
    syncs: u64,
}

impl Script {
    fn op(mut self, kind: u32, numbers: [u64; 3], path: &str, second: &str, data: &[u8]) -> Self {
        self.bytes.extend(kind.to_le_bytes());
        numbers.iter().for_each(|number| self.bytes.extend(number.to_le_bytes()));
        for part in [path.len(), second.len(), data.len()] {
            self.bytes.extend(u32::try_from(part).unwrap().to_le_bytes());
        }
        self.bytes.extend([path.as_bytes(), second.as_bytes(), data].concat());
        self
    }

    fn create(self, descriptor: u64, path: &str) -> Self {
        self.op(2, [descriptor, 0, 1], path, "", &[])
    }

    fn open(self, descriptor: u64, path: &str) -> Self {
        self.op(2, [descriptor, 0, 0], path, "", &[])
    }

    fn write(self, descriptor: u64, offset: u64, data: &[u8]) -> Self {
        self.op(4, [descriptor, offset, 0], "", "", data)
    }

    fn rename(self, from: &str, to: &str) -> Self {
        self.op(7, [0; 3], from, to, &[])
    }

    fn sync(mut self, descriptor: u64) -> Self {
        self.syncs += 1;
        let sync = self.syncs;
        self.op(12, [descriptor, 0, sync], "", "", &[]).op(13, [descriptor, 1, sync], "", "", &[])
    }

    fn disk(self) -> Disk {
        let end = self.bytes.len() as u64;
        let mut disk = Disk::new(Arc::new(Recording::of(self.bytes)), "/data");
        disk.follow(end).unwrap();
        disk
    }
}

/// All images of all modes and some seeds: what each file holds, by its first name.
fn files(disk: &Disk) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut all: Vec<Vec<(String, Vec<u8>)>> = Mode::ALL
        .into_iter()
        .flat_map(|mode| (0..64).map(move |seed| (mode, seed)))
        .map(|(mode, seed)| {
            let made = image(disk, mode, seed);
            made.files.iter().map(|(names, bytes)| (names[0].display().to_string(), bytes.to_vec())).collect()
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn what_was_synced_is_in_every_image_and_the_rest_in_some() {
    let disk = Script::default().create(3, "/data/a").write(3, 0, b"synced").sync(3).write(3, 6, b" or not").disk();
    let found: Vec<_> = files(&disk).into_iter().flatten().map(|(_, bytes)| bytes).collect();
    assert_eq!(found, [b"synced".to_vec(), b"synced or not".to_vec()]);
}

#[test]
fn a_write_after_the_begin_of_a_sync_is_not_covered_by_it() {
    let script = Script::default().create(3, "/data/a").write(3, 0, b"before");
    let script = script.op(12, [3, 0, 9], "", "", &[]).write(3, 6, b" after").op(13, [3, 1, 9], "", "", &[]);
    let found: Vec<_> = files(&script.disk()).into_iter().flatten().map(|(_, bytes)| bytes).collect();
    assert_eq!(found, [b"before".to_vec(), b"before after".to_vec()]);
}

#[test]
fn a_failed_sync_makes_nothing_durable() {
    let script = Script::default().create(3, "/data/a").write(3, 0, b"x");
    let disk = script.op(12, [3, 0, 9], "", "", &[]).op(13, [3, 0, 9], "", "", &[]).disk();
    assert!(files(&disk).contains(&Vec::new()), "no file at all");
}

#[test]
fn a_renamed_file_is_durable_under_its_new_name_only_after_the_folder_is() {
    let script =
        Script::default().create(3, "/data/a.tmp").write(3, 0, b"new").sync(3).rename("/data/a.tmp", "/data/a");
    let names = |disk: &Disk| -> Vec<String> { files(disk).into_iter().flatten().map(|(name, _)| name).collect() };
    assert_eq!(names(&Script { bytes: script.bytes.clone(), syncs: 1 }.disk()), ["a", "a.tmp"]);
    assert_eq!(names(&script.open(4, "/data").sync(4).disk()), ["a"]);
}

#[test]
fn overwritten_sectors_are_independent_and_a_file_grows_in_order() {
    let old = vec![b'o'; 1024];
    let script = Script::default().create(3, "/data/a").write(3, 0, &old).sync(3);
    let disk = script.write(3, 0, &vec![b'n'; 1024]).write(3, 1024, &vec![b'g'; 1024]).write(3, 2048, b"end").disk();
    let mut found = std::collections::BTreeSet::new();
    for bytes in files(&disk).into_iter().flatten().map(|(_, bytes)| bytes) {
        assert!(bytes.len() >= 1024, "what was durable stays");
        assert!(
            bytes[..512].iter().all(|byte| *byte == bytes[0])
                && bytes[512..1024].iter().all(|byte| *byte == bytes[512])
        );
        assert!(bytes[1024..].iter().take(1024).all(|byte| *byte == b'g'), "a file grows by what was written");
        found.insert((bytes[0], bytes[512], bytes.len()));
    }
    for (first, second) in [(b'o', b'o'), (b'o', b'n'), (b'n', b'o'), (b'n', b'n')] {
        assert!(found.iter().any(|(one, two, _)| (*one, *two) == (first, second)), "{first} {second} was never made");
    }
    let lengths: std::collections::BTreeSet<_> = found.iter().map(|(_, _, length)| *length).collect();
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1024, 1536, 2048, 2051]);
}

#[test]
fn a_name_is_lost_with_what_it_builds_upon() {
    let script =
        Script::default().create(3, "/data/a").sync(3).rename("/data/a", "/data/b").rename("/data/b", "/data/c");
    for names in
        files(&script.disk()).iter().map(|files| files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    {
        assert_eq!(names.len(), 1, "never two names, never none: {names:?}");
    }
}
