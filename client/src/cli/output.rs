//! Answers on stdout, as a table or as one JSON object a line; talk on stderr.
//!
//! The format is what `--output` says, never what stdout is connected to, so that a script sees what its author saw.

use std::fmt;
use std::io::{self, Write};

use comfy_table::{Cell, Table, TableStyle};
use serde_json::Value;

use crate::args::Format;

/// Rows that are laid out together; a longer list gets new column widths after so many.
const ROWS_AT_ONCE: usize = 5_000;

/// Says something to the person at the terminal.
pub(crate) fn talk(text: fmt::Arguments<'_>) {
    // Nothing can be done about a closed stderr.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// A list being printed.
pub(crate) struct Listing {
    format: Format,
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
    headed: bool,
}

impl Listing {
    /// Begins a list with these columns.
    pub(crate) fn new(format: Format, header: &'static [&'static str]) -> Self {
        Self { format, header, rows: Vec::new(), headed: false }
    }

    /// Prints an item: its JSON, or its cells.
    pub(crate) fn push(&mut self, json: impl FnOnce() -> Value, cells: impl FnOnce() -> Vec<String>) -> io::Result<()> {
        match self.format {
            Format::Json => line(&json().to_string()),
            Format::Table => {
                self.rows.push(cells());
                if self.rows.len() == ROWS_AT_ONCE { self.flush() } else { Ok(()) }
            }
        }
    }

    /// Prints what is left.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.format {
            Format::Json => Ok(()),
            Format::Table if self.headed && self.rows.is_empty() => Ok(()),
            Format::Table => self.flush(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut table = plain_table();
        if !self.headed {
            table.set_header(self.header);
            self.headed = true;
        }
        for row in self.rows.drain(..) {
            table.add_row(row.iter().map(|cell| Cell::new(printable(cell))));
        }
        print(table)
    }
}

/// Prints rows under names that are known only now.
pub(crate) fn table(header: &[String], rows: impl Iterator<Item = Vec<String>>, with_header: bool) -> io::Result<()> {
    let mut table = plain_table();
    if with_header {
        table.set_header(header.iter().map(|name| Cell::new(printable(name))));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| Cell::new(printable(cell))));
    }
    print(table)
}

/// Prints one thing: as JSON, or as a table of its members.
pub(crate) fn one(format: Format, json: &Value) -> io::Result<()> {
    match format {
        Format::Json => line(&json.to_string()),
        Format::Table => {
            let mut table = plain_table();
            if let Value::Object(members) = json {
                for (name, value) in members {
                    table.add_row([Cell::new(name), Cell::new(printable(&text(value)))]);
                }
            }
            print(table)
        }
    }
}

/// Prints a document: on one line as JSON, indented for people.
pub(crate) fn document(format: Format, json: &Value) -> io::Result<()> {
    match format {
        Format::Json => line(&json.to_string()),
        Format::Table => line(&serde_json::to_string_pretty(json).map_err(io::Error::other)?),
    }
}

/// Prints a line as it is.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table
}

/// Columns begin at the margin and stand two spaces apart.
fn print(mut table: Table) -> io::Result<()> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    line(&table.trim_fmt())
}

/// A value in a cell: a text as it is, lists and objects as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Control characters would let data steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
