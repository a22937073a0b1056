//! Everything measured in one run, as it goes into the JSON file; `tables.rs` writes it for people.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;

use super::dataset::Fleet;
use super::engine::EngineSide;
use super::live::Live;
use super::questions::Question;
use super::restart::Restarts;
use super::side::{Answered, Fresh, Side};
use crate::machine::Machine;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Seconds since 1970.
    unix_time: u64,
    version: &'static str,
    /// A quick run shows that everything works; its numbers mean nothing.
    pub(super) quick: bool,
    pub(super) twins: u32,
    pub(super) seed: u64,
    pub(super) tail: u32,
    pub(super) clients: u32,
    pub(super) machine: Machine,
    /// Changes after which the answers were compared once more; without a peer nothing was compared.
    pub(super) compared_after_changes: Option<u64>,
    /// At rest with the usual indexes; everything after that with the fitted table.
    pub(super) postgres: Option<Side>,
    /// At rest with the fitted table.
    pub(super) postgres_fitted: Vec<Answered>,
    pub(super) postgres_scans: Vec<Scans>,
    pub(super) muster: Option<Side>,
    pub(super) engine: Option<EngineSide>,
    pub(super) engine_at_rest: Vec<Answered>,
    pub(super) live: Option<Live>,
    pub(super) restarts: Option<Restarts>,
    #[serde(skip)]
    pub(super) questions: Vec<Question>,
}

/// How PostgreSQL reads for a question.
#[derive(Debug, Serialize)]
pub(super) struct Scans {
    pub(super) question: &'static str,
    pub(super) way: &'static str,
    pub(super) lines: Vec<String>,
}

impl Summary {
    pub(super) fn new(quick: bool, (fleet, clients): (Fleet, u32), machine: Machine, questions: Vec<Question>) -> Self {
        Self {
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            version: env!("CARGO_PKG_VERSION"),
            quick,
            twins: fleet.twins,
            seed: fleet.seed,
            tail: fleet.tail,
            clients,
            machine,
            compared_after_changes: None,
            postgres: None,
            postgres_fitted: Vec::new(),
            postgres_scans: Vec::new(),
            muster: None,
            engine: None,
            engine_at_rest: Vec::new(),
            live: None,
            restarts: None,
            questions,
        }
    }

    pub(super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Questions that were answered with an error.
    pub(super) fn refused(&self) -> usize {
        [&self.postgres, &self.muster].into_iter().flatten().map(|side| side.refused.len()).sum()
    }

    /// Writes that a query of Muster's did not see; there may be none.
    pub(super) fn missed(&self) -> u32 {
        let probes = self.muster.iter().flat_map(|side| {
            side.fresh_at_rest.iter().copied().chain(side.beside_changes.iter().map(|beside| beside.fresh))
        });
        probes.map(|fresh: Fresh| fresh.missed).sum()
    }
}
