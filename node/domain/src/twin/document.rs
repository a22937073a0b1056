//! A JSON document with the trace of each node's last change, laid out flat: one list of nodes and one text.
//!
//! ```text
//! {"a":{"x":1},"b":"hi"}     nodes  a (object, 2 nodes) · x (1) · b (text of 2 bytes)        text  a x b hi
//! ```
//!
//! A document of a twin is copied at each change and read far more often than it grows, so it is two blocks of memory
//! instead of a tree of small ones; [`super::Builder`] makes one. It knows no rule of twins. Invariants:
//!
//! - Nodes lie in the order of a walk from the root, each followed by what it holds; members of an object are ordered by
//!   name, no name twice. So equal documents are equal lists.
//! - Names and texts lie in the order of their nodes: what a node holds is a range of both.
//! - Null lies in arrays and in patches, never in a section's objects. What lies in an array has no trace of its own.

use std::fmt;

use crate::json::Json;

/// When and at which version of its section a node was last touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touch {
    /// Milliseconds since the epoch.
    pub time_ms: u64,
    /// The section's version then.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    String,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    /// Where in the text its name begins; its own text, if it has one, follows the name.
    pub(super) start: u32,
    pub(super) name_bytes: u32,
    /// How many nodes it is, with all it holds.
    pub(super) span: u32,
    pub(super) kind: Kind,
    /// The value of a boolean or number; for a string its length in bytes.
    pub(super) bits: u64,
    pub(super) touch: Touch,
}

/// The members of one object, with all they hold.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document {
    pub(super) nodes: Box<[Node]>,
    pub(super) text: Box<str>,
}

/// A value in a document.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// `null`; in arrays, and in a patch.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number without fraction and exponent.
    Int(i64),
    /// Any other number; finite.
    Float(f64),
    /// Text.
    String(&'a str),
    /// A list; its items have no names. A leaf as far as merging and traces go.
    Array(Members<'a>),
    /// Members by name.
    Object(Members<'a>),
}

/// One member of an object, or one item of an array.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    pub(super) document: &'a Document,
    pub(super) at: usize,
}

/// What an object or array holds, in order.
#[derive(Clone, Copy)]
pub struct Members<'a> {
    document: &'a Document,
    at: usize,
    end: usize,
}

impl Document {
    /// The outermost members.
    #[must_use]
    #[inline]
    pub fn members(&self) -> Members<'_> {
        Members { document: self, at: 0, end: self.nodes.len() }
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every node, names of items in arrays being empty: for sums over all of it.
    pub(super) fn all(&self) -> impl Iterator<Item = Member<'_>> {
        (0..self.nodes.len()).map(|at| Member { document: self, at })
    }

    /// The document as plain JSON, without traces.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Object(self.members().map(|member| (member.name().to_owned(), member.value().to_json())).collect())
    }

    /// How many values it holds, objects and arrays included.
    pub(super) fn values(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// Bytes of its names and texts.
    pub(super) fn text_bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// Bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.nodes.len() * size_of::<Node>() + self.text.len()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.members().map(|member| (member.name(), (member.touch(), member.value())))).finish()
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map(|member| (member.name(), member.touch(), member.value()))).finish()
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        (self.at < self.end).then(|| {
            let member = Member { document: self.document, at: self.at };
            self.at += member.span();
            member
        })
    }
}

impl<'a> Member<'a> {
    #[inline]
    fn node(&self) -> &'a Node {
        &self.document.nodes[self.at]
    }

    #[inline]
    pub(super) fn span(&self) -> usize {
        self.node().span as usize
    }

    /// Its name; empty in an array.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &'a str {
        let node = self.node();
        &self.document.text[node.start as usize..][..node.name_bytes as usize]
    }

    /// Its last change.
    #[must_use]
    #[inline]
    pub fn touch(&self) -> Touch {
        self.node().touch
    }

    /// Its value.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Value<'a> {
        let node = self.node();
        let inner = || Members { document: self.document, at: self.at + 1, end: self.at + self.span() };
        match node.kind {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(node.bits != 0),
            Kind::Int => Value::Int(node.bits.cast_signed()),
            Kind::Float => Value::Float(f64::from_bits(node.bits)),
            Kind::String => Value::String(self.text(node)),
            Kind::Array => Value::Array(inner()),
            Kind::Object => Value::Object(inner()),
        }
    }

    #[inline]
    fn text(&self, node: &Node) -> &'a str {
        let from = (node.start + node.name_bytes) as usize;
        &self.document.text[from..from + usize::try_from(node.bits).unwrap_or(usize::MAX - from)]
    }
}

impl Value<'_> {
    /// The value as plain JSON, without traces.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::Int(*value),
            Self::Float(value) => Json::Float(*value),
            Self::String(value) => Json::String((*value).to_owned()),
            Self::Array(items) => Json::Array(items.map(|item| item.value().to_json()).collect()),
            Self::Object(members) => {
                Json::Object(members.map(|member| (member.name().to_owned(), member.value().to_json())).collect())
            }
        }
    }

    /// Whether it is `json`, whatever the traces.
    pub(super) fn is(&self, json: &Json) -> bool {
        match (self, json) {
            (Self::Null, Json::Null) => true,
            (Self::Bool(a), Json::Bool(b)) => a == b,
            (Self::Int(a), Json::Int(b)) => a == b,
            (Self::Float(a), Json::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::String(a), Json::String(b)) => a == b,
            (Self::Array(a), Json::Array(b)) => {
                a.count() == b.len() && a.zip(b).all(|(item, json)| item.value().is(json))
            }
            (Self::Object(a), Json::Object(b)) => {
                a.count() == b.len()
                    && a.zip(b).all(|(member, (name, json))| member.name() == name && member.value().is(json))
            }
            _ => false,
        }
    }
}
