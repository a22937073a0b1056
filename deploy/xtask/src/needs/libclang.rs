//! Looks for libclang where bindgen will look for it.
//!
//! bindgen (its crate clang-sys) asks `LIBCLANG_PATH`, `llvm-config`, the linker's paths and the usual folders, in this
//! order; this file asks the same ones, so that "found here" means "found there". It sets no variable: a
//! `LIBCLANG_PATH` that only xtask knew would rebuild RocksDB whenever somebody runs cargo by hand.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders below which libraries lie; folders two levels deep are searched, as clang-sys does.
const ROOTS: [&str; 6] = [
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib32",
    "/Library/Developer/CommandLineTools/usr/lib",
];

/// How deep below a root the search goes.
const DEPTH: usize = 2;

/// Whether libclang and the headers that belong to it are there.
pub(super) fn usable() -> bool {
    if let Some(chosen) = env::var_os("LIBCLANG_PATH") {
        return chosen_by_hand(Path::new(&chosen));
    }
    let roots: Vec<PathBuf> = ROOTS.iter().map(PathBuf::from).collect();
    let mut folders = named_folders(llvm_prefix(), &["LD_LIBRARY_PATH", "LIBRARY_PATH"].map(env::var_os));
    for root in &roots {
        collect_folders(root, DEPTH, &mut folders);
    }
    folders.iter().any(|folder| holds_libclang(folder))
        && (cfg!(target_os = "macos") || folders.iter().any(|folder| holds_headers(folder)))
}

/// `LIBCLANG_PATH` may name the folder or the library itself.
fn chosen_by_hand(chosen: &Path) -> bool {
    if chosen.is_dir() { holds_libclang(chosen) } else { chosen.is_file() }
}

/// The folders that the environment names: those of LLVM's own installation and those of the linker.
fn named_folders(llvm_prefix: Option<PathBuf>, paths: &[Option<OsString>]) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(prefix) = llvm_prefix {
        folders.extend(["lib", "lib64", "bin"].map(|name| prefix.join(name)));
    }
    for path in paths.iter().flatten() {
        folders.extend(env::split_paths(path));
    }
    folders
}

fn llvm_prefix() -> Option<PathBuf> {
    let program = env::var_os("LLVM_CONFIG_PATH").unwrap_or_else(|| OsString::from("llvm-config"));
    let output = Command::new(program).arg("--prefix").output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(PathBuf::from)
}

/// Adds `folder` and the folders below it, `depth` levels down.
fn collect_folders(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) {
    if !folder.is_dir() {
        return;
    }
    into.push(folder.to_owned());
    if depth == 0 {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        collect_folders(&entry.path(), depth - 1, into);
    }
}

fn holds_libclang(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_libclang) && entry.path().is_file())
}

/// Whether a file name is one of libclang's C library; `libclang-cpp` is another library.
fn is_libclang(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("libclang") else { return false };
    if rest.starts_with("-cpp") {
        return false;
    }
    rest == ".so"
        || rest == ".dylib"
        || rest.starts_with(".so.")
        || (rest.starts_with('-') && (rest.ends_with(".so") || rest.contains(".so.")))
}

/// libclang without its own `stddef.h` cannot read a C header. It comes in another package on some systems.
fn holds_headers(folder: &Path) -> bool {
    let Ok(versions) = fs::read_dir(folder.join("clang")) else { return false };
    versions.flatten().any(|version| version.path().join("include/stddef.h").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_names_that_distributions_use() {
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so", "libclang-14.so.14.0.6", "libclang-3.9.so"] {
            assert!(is_libclang(name), "{name}");
        }
        for name in ["libclang-cpp.so.14", "libclangBasic.a", "libclang.a", "liblldb.so", "clang.so", "libclang-14.a"] {
            assert!(!is_libclang(name), "{name}");
        }
    }

    #[test]
    fn finds_the_library_two_folders_down_and_no_deeper() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let near = root.path().join("llvm-14/lib");
        let far = root.path().join("llvm-15/lib/deep");
        for folder in [&near, &far] {
            fs::create_dir_all(folder).expect("a folder");
            fs::write(folder.join("libclang.so.1"), "").expect("a file");
        }
        let mut folders = Vec::new();
        collect_folders(root.path(), DEPTH, &mut folders);
        let found: Vec<_> = folders.into_iter().filter(|folder| holds_libclang(folder)).collect();
        assert_eq!(found, [near]);
    }

    #[test]
    fn a_library_without_headers_is_not_enough() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert!(!holds_headers(root.path()));
        let include = root.path().join("clang/14/include");
        fs::create_dir_all(&include).expect("a folder");
        assert!(!holds_headers(root.path()));
        fs::write(include.join("stddef.h"), "").expect("a file");
        assert!(holds_headers(root.path()));
    }

    #[test]
    fn a_folder_named_like_the_library_is_not_it() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("libclang.so")).expect("a folder");
        assert!(!holds_libclang(root.path()));
        assert!(!chosen_by_hand(root.path()));
        assert!(!chosen_by_hand(&root.path().join("absent")));
        fs::write(root.path().join("libclang-16.so"), "").expect("a file");
        assert!(chosen_by_hand(root.path()));
        assert!(chosen_by_hand(&root.path().join("libclang-16.so")));
    }

    #[test]
    fn asks_llvm_and_the_linkers_paths_too() {
        let folders = named_folders(Some(PathBuf::from("/opt/llvm")), &[Some(OsString::from("/a:/b")), None]);
        assert!(folders.contains(&PathBuf::from("/opt/llvm/lib")));
        assert!(folders.contains(&PathBuf::from("/b")));
    }
}
