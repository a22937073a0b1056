//! What the run asks of a system with the fleet in it, whichever system it is.
//!
//! A [`Store`] is where the system is: it can be carried to another thread. A [`Session`] is one client of it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::dataset::{Change, Fleet};
use super::questions::Question;

/// Rows of an answer, each cell as text.
pub(super) type Rows = Vec<Vec<String>>;

/// A step of loading and how long it took.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) seconds: f64,
}

impl Step {
    pub(super) fn new(what: &'static str, took: Duration) -> Self {
        Self { what, seconds: took.as_secs_f64() }
    }
}

/// Memory or disk that the fleet takes.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) what: &'static str,
    pub(super) mib: u64,
}

pub(super) trait Store: Clone + Send + 'static {
    type Session: Session;

    /// A client of its own.
    async fn session(&self) -> Result<Self::Session>;

    /// Brings the whole fleet in.
    async fn load(&self, fleet: &Fleet) -> Result<Vec<Step>>;

    /// Whatever a careful operator does after many changes.
    async fn settle(&self) -> Result<()>;

    /// What the fleet takes now.
    async fn sizes(&self) -> Result<Vec<Size>>;

    /// Processes that do the work.
    fn processes(&self) -> Result<Vec<u32>>;
}

pub(super) trait Session {
    /// Knows about the questions what another client of the same system found out.
    fn learn(&mut self, _from: &Self) {}

    /// Makes the next questions be this one. What a client does once and not for each call happens here.
    async fn turn_to(&mut self, question: &Question) -> Result<()>;

    /// All rows of the question turned to.
    async fn ask(&mut self) -> Result<Rows>;

    /// Asks in the same way and leaves the rows as they came.
    async fn time(&mut self) -> Result<()>;

    /// Makes the changes, in this order.
    async fn change(&mut self, changes: &[Change]) -> Result<()>;
}

/// A field of `/proc/PID/FILE` that the kernel gives in kB, in MiB.
pub(super) fn kernel_mib(pid: u32, file: &str, field: &str) -> Result<u64> {
    mib_in(&Path::new("/proc").join(pid.to_string()).join(file), field)
}

/// Memory that programs could still have.
pub(super) fn free_mib() -> Result<u64> {
    mib_in(Path::new("/proc/meminfo"), "MemAvailable")
}

fn mib_in(path: &Path, field: &str) -> Result<u64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let line =
        text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("{field} is not there"))?;
    let kib: u64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().context("read a size")?;
    Ok(kib >> 10)
}

/// A cell of a row, as text.
pub(super) fn cell(member: Option<&serde_json::Value>) -> String {
    match member {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
