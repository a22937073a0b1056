//! A query whose names are resolved, whose constants are computed and whose mistakes are found: what is executed.
//!
//! It knows no text but for error spans, and no data. Invariants, kept by [`crate::bind`]:
//!
//! - A plan cannot fail for reasons of its own: what is left to go wrong lies in the data, the budget or the store.
//! - `And` and `Or` are flat and have at least two parts; what follows from constants alone is a constant.
//! - Keys and aggregates occur in elements, `having` and order of a grouped plan only, and nothing else reads rows there.

use crate::syntax::ast::BinaryOp;
use crate::value::Value;

mod demand;
mod pattern;
mod text;
mod walk;

pub use demand::Demand;
pub use pattern::Pattern;
pub use text::text;

/// A query to execute.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Name of the collection, as in the schema.
    pub collection: &'static str,
    /// The relation that is joined.
    pub relation: Option<crate::Relation>,
    /// Which past; `None` is the present.
    pub as_of: Option<AsOf>,
    /// What a row must fulfil.
    pub filter: Option<Expr>,
    /// What each row or group becomes.
    pub output: Output,
    /// By what the output is ordered, before ids or keys. Over rows, or over keys and aggregates.
    pub order: Vec<Order>,
    /// Equal rows of the output count once.
    pub distinct: bool,
    /// How many at most.
    pub top: Option<u32>,
    /// `MATCH` conditions of the filter: path and words.
    pub matches: Vec<(Path, Words)>,
}

/// Which past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// As of a revision.
    Revision(u64),
    /// As of the last revision that is not later, milliseconds since the epoch.
    TimeMs(u64),
}

/// What each row or group becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The document.
    Documents,
    /// An object for each row.
    Rows(Vec<Element>),
    /// An object for each group; without keys one for all rows.
    Groups {
        /// `GROUP BY`
        keys: Vec<Expr>,
        /// All aggregates that occur, each once.
        aggregates: Vec<Aggregate>,
        /// Over keys and aggregates.
        elements: Vec<Element>,
        /// Over keys and aggregates.
        having: Option<Expr>,
    },
}

/// One member of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its value.
    pub expr: Expr,
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its value.
    pub expr: Expr,
    /// Downwards.
    pub descending: bool,
}

/// Where a value lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// In what.
    pub root: Root,
    /// Through which members; empty is the root itself.
    pub names: Vec<String>,
}

/// In what a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Root {
    /// The row's document.
    Row,
    /// The joined row's document.
    Joined,
    /// The element that the n-th enclosing `ANY` or `ALL` is at, counted from the outermost.
    Variable(usize),
}

/// An expression. `None` as a constant is undefined.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Always the same.
    Constant(Constant),
    /// From the document.
    Path(Path),
    /// The n-th key of the group.
    Key(usize),
    /// The n-th aggregate of the group.
    Aggregate(usize),
    /// The rank of the row.
    Score,
    /// Logic.
    Not(Box<Expr>),
    /// Logic.
    And(Vec<Expr>),
    /// Logic.
    Or(Vec<Expr>),
    /// `= != < <= > >=`
    Compare(BinaryOp, Box<Expr>, Box<Expr>),
    /// `+ - * / %`
    Arithmetic(BinaryOp, Box<Expr>, Box<Expr>),
    /// `-a`
    Negate(Box<Expr>),
    /// Among constants.
    In(Box<Expr>, Vec<Constant>),
    /// Among the elements of an array.
    InArray(Box<Expr>, Box<Expr>),
    /// By pattern.
    Like(Box<Expr>, Pattern),
    /// `ANY`, `ALL`
    Quantified {
        /// `ALL`
        all: bool,
        /// The array.
        list: Box<Expr>,
        /// May use the variable.
        condition: Box<Expr>,
    },
    /// The n-th of [`Plan::matches`].
    Match(usize),
    /// Near a place.
    Near {
        /// The place looked at.
        place: Box<Expr>,
        /// Degrees.
        lat: f64,
        /// Degrees.
        lon: f64,
        /// Metres.
        metres: f64,
    },
    /// In a polygon.
    Within {
        /// The place looked at.
        place: Box<Expr>,
        /// Latitude and longitude of each corner.
        corners: Vec<(f64, f64)>,
    },
    /// Any other function.
    Call(Function, Vec<Expr>),
}

/// A constant with equality by representation, so that plans can be compared.
#[derive(Debug, Clone)]
pub struct Constant(pub Option<Value>);

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => a.to_text() == b.to_text(),
            _ => false,
        }
    }
}

/// A function of section 9 of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the language")]
pub enum Function {
    IsDefined,
    IsNull,
    IsBool,
    IsNumber,
    IsString,
    IsArray,
    IsObject,
    IsPrimitive,
    StartsWith,
    EndsWith,
    Contains,
    Concat,
    Length,
    Lower,
    Upper,
    Substring,
    IndexOf,
    Abs,
    Sign,
    Ceiling,
    Floor,
    Round,
    Sqrt,
    Square,
    Exp,
    Power,
    Bucket,
    AsNumber,
    ArrayLength,
    Now,
    ToMillis,
    FromMillis,
    DateAdd(Unit),
    DateDiff(Unit),
    DatePart(Unit),
    DateTrunc(Unit),
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the language")]
pub enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Weekday,
}

/// An aggregate over the rows of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregate {
    /// `COUNT()`
    Rows,
    /// `COUNT(x)`
    Count(Expr),
    /// `COUNT(DISTINCT x)`
    CountDistinct(Expr),
    /// `SUM(x)`
    Sum(Expr),
    /// `AVG(x)`
    Average(Expr),
    /// `MIN(x)`
    Min(Expr),
    /// `MAX(x)`
    Max(Expr),
    /// `PERCENTILE(x, p)`
    Percentile(Expr, f64),
    /// `HISTOGRAM(x, width)`, the width being a number above 0.
    Histogram(Expr, Constant),
}

/// The words of a `MATCH`, cut and in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// Must occur.
    pub words: Vec<String>,
    /// A word that begins so must occur.
    pub beginnings: Vec<String>,
    /// Must occur one after the other.
    pub phrases: Vec<Vec<String>>,
    /// Must not occur; words, beginnings and phrases of these.
    pub absent: Vec<Words>,
}
