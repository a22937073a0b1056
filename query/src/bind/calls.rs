//! Calls: which function a name means, how many arguments it takes, and which of them are literals.

use crate::error::{Code, QueryError};
use crate::plan::{Constant, Expr, Function, PlaceAt, Unit};
use crate::syntax::ast::{self, ExprKind, Name, Span};
use crate::value::Value;

use super::aggregates;
use super::binder::{Binder, Clause};
use super::{fold, names, polygon, words};

/// A call as it was written.
pub(super) struct Call<'a> {
    pub(super) name: &'a Name,
    pub(super) distinct: bool,
    pub(super) star: bool,
    pub(super) arguments: &'a [ast::Expr],
    pub(super) span: Span,
}

impl Call<'_> {
    /// Their number or kind is wrong.
    pub(super) fn wrong_arguments(&self, takes: &str) -> QueryError {
        QueryError::new(Code::Invalid, self.span, takes)
    }

    fn takes(&self, what: &str) -> QueryError {
        self.wrong_arguments(&format!("{} takes {what}", self.name.text.to_ascii_uppercase()))
    }
}

/// Functions of values: name, least and most arguments.
const PLAIN: [(&str, Function, usize, usize); 34] = [
    ("IS_DEFINED", Function::IsDefined, 1, 1),
    ("IS_NULL", Function::IsNull, 1, 1),
    ("IS_BOOL", Function::IsBool, 1, 1),
    ("IS_NUMBER", Function::IsNumber, 1, 1),
    ("IS_STRING", Function::IsString, 1, 1),
    ("IS_ARRAY", Function::IsArray, 1, 1),
    ("IS_OBJECT", Function::IsObject, 1, 1),
    ("IS_PRIMITIVE", Function::IsPrimitive, 1, 1),
    ("STARTSWITH", Function::StartsWith, 2, 2),
    ("STARTS_WITH", Function::StartsWith, 2, 2),
    ("ENDSWITH", Function::EndsWith, 2, 2),
    ("ENDS_WITH", Function::EndsWith, 2, 2),
    ("CONTAINS", Function::Contains, 2, 2),
    ("CONCAT", Function::Concat, 2, usize::MAX),
    ("LENGTH", Function::Length, 1, 1),
    ("LOWER", Function::Lower, 1, 1),
    ("UPPER", Function::Upper, 1, 1),
    ("SUBSTRING", Function::Substring, 2, 3),
    ("INDEX_OF", Function::IndexOf, 2, 2),
    ("ABS", Function::Abs, 1, 1),
    ("SIGN", Function::Sign, 1, 1),
    ("CEILING", Function::Ceiling, 1, 1),
    ("FLOOR", Function::Floor, 1, 1),
    ("ROUND", Function::Round, 1, 1),
    ("SQRT", Function::Sqrt, 1, 1),
    ("SQUARE", Function::Square, 1, 1),
    ("EXP", Function::Exp, 1, 1),
    ("POWER", Function::Power, 2, 2),
    ("BUCKET", Function::Bucket, 2, 2),
    ("AS_NUMBER", Function::AsNumber, 1, 1),
    ("ARRAY_LENGTH", Function::ArrayLength, 1, 1),
    ("NOW", Function::Now, 0, 0),
    ("TO_MILLIS", Function::ToMillis, 1, 1),
    ("FROM_MILLIS", Function::FromMillis, 1, 1),
];

/// Functions whose first argument is a unit: name, what they are with a unit, how many arguments follow it.
type OfUnit = (&'static str, fn(Unit) -> Function, usize);
const OF_UNIT: [OfUnit; 4] = [
    ("DATE_ADD", Function::DateAdd, 2),
    ("DATE_DIFF", Function::DateDiff, 2),
    ("DATE_PART", Function::DatePart, 1),
    ("DATE_TRUNC", Function::DateTrunc, 1),
];

const UNITS: [(&str, Unit); 10] = [
    ("millisecond", Unit::Millisecond),
    ("second", Unit::Second),
    ("minute", Unit::Minute),
    ("hour", Unit::Hour),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Month),
    ("quarter", Unit::Quarter),
    ("year", Unit::Year),
    ("weekday", Unit::Weekday),
];

/// Functions that are something else in a plan.
const OTHERS: [&str; 5] = ["ARRAY_CONTAINS", "MATCH", "SCORE", "NEAR", "WITHIN"];

impl<'a> Binder<'a> {
    /// A call of any kind.
    pub(super) fn call(&mut self, call: &Call<'a>) -> Result<Expr, QueryError> {
        let name = call.name.text.to_ascii_uppercase();
        if (call.star || call.distinct) && name != "COUNT" {
            let message = format!("only COUNT takes {}", if call.star { "*" } else { "DISTINCT" });
            return Err(QueryError::new(Code::Invalid, call.span, message));
        }
        if aggregates::is_aggregate(&name) {
            return self.aggregate(call);
        }
        if let Some((_, function, least, most)) = PLAIN.iter().find(|(known, ..)| *known == name) {
            return self.plain(call, *function, *least, *most);
        }
        if let Some((_, function, others)) = OF_UNIT.iter().find(|(known, ..)| *known == name) {
            return self.of_unit(call, *function, *others);
        }
        match (name.as_str(), call.arguments) {
            ("ARRAY_CONTAINS", [list, x]) => {
                let (list, x) = (self.expr(list)?, self.expr(x)?);
                Ok(fold::fold(Expr::InArray(Box::new(x), Box::new(list))))
            }
            ("ARRAY_CONTAINS", _) => Err(call.takes("an array and a value")),
            ("MATCH", [path, text]) => self.matching(call, path, text),
            ("MATCH", _) => Err(call.takes("a path and the words to look for")),
            ("SCORE", []) => self.score(call),
            ("SCORE", _) => Err(call.takes("nothing")),
            ("NEAR", [place, lat, lon, metres]) => self.near(place, lat, lon, metres),
            ("NEAR", _) => Err(call.takes("a path, latitude and longitude in degrees, and metres")),
            ("WITHIN", [place, corners]) => {
                let place = PlaceAt::of(self.expr(place)?);
                let corners = polygon::corners(self, corners)?;
                Ok(fold::fold(Expr::Within { place, corners }))
            }
            ("WITHIN", _) => Err(call.takes("a path and a polygon, [[lat, lon], …]")),
            _ => Err(unknown_function(call.name)),
        }
    }

    fn plain(&mut self, call: &Call<'a>, function: Function, least: usize, most: usize) -> Result<Expr, QueryError> {
        let given = call.arguments.len();
        if given < least || given > most {
            return Err(call.takes(&match (least, most) {
                (0, _) => "nothing".to_owned(),
                (1, 1) => "one argument".to_owned(),
                (_, usize::MAX) => format!("at least {least} arguments"),
                (least, most) if least == most => format!("{least} arguments"),
                _ => format!("{least} or {most} arguments"),
            }));
        }
        let arguments = call.arguments.iter().map(|argument| self.expr(argument)).collect::<Result<_, _>>()?;
        Ok(fold::fold(Expr::Call(function, arguments)))
    }

    fn of_unit(&mut self, call: &Call<'a>, function: fn(Unit) -> Function, others: usize) -> Result<Expr, QueryError> {
        let (first, rest) = match call.arguments.split_first() {
            Some((first, rest)) if rest.len() == others => (first, rest),
            _ => {
                let what = if others == 1 { "a unit and a time" } else { "a unit and two more arguments" };
                return Err(call.takes(what));
            }
        };
        let unit = unit(first)?;
        let function = function(unit);
        if unit == Unit::Weekday && !matches!(function, Function::DatePart(_)) {
            return Err(QueryError::new(Code::Invalid, first.span, "'weekday' is a unit of DATE_PART only")
                .with_help("for lengths of time take 'day' or 'week'"));
        }
        let arguments = rest.iter().map(|argument| self.expr(argument)).collect::<Result<_, _>>()?;
        Ok(fold::fold(Expr::Call(function, arguments)))
    }

    fn matching(&mut self, call: &Call<'a>, path: &'a ast::Expr, text: &'a ast::Expr) -> Result<Expr, QueryError> {
        if self.clause != Clause::Where {
            return Err(QueryError::new(Code::Invalid, call.span, "MATCH stands in WHERE only")
                .with_help("SCORE() tells how well a row matches"));
        }
        let Expr::Path(looked_at) = self.expr(path)? else {
            return Err(QueryError::new(Code::Invalid, path.span, "MATCH looks at a path"));
        };
        if matches!(looked_at.root, crate::plan::Root::Variable(_)) {
            return Err(QueryError::new(
                Code::Invalid,
                path.span,
                "MATCH looks at a path of the row, not at a variable",
            )
            .with_help("CONTAINS and LIKE look at any text"));
        }
        let ExprKind::String(wanted) = &text.kind else {
            return Err(QueryError::new(Code::Invalid, text.span, "the words of MATCH are a literal"));
        };
        let words = words::parse(wanted).ok_or_else(|| {
            QueryError::new(Code::Invalid, text.span, "there is no word to look for in it")
                .with_help("words are letters and digits: 'pump', 'pum*', '\"two words\"', '-not'")
        })?;
        self.matches.push((looked_at, words));
        Ok(Expr::Match(self.matches.len() - 1))
    }

    fn score(&self, call: &Call<'a>) -> Result<Expr, QueryError> {
        if !matches!(self.clause, Clause::Select | Clause::Order) || self.is_grouped() || self.in_aggregate {
            return Err(QueryError::new(
                Code::Invalid,
                call.span,
                "SCORE() stands in SELECT and ORDER BY, for single rows",
            ));
        }
        // The sum over no MATCH.
        let nothing = Expr::Constant(Constant(Some(Value::Float(0.0))));
        Ok(if self.matches.is_empty() { nothing } else { Expr::Score })
    }

    fn near(
        &mut self,
        place: &'a ast::Expr,
        lat: &'a ast::Expr,
        lon: &'a ast::Expr,
        metres: &'a ast::Expr,
    ) -> Result<Expr, QueryError> {
        let place = PlaceAt::of(self.expr(place)?);
        let (lat, lon) = polygon::degrees(self, lat, lon)?;
        let metres = constant_number(self, metres, "metres are a number from 0", |metres| metres >= 0.0)?;
        Ok(fold::fold(Expr::Near { place, lat, lon, metres }))
    }
}

/// A constant number that is as it should be, as a double.
pub(super) fn constant_number<'a>(
    binder: &mut Binder<'a>,
    written: &'a ast::Expr,
    should: &str,
    is_good: impl Fn(f64) -> bool,
) -> Result<f64, QueryError> {
    let number = match binder.expr(written)? {
        Expr::Constant(Constant(value)) => crate::evaluate::number::as_double(&value.as_ref().into()),
        _ => None,
    };
    number.filter(|number| is_good(*number)).ok_or_else(|| {
        QueryError::new(Code::Invalid, written.span, should).with_help("it is a literal: it cannot depend on the row")
    })
}

fn unit(written: &ast::Expr) -> Result<Unit, QueryError> {
    let known = UNITS.map(|(name, _)| name);
    let ExprKind::String(text) = &written.kind else {
        return Err(QueryError::new(Code::Invalid, written.span, "a unit of time is a literal, such as 'day'")
            .with_help(format!("units: {}", known.join(", "))));
    };
    let found = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, unit)| *unit).ok_or_else(|| {
        let error = names::unknown(format!("`{text}` is no unit of time"), written.span, text, &known, "units");
        QueryError { code: Code::Invalid, ..error }
    })
}

fn unknown_function(name: &Name) -> QueryError {
    let plain = PLAIN.iter().map(|(name, ..)| *name);
    let known: Vec<&str> =
        plain.chain(OF_UNIT.iter().map(|(name, ..)| *name)).chain(OTHERS).chain(aggregates::NAMES).collect();
    names::unknown(format!("there is no function `{}`", name.text), name.span, &name.text, &known, "functions")
}
