//! Backups that are right, damaged, cut short, newer, or none.

use std::fs;
use std::path::Path;

use crate::manifest::tests::manifest;
use crate::{Backup, BackupDirectory, BackupError, FileWriter, seal};

const FILES: [(&str, &[u8]); 3] = [("1.sst", b"first table"), ("CURRENT", b""), ("2.sst", b"second")];

fn write_file(path: &Path, files: &[(&str, &[u8])]) {
    let mut writer = FileWriter::begin(path, &seal(&manifest(5, files))).expect("new");
    for (_, content) in files {
        writer.write(content).expect("written");
    }
    writer.finish().expect("whole");
}

fn write_directory(root: &Path, revision: u64, files: &[(&str, &[u8])]) -> usize {
    let directory = BackupDirectory::at(root);
    let known = directory.known().expect("readable");
    let mut writer = directory.begin(&seal(&manifest(revision, files))).expect("begun");
    let mut sent = 0;
    for (number, (_, content)) in files.iter().enumerate() {
        if known.contains(blake3::hash(content).as_bytes()) || content.is_empty() {
            continue;
        }
        sent += 1;
        let (one, two) = content.split_at(content.len() / 2);
        writer.chunk(number, 0, one).expect("taken");
        writer.chunk(number, one.len() as u64, two).expect("taken");
    }
    writer.finish().expect("whole");
    sent
}

#[test]
fn both_forms_come_back_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, directory) = (folder.path().join("b.mbk"), folder.path().join("backups"));
    write_file(&file, &FILES);
    write_directory(&directory, 5, &FILES);
    for (number, path) in [file, directory].iter().enumerate() {
        let backup = Backup::open(path, None).expect("a backup");
        assert_eq!(backup.verify(|_| {}).expect("right").bytes, 17);
        let to = folder.path().join(format!("out{number}"));
        fs::create_dir(&to).expect("made");
        backup.extract(&to, |_| {}).expect("copied");
        for (name, content) in FILES {
            assert_eq!(fs::read(to.join(name)).expect("there"), content);
        }
    }
}

#[test]
fn every_flipped_byte_and_every_cut_of_a_file_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("b.mbk");
    write_file(&path, &FILES);
    let good = fs::read(&path).expect("read");
    let bad = folder.path().join("bad.mbk");
    let verdict = |bytes: &[u8]| {
        fs::write(&bad, bytes).expect("written");
        Backup::open(&bad, None).and_then(|backup| backup.verify(|_| {}))
    };
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        assert!(verdict(&bytes).is_err(), "byte {at} went unnoticed");
    }
    for length in 1..good.len() {
        assert!(matches!(verdict(&good[..length]), Err(BackupError::Truncated { .. })), "{length}");
    }
    assert!(matches!(verdict(&[&good[..], b"x"].concat()), Err(BackupError::Damaged { .. })), "longer");
}

#[test]
fn a_second_backup_takes_only_what_is_new_and_an_old_one_can_go() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(write_directory(folder.path(), 5, &FILES), 2);
    let later: [(&str, &[u8]); 2] = [("1.sst", b"first table"), ("7.sst", b"third")];
    assert_eq!(write_directory(folder.path(), 9, &later), 1, "the first table is there already");
    let directory = BackupDirectory::at(folder.path());
    assert_eq!(directory.list().expect("listed").len(), 2);
    assert_eq!(Backup::open(folder.path(), None).expect("the newest").manifest().revision, 9);
    assert_eq!(Backup::open(folder.path(), Some(5)).expect("the first").manifest().revision, 5);
    assert!(Backup::open(folder.path(), Some(6)).is_err());
    assert_eq!(directory.prune(1).expect("pruned"), (1, 2), "one backup, and two files that only it had");
    Backup::open(folder.path(), None).expect("the newest").verify(|_| {}).expect("untouched");
}

#[test]
fn a_missing_or_damaged_file_of_a_folder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    write_directory(folder.path(), 5, &FILES);
    let path = BackupDirectory::at(folder.path()).file(blake3::hash(b"second").as_bytes());
    fs::write(&path, b"sekond").expect("written");
    let verdict = || Backup::open(folder.path(), None).and_then(|backup| backup.verify(|_| {}));
    let error = verdict().expect_err("damaged").to_string();
    assert!(error.contains("2.sst") && error.contains("hash"), "{error}");
    fs::remove_file(&path).expect("removed");
    assert!(matches!(verdict(), Err(BackupError::Truncated { .. })));
}

#[test]
fn what_does_not_follow_the_manifest_leaves_no_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = BackupDirectory::at(folder.path());
    let mut writer = directory.begin(&seal(&manifest(5, &FILES))).expect("begun");
    writer.chunk(0, 0, b"first").expect("taken");
    assert!(writer.chunk(0, 4, b"x").is_err(), "a gap");
    let mut writer = directory.begin(&seal(&manifest(5, &FILES))).expect("begun");
    assert!(writer.chunk(0, 0, b"fIrst table").is_err(), "another content");
    assert!(writer.finish().is_err());
    assert!(directory.list().expect("listed").is_empty());
    let path = folder.path().join("b.mbk");
    let mut file = FileWriter::begin(&path, &seal(&manifest(5, &FILES))).expect("new");
    file.write(b"half").expect("written");
    assert!(file.finish().is_err());
    assert!(!path.exists());
}
