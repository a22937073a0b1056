//! Rows of the answer as JSON values.

use std::sync::Arc;

use super::Stop;
use super::rank::Ranks;
use super::rows::{Reading, RowRef};
use crate::evaluate::{Context, Source, evaluate};
use crate::plan::{Element, Output};
use crate::value::Value;

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row {
    /// The id of the row; empty for groups and distinct rows.
    pub id: String,
    /// What was selected of it.
    pub value: Value,
}

pub(super) fn project(reading: &Reading<'_>, rows: &[RowRef], ranks: Option<&Ranks>) -> Result<Vec<Row>, Stop> {
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        reading.looked_at(1, 0)?;
        // A document that went missing while it was read is a fault that `reading` knows.
        if let Some(value) = one(reading, *row, ranks) {
            out.push(Row { id: reading.id(*row).to_owned(), value });
        }
    }
    Ok(out)
}

/// What is selected of one row.
pub(super) fn one(reading: &Reading<'_>, row: RowRef, ranks: Option<&Ranks>) -> Option<Value> {
    match &reading.input.plan.output {
        Output::Documents => {
            let mut document = reading.document(row)?;
            if let Some(relation) = reading.input.plan.relation
                && let (Value::Object(members), Some(joined)) = (&mut document, reading.joined_document(row))
            {
                members.push((relation.name.to_owned(), Arc::unwrap_or_clone(joined)));
                members.sort_by(|a, b| a.0.cmp(&b.0));
            }
            Some(document)
        }
        Output::Rows(elements) | Output::Groups { elements, .. } => {
            let score = ranks.map(|ranks| ranks.score(reading, row));
            Some(object(elements, &reading.source(row, score), &reading.context))
        }
    }
}

/// An object of the elements that have a value, in the order of their names.
pub(super) fn object(elements: &[Element], source: &impl Source, context: &Context<'_>) -> Value {
    let value = |element: &Element| evaluate(&element.expr, source, context).into_value();
    Value::object(elements.iter().filter_map(|element| Some((element.name.clone(), value(element)?))).collect())
}
