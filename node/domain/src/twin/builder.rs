//! Makes a [`Document`]: nodes are added from the outermost to the innermost, names and texts along with them.
//!
//! It keeps the document's invariants and knows no rule of twins. Members may be added in any order: closing what holds
//! them brings them into the order of their names, and refuses a name that is there twice.

use super::document::{Document, Kind, Member, Node, Touch};

/// A member name that an object holds twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTwice(pub String);

/// Makes a document from its outermost member to its innermost. Members may come in any order.
#[derive(Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
    text: String,
    /// Objects and arrays that are not closed yet.
    open: Vec<u32>,
    /// Room for bringing members into order.
    spare: Spare,
}

#[derive(Debug, Default)]
struct Spare {
    order: Vec<u32>,
    nodes: Vec<Node>,
    text: String,
}

impl Builder {
    /// With room for a document read from `bytes` of text.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self::with_room_of(bytes / 12 + 1, bytes)
    }

    pub(super) fn with_room_for(one: &Document, other: &Document) -> Self {
        Self::with_room_of(one.nodes.len() + other.nodes.len(), one.text.len() + other.text.len())
    }

    fn with_room_of(nodes: usize, text: usize) -> Self {
        Self { nodes: Vec::with_capacity(nodes), text: String::with_capacity(text), ..Self::default() }
    }

    /// Adds a name ahead of its value, which must follow at once.
    #[inline]
    fn node(&mut self, name: &str, touch: Touch, kind: Kind, bits: u64) {
        let start = length(self.text.len());
        self.text.push_str(name);
        self.nodes.push(Node { start, name_bytes: length(name.len()), span: 1, kind, bits, touch });
    }

    /// Adds `null`.
    pub fn null(&mut self, name: &str, touch: Touch) {
        self.node(name, touch, Kind::Null, 0);
    }

    /// Adds a boolean.
    pub fn bool(&mut self, name: &str, touch: Touch, value: bool) {
        self.node(name, touch, Kind::Bool, u64::from(value));
    }

    /// Adds an integer.
    pub fn int(&mut self, name: &str, touch: Touch, value: i64) {
        self.node(name, touch, Kind::Int, value.cast_unsigned());
    }

    /// Adds a finite double.
    pub fn float(&mut self, name: &str, touch: Touch, value: f64) {
        self.node(name, touch, Kind::Float, value.to_bits());
    }

    /// Adds a text.
    pub fn string(&mut self, name: &str, touch: Touch, value: &str) {
        self.node(name, touch, Kind::String, value.len() as u64);
        self.text.push_str(value);
    }

    /// Opens an array; what is added until [`Builder::close`] are its items, whose names must be empty.
    pub fn open_array(&mut self, name: &str, touch: Touch) {
        self.open.push(length(self.nodes.len()));
        self.node(name, touch, Kind::Array, 0);
    }

    /// Opens an object; what is added until [`Builder::close`] are its members.
    pub fn open_object(&mut self, name: &str, touch: Touch) {
        self.open.push(length(self.nodes.len()));
        self.node(name, touch, Kind::Object, 0);
    }

    /// Closes what was opened last.
    ///
    /// # Errors
    /// When it is an object that holds a name twice.
    pub fn close(&mut self) -> Result<(), NameTwice> {
        let Some(at) = self.open.pop() else { return Ok(()) };
        let at = at as usize;
        self.nodes[at].span = length(self.nodes.len() - at);
        match self.nodes[at].kind {
            Kind::Object => self.sort(at + 1),
            _ => Ok(()),
        }
    }

    /// The document.
    ///
    /// # Errors
    /// When its outermost members hold a name twice.
    pub fn finish(mut self) -> Result<Document, NameTwice> {
        self.sort(0)?;
        Ok(self.finish_sorted())
    }

    /// The document, whose members came in order. It takes no more memory than it needs: it is kept for long.
    pub(super) fn finish_sorted(self) -> Document {
        Document { nodes: self.nodes.as_slice().into(), text: self.text.as_str().into() }
    }

    /// Takes over a member with all it holds, traces included.
    pub(super) fn copy(&mut self, member: Member<'_>) {
        let from = member.document;
        let (first, end) = (member.at, member.at + member.span());
        let text_from = text_at(&from.nodes, &from.text, first);
        let text_end = text_at(&from.nodes, &from.text, end);
        let start = length(self.text.len());
        self.text.push_str(&from.text[text_from..text_end]);
        let moved = |node: &Node| Node { start: start + (node.start - length(text_from)), ..*node };
        self.nodes.extend(from.nodes[first..end].iter().map(moved));
    }

    /// Changes the trace of the node that begins at `at`, a number that [`Builder::next`] gave.
    pub(super) fn touch(&mut self, at: usize, touch: Touch) {
        self.nodes[at].touch = touch;
    }

    /// The number of the node that is added next.
    pub(super) fn next(&self) -> usize {
        self.nodes.len()
    }

    /// Closes an object whose members came in order.
    pub(super) fn close_sorted(&mut self) {
        if let Some(at) = self.open.pop() {
            self.nodes[at as usize].span = length(self.nodes.len()) - at;
        }
    }

    /// Brings the members that begin at node `first` and reach to the end into order.
    fn sort(&mut self, first: usize) -> Result<(), NameTwice> {
        let Self { nodes, text, spare, .. } = self;
        let name = |at: u32| {
            let node = &nodes[at as usize];
            &text[node.start as usize..][..node.name_bytes as usize]
        };
        spare.order.clear();
        let mut at = length(first);
        while (at as usize) < nodes.len() {
            spare.order.push(at);
            at += nodes[at as usize].span;
        }
        if spare.order.is_sorted_by(|one, next| name(*one) < name(*next)) {
            return Ok(());
        }
        spare.order.sort_unstable_by(|one, other| name(*one).cmp(name(*other)));
        if let Some(pair) = spare.order.windows(2).find(|pair| name(pair[0]) == name(pair[1])) {
            return Err(NameTwice(name(pair[0]).to_owned()));
        }
        let text_first = nodes[first].start as usize;
        spare.nodes.clear();
        spare.text.clear();
        for at in &spare.order {
            let (from, end) = (*at as usize, (*at + nodes[*at as usize].span) as usize);
            let (text_from, text_end) = (nodes[from].start as usize, text_at(nodes, text, end));
            let start = length(text_first + spare.text.len());
            spare.text.push_str(&text[text_from..text_end]);
            let moved = |node: &Node| Node { start: start + (node.start - length(text_from)), ..*node };
            spare.nodes.extend(nodes[from..end].iter().map(moved));
        }
        nodes.truncate(first);
        nodes.extend_from_slice(&spare.nodes);
        text.truncate(text_first);
        text.push_str(&spare.text);
        Ok(())
    }
}

/// Where the text of node `at` begins; one past the last node, where all text ends.
fn text_at(nodes: &[Node], text: &str, at: usize) -> usize {
    nodes.get(at).map_or(text.len(), |node| node.start as usize)
}

/// Lengths within a document; a message that could hold more than 4 GiB is refused long before.
fn length(value: usize) -> u32 {
    u32::try_from(value).expect("documents are bounded far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> Document {
        let mut builder = Builder::default();
        let touch = |version| Touch { time_ms: 7, version };
        builder.open_object("b", touch(1));
        builder.string("y", touch(2), "why");
        builder.open_array("x", touch(3));
        builder.null("", Touch::default());
        builder.open_object("", Touch::default());
        builder.int("d", Touch::default(), -4);
        builder.float("c", Touch::default(), 0.5);
        builder.close().expect("two names");
        builder.close().expect("an array");
        builder.close().expect("two names");
        builder.bool("a", touch(4), true);
        builder.finish().expect("two names")
    }

    #[test]
    fn members_are_brought_into_order_with_all_they_hold() {
        let document = built();
        assert_eq!(document.to_json().to_string(), r#"{"a":true,"b":{"x":[null,{"c":0.5,"d":-4}],"y":"why"}}"#);
        let versions: Vec<_> = document.all().map(|member| (member.name(), member.touch().version)).collect();
        assert_eq!(
            versions,
            [("a", 4), ("b", 1), ("x", 3), ("", 0), ("", 0), ("c", 0), ("d", 0), ("y", 2)],
            "traces move with their nodes"
        );
    }

    #[test]
    fn equal_documents_are_equal_whatever_the_order_they_were_made_in() {
        let mut builder = Builder::default();
        let mut again = Builder::default();
        let document = built();
        document.members().for_each(|member| again.copy(member));
        let mut members: Vec<_> = document.members().collect();
        members.reverse();
        members.into_iter().for_each(|member| builder.copy(member));
        assert_eq!(builder.finish().expect("no name twice"), document);
        assert_eq!(again.finish_sorted(), document);
    }

    #[test]
    fn a_name_twice_is_refused_at_any_level() {
        let mut builder = Builder::default();
        builder.open_object("o", Touch::default());
        builder.null("n", Touch::default());
        builder.null("m", Touch::default());
        builder.null("n", Touch::default());
        assert_eq!(builder.close(), Err(NameTwice("n".to_owned())));
        let mut builder = Builder::default();
        builder.null("", Touch::default());
        builder.null("", Touch::default());
        assert_eq!(builder.finish(), Err(NameTwice(String::new())));
    }
}
