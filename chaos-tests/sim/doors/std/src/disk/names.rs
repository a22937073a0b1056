//! Which names there are: in view, and after a power cut.

use ::std::collections::BTreeMap;
use ::std::path::{Path, PathBuf};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder,
    File(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Put(PathBuf, Entry),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Change {
    fn is_in(&self, folder: &Path) -> bool {
        match self {
            Self::Put(path, _) | Self::Remove(path) => path.parent() == Some(folder),
            Self::Rename(from, to) => from.parent() == Some(folder) || to.parent() == Some(folder),
        }
    }

    fn apply(self, tree: &mut BTreeMap<PathBuf, Entry>) {
        match self {
            Self::Put(path, entry) => {
                tree.insert(path, entry);
            }
            Self::Remove(path) => {
                tree.remove(&path);
            }
            Self::Rename(from, to) => {
                let moved: Vec<_> = tree.keys().filter(|path| path.starts_with(&from)).cloned().collect();
                for path in moved {
                    if let (Some(entry), Ok(rest)) = (tree.remove(&path), path.strip_prefix(&from)) {
                        let target = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                        tree.insert(target, entry);
                    }
                }
            }
        }
    }
}

/// The names of a disk.
#[derive(Debug)]
pub(crate) struct Names {
    live: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
    waiting: Vec<Change>,
}

impl Names {
    pub(crate) fn with_root(root: &Path) -> Self {
        let tree = BTreeMap::from([(root.to_owned(), Entry::Folder)]);
        Self { live: tree.clone(), durable: tree, waiting: Vec::new() }
    }

    pub(crate) fn get(&self, path: &Path) -> Option<Entry> {
        self.live.get(path).copied()
    }

    pub(crate) fn children(&self, folder: &Path) -> Vec<(PathBuf, Entry)> {
        let below = self.live.range(folder.to_owned()..).take_while(|(path, _)| path.starts_with(folder));
        below.filter(|(path, _)| path.parent() == Some(folder)).map(|(path, entry)| (path.clone(), *entry)).collect()
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (PathBuf, u64)> {
        self.live.iter().filter_map(|(path, entry)| match entry {
            Entry::File(inode) => Some((path.clone(), *inode)),
            Entry::Folder => None,
        })
    }

    /// Of all files that have a name anywhere.
    pub(crate) fn inodes(&self) -> impl Iterator<Item = u64> {
        let waiting = self.waiting.iter().filter_map(|change| match change {
            Change::Put(_, entry) => Some(*entry),
            _ => None,
        });
        let named = self.live.values().chain(self.durable.values()).copied().chain(waiting);
        named.filter_map(|entry| if let Entry::File(inode) = entry { Some(inode) } else { None })
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.live);
        self.waiting.push(change);
    }

    pub(crate) fn put(&mut self, path: &Path, entry: Entry) {
        self.change(Change::Put(path.to_owned(), entry));
    }

    pub(crate) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_owned()));
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
    }

    /// The folder was synced. What happened before in others is written, too: the journal has one order.
    pub(crate) fn sync(&mut self, folder: &Path) {
        if let Some(last) = self.waiting.iter().rposition(|change| change.is_in(folder)) {
            self.waiting.drain(..=last).for_each(|change| change.apply(&mut self.durable));
        }
    }

    /// How many changes are not durable yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Of the changes that are not durable the first `kept` are kept.
    pub(crate) fn cut(&mut self, kept: usize) {
        let waiting = ::std::mem::take(&mut self.waiting);
        waiting.into_iter().take(kept).for_each(|change| change.apply(&mut self.durable));
        self.live.clone_from(&self.durable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_counts_once_its_folder_is_synced() {
        let root = Path::new("/sim/a");
        let mut names = Names::with_root(root);
        names.put(&root.join("new"), Entry::File(1));
        names.sync(root);
        names.rename(&root.join("new"), &root.join("final"));
        assert_eq!(names.get(&root.join("final")), Some(Entry::File(1)));
        names.cut(0);
        assert_eq!(names.get(&root.join("new")), Some(Entry::File(1)));
        names.rename(&root.join("new"), &root.join("final"));
        names.sync(root);
        names.cut(0);
        assert_eq!(names.get(&root.join("final")), Some(Entry::File(1)));
        assert_eq!(names.get(&root.join("new")), None);
    }

    #[test]
    fn a_folder_moves_with_all_that_is_in_it() {
        let root = Path::new("/sim/a");
        let mut names = Names::with_root(root);
        names.put(&root.join("x"), Entry::Folder);
        names.put(&root.join("x/1"), Entry::File(1));
        names.put(&root.join("xy"), Entry::File(2));
        names.rename(&root.join("x"), &root.join("z"));
        assert_eq!(names.get(&root.join("z/1")), Some(Entry::File(1)));
        assert_eq!(names.get(&root.join("xy")), Some(Entry::File(2)));
        assert_eq!(names.children(root).len(), 2);
    }
}
