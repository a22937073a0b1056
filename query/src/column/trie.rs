//! Paths as a tree of names: each node has a number, and a column when some row had a value there.

use hashbrown::HashMap;

use super::ColumnId;

/// A path of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node(pub(super) u32);

/// A path beyond the bound of columns: nothing is kept there.
pub(super) const BEYOND: Node = Node(u32::MAX);

#[derive(Debug, Default)]
struct Entry {
    parent: u32,
    name: Box<str>,
    children: HashMap<Box<str>, u32>,
    column: Option<ColumnId>,
}

/// All paths of a table.
#[derive(Debug)]
pub(super) struct Trie {
    entries: Vec<Entry>,
    most: usize,
    /// Some path has no column because there were too many.
    pub(super) is_full: bool,
}

impl Trie {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: vec![Entry::default()], most, is_full: false }
    }

    /// The node of a member, if there is one.
    pub(super) fn find(&self, node: Node, name: &str) -> Option<Node> {
        self.entries.get(node.0 as usize)?.children.get(name).map(|index| Node(*index))
    }

    /// Makes the node of a member.
    pub(super) fn add(&mut self, node: Node, name: &str) -> Node {
        if node == BEYOND || self.entries.len() > self.most {
            self.is_full = true;
            return BEYOND;
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries[node.0 as usize].children.insert(name.into(), index);
        self.entries.push(Entry { parent: node.0, name: name.into(), ..Entry::default() });
        Node(index)
    }

    /// From now on no node is made.
    pub(super) fn close(&mut self) {
        self.most = self.most.min(self.entries.len() - 1);
    }

    /// Parent, name and column of each node but the root, parents first.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (u32, &str, Option<ColumnId>)> + '_ {
        self.entries.iter().skip(1).map(|entry| (entry.parent, &*entry.name, entry.column))
    }

    /// The next of the nodes; `None` when it cannot be there.
    pub(super) fn restore(&mut self, parent: u32, name: &str) -> Option<Node> {
        let is_new = (parent as usize) < self.entries.len() && self.find(Node(parent), name).is_none();
        is_new.then(|| self.add(Node(parent), name)).filter(|node| *node != BEYOND)
    }

    pub(super) fn column(&self, node: Node) -> Option<ColumnId> {
        self.entries.get(node.0 as usize)?.column
    }

    pub(super) fn set_column(&mut self, node: Node, column: ColumnId) {
        if let Some(entry) = self.entries.get_mut(node.0 as usize) {
            entry.column = Some(column);
        }
    }

    /// Columns of all paths below a node.
    pub(super) fn columns_below(&self, node: Node) -> Vec<ColumnId> {
        let mut columns = Vec::new();
        let mut open: Vec<u32> = self.children(node.0).collect();
        while let Some(index) = open.pop() {
            columns.extend(self.entries[index as usize].column);
            open.extend(self.children(index));
        }
        columns
    }

    fn children(&self, index: u32) -> impl Iterator<Item = u32> + '_ {
        self.entries.get(index as usize).into_iter().flat_map(|entry| entry.children.values().copied())
    }

    /// Each path that has a column.
    pub(super) fn paths(&self) -> Vec<(Vec<String>, ColumnId)> {
        let with_column = self.entries.iter().filter_map(|entry| Some((entry, entry.column?)));
        with_column
            .map(|(entry, column)| {
                let (mut names, mut at) = (vec![entry.name.to_string()], entry.parent);
                while at != 0 {
                    names.push(self.entries[at as usize].name.to_string());
                    at = self.entries[at as usize].parent;
                }
                names.reverse();
                (names, column)
            })
            .collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| size_of::<Entry>() + 3 * entry.name.len() + 40 * entry.children.capacity())
            .sum()
    }
}
