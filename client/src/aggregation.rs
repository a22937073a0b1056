//! Aggregations put together step by step, instead of a text. It checks no rule: the server owns them.

use crate::proto::aggregate::Function;
use crate::proto::{Aggregate, AggregateRequest, ReadOptions};

/// An aggregation; [`Self::request`] is what [`crate::Queries::aggregate`] takes.
///
/// ```
/// use muster_client::{Aggregation, names};
///
/// let request = Aggregation::over(names::namespace("plant1"), "devices")
///     .filter("status = 'enabled'")
///     .group_by("tags.site")
///     .count("devices")
///     .average("properties.reported.battery", "battery")
///     .percentile("properties.reported.latency", 99.0, "p99")
///     .request();
/// assert_eq!(request.aggregates.len(), 3);
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `request` is given to `Queries::aggregate`"]
pub struct Aggregation(AggregateRequest);

impl Aggregation {
    /// Over all rows of a collection: `devices`, `devices.modules` or `assets`. `parent` is the name of a namespace.
    pub fn over(parent: impl Into<String>, collection: impl Into<String>) -> Self {
        Self(AggregateRequest { parent: parent.into(), collection: collection.into(), ..AggregateRequest::default() })
    }

    /// Only rows that fulfil a condition, as behind `WHERE`.
    pub fn filter(mut self, condition: impl Into<String>) -> Self {
        self.0.filter = condition.into();
        self
    }

    /// One group for each value at a path; call it again for each combination of values at several.
    pub fn group_by(mut self, path: impl Into<String>) -> Self {
        self.0.group_by.push(path.into());
        self
    }

    /// Rows.
    pub fn count(self, alias: impl Into<String>) -> Self {
        self.of(Function::Count, "", alias)
    }

    /// Rows that have a value at a path, other than null.
    pub fn count_of(self, path: impl Into<String>, alias: impl Into<String>) -> Self {
        self.of(Function::Count, path, alias)
    }

    /// Different values at a path.
    pub fn count_distinct(self, path: impl Into<String>, alias: impl Into<String>) -> Self {
        self.of(Function::CountDistinct, path, alias)
    }

    /// The sum of the numbers at a path.
    pub fn sum(self, path: impl Into<String>, alias: impl Into<String>) -> Self {
        self.of(Function::Sum, path, alias)
    }

    /// The average of the numbers at a path.
    pub fn average(self, path: impl Into<String>, alias: impl Into<String>) -> Self {
        self.of(Function::Avg, path, alias)
    }

    /// The least value at a path.
    pub fn min(self, path: impl Into<String>, alias: impl Into<String>) -> Self {
        self.of(Function::Min, path, alias)
    }

    /// The greatest value at a path.
    pub fn max(self, path: impl Into<String>, alias: impl Into<String>) -> Self {
        self.of(Function::Max, path, alias)
    }

    /// The number at a path that `percent` of all do not exceed; 0 to 100.
    pub fn percentile(mut self, path: impl Into<String>, percent: f64, alias: impl Into<String>) -> Self {
        self = self.of(Function::Percentile, path, alias);
        if let Some(last) = self.0.aggregates.last_mut() {
            last.percentile = Some(percent);
        }
        self
    }

    /// At most so many groups, in the order of their keys.
    pub fn limit(mut self, groups: i32) -> Self {
        self.0.limit = groups;
        self
    }

    /// As of a revision instead of now.
    pub fn as_of(mut self, revision: u64) -> Self {
        self.0.as_of_revision = revision;
        self
    }

    /// How fresh the answer must be.
    pub fn read(mut self, options: ReadOptions) -> Self {
        self.0.read = Some(options);
        self
    }

    /// The request.
    #[must_use]
    pub fn request(self) -> AggregateRequest {
        self.0
    }

    fn of(mut self, function: Function, path: impl Into<String>, alias: impl Into<String>) -> Self {
        let (path, alias) = (path.into(), alias.into());
        self.0.aggregates.push(Aggregate { function: function.into(), path, alias, percentile: None });
        self
    }
}
