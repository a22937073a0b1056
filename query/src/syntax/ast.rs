//! A query as it was written: what the parser makes, and what both the engine and the naive evaluator of the tests start
//! from. It knows no collection, no function and no type; names are as written.

/// Where something stands in the text: bytes from `start` up to `end`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
}

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// `DISTINCT`
    pub distinct: bool,
    /// `TOP n`; at least 1.
    pub top: Option<u32>,
    /// What is selected.
    pub elements: Elements,
    /// Of what.
    pub from: From,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `GROUP BY`
    pub group_by: Vec<Expr>,
    /// `HAVING`
    pub having: Option<Expr>,
    /// `ORDER BY`
    pub order_by: Vec<OrderKey>,
}

/// What is selected.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// `*`
    All,
    /// One or more.
    List(Vec<Element>),
}

/// One selected element.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Its value.
    pub expr: Expr,
    /// `AS name`
    pub alias: Option<Name>,
}

/// A name with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Without brackets.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// `FROM`
#[derive(Debug, Clone, PartialEq)]
pub struct From {
    /// `devices`, `devices.modules` and so on, in lower case.
    pub collection: Name,
    /// `JOIN name`
    pub join: Option<Name>,
    /// `AS OF …`
    pub as_of: Option<AsOf>,
}

/// Which past.
#[derive(Debug, Clone, PartialEq)]
pub enum AsOf {
    /// `AS OF REVISION n`
    Revision(u64),
    /// `AS OF TIME 'text'`, not read yet.
    Time(String, Span),
}

/// One key of `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderKey {
    /// Its value.
    pub expr: Expr,
    /// `DESC`
    pub descending: bool,
}

/// An expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `undefined`
    Undefined,
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Any other number; finite.
    Float(f64),
    /// Text, escapes resolved.
    String(String),
    /// `[a, b]`; elements of `IN`, corners of polygons.
    Array(Vec<Expr>),
    /// `a.b.[[c]]`; at least one name.
    Path(Vec<Name>),
    /// `NOT a`
    Not(Box<Expr>),
    /// `-a`; a literal with a sign is a literal.
    Negate(Box<Expr>),
    /// `a op b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a IN b`; `NIN` and `NOT IN` are [`ExprKind::Not`] around it.
    In(Box<Expr>, Box<Expr>),
    /// `a BETWEEN b AND c`; `NOT BETWEEN` is [`ExprKind::Not`] around it.
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a LIKE pattern ESCAPE c`; `NOT LIKE` is [`ExprKind::Not`] around it.
    Like {
        /// What is looked at.
        value: Box<Expr>,
        /// The pattern as written.
        pattern: String,
        /// Takes the next character of the pattern literally.
        escape: Option<char>,
    },
    /// `ANY x IN list SATISFIES condition`, and `ALL`.
    Quantified {
        /// `ALL` rather than `ANY`.
        all: bool,
        /// `x`
        variable: Name,
        /// The array.
        list: Box<Expr>,
        /// What each element is asked.
        condition: Box<Expr>,
    },
    /// `NAME(arguments)`
    Call {
        /// As written.
        name: Name,
        /// `COUNT(DISTINCT x)`
        distinct: bool,
        /// `COUNT(*)`
        star: bool,
        /// In order.
        arguments: Vec<Expr>,
    },
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `=`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}
