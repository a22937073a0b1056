//! What a caller sends: operations that are carried out together. The leader adds time and revision ([`crate::At`]).

use crate::{Operation, limits};

/// One request to change something: its accepted operations share one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// At most [`limits::OPERATIONS_MAX`]; each sees the effects of those before it.
    pub operations: Vec<Operation>,
    /// All or nothing; otherwise each operation is accepted or refused for itself.
    pub atomic: bool,
}

impl Command {
    /// A command of one operation.
    #[must_use]
    pub fn single(operation: Operation) -> Self {
        Self { operations: vec![operation], atomic: true }
    }

    /// Whether it is within the bounds of a command.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        (1..=limits::OPERATIONS_MAX).contains(&self.operations.len())
    }
}
