//! One system through the phases of a run: loading, questions at rest, questions and probes beside changes.
//!
//! Knows no system by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;
use tokio::time::sleep;

use super::dataset::Fleet;
use super::questions::Question;
use super::store::{Session, Size, Step, Store};
use super::timing::{Effort, Times, time, time_together};
use super::writers::{Applied, Writers, apply};
use crate::talk::say;

/// Writes of the freshness probe, in each phase.
const PROBES: u32 = 200;

/// Everything measured of one system.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) load: Vec<Step>,
    pub(super) sizes: Vec<Size>,
    /// Of PostgreSQL's fitted table.
    pub(super) fitted_sizes: Vec<Size>,
    pub(super) applied: Vec<Applied>,
    pub(super) at_rest: Vec<Answered>,
    /// Several clients asking the same at the same time.
    pub(super) together: Vec<Answered>,
    pub(super) fresh_at_rest: Option<Fresh>,
    pub(super) beside_changes: Vec<Beside>,
    /// Questions that got an error for an answer. Each is asked no more.
    pub(super) refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) question: &'static str,
    pub(super) when: String,
    pub(super) why: String,
}

impl Side {
    /// Notes an error, so that the rest of a long run is measured all the same; the run fails in the end.
    pub(super) fn refuse(&mut self, question: &Question, when: &str, error: &anyhow::Error) {
        let (when, why) = (when.to_owned(), format!("{error:#}"));
        say(&format!("{}: {} {when}: {why}", self.name, question.name));
        self.refused.push(Refused { question: question.key, when, why });
    }

    pub(super) fn answers(&self, question: &Question) -> bool {
        !self.refused.iter().any(|refused| refused.question == question.key)
    }
}

/// How long a question took.
#[derive(Debug, Serialize)]
pub(super) struct Answered {
    pub(super) question: &'static str,
    #[serde(flatten)]
    pub(super) times: Times,
}

/// Questions while twins changed.
#[derive(Debug, Serialize)]
pub(super) struct Beside {
    pub(super) asked_rate: u64,
    pub(super) achieved_rate: f64,
    pub(super) answered: Vec<Answered>,
    pub(super) fresh: Fresh,
}

/// Writes that the query after them did not see.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Fresh {
    pub(super) probes: u32,
    pub(super) missed: u32,
}

/// A system with the fleet in it, and one client of it.
pub(super) struct Loaded<S: Store> {
    pub(super) store: S,
    pub(super) session: S::Session,
    pub(super) side: Side,
    fleet: Fleet,
    /// The number of the next change.
    pub(super) next: Arc<AtomicU64>,
    probe: u32,
}

impl<S: Store> Loaded<S> {
    pub(super) async fn new(name: &'static str, store: S, fleet: Fleet) -> Result<Self> {
        say(&format!("loading {} twins into {name}", fleet.twins));
        let (load, sizes) = (store.load(&fleet).await?, store.sizes().await?);
        let side = Side {
            name,
            load,
            sizes,
            fitted_sizes: Vec::new(),
            applied: Vec::new(),
            at_rest: Vec::new(),
            together: Vec::new(),
            fresh_at_rest: None,
            beside_changes: Vec::new(),
            refused: Vec::new(),
        };
        let session = store.session().await?;
        Ok(Self { store, session, side, fleet, next: Arc::default(), probe: 0 })
    }

    /// Changes as fast as they go, the same in each system.
    pub(super) async fn change(&mut self, what: &'static str, count: u64) -> Result<()> {
        let first = self.next.fetch_add(count, Ordering::AcqRel);
        let applied = apply(&self.store, self.fleet, what, first..first + count).await?;
        self.side.applied.push(applied);
        self.store.settle().await
    }

    pub(super) async fn at_rest(&mut self, question: &Question, effort: Effort) {
        if self.side.answers(question) {
            match time(&mut self.session, question, effort).await {
                Ok(times) => self.side.at_rest.push(Answered { question: question.key, times }),
                Err(error) => self.side.refuse(question, "at rest", &error),
            }
        }
    }

    /// The same clients for one question after the other.
    pub(super) async fn together(&mut self, sessions: &mut [S::Session], question: &Question, within: Duration) {
        if self.side.answers(question) {
            match time_together(sessions, question, within).await {
                Ok(times) => self.side.together.push(Answered { question: question.key, times }),
                Err(error) => self.side.refuse(question, "of several clients", &error),
            }
        }
    }

    pub(super) async fn fresh_at_rest(&mut self) -> Result<()> {
        self.side.fresh_at_rest = Some(self.fresh().await?);
        Ok(())
    }

    /// The same questions while twins change at a rate, each no longer than `within`.
    pub(super) async fn beside(&mut self, questions: &[Question], rate: u64, effort: Effort) -> Result<()> {
        say(&format!("{}: questions beside {rate} changes a second", self.side.name));
        let mut writers = Writers::start(self.store.clone(), self.fleet, rate, Arc::clone(&self.next));
        sleep(Duration::from_secs(1)).await;
        writers.count();
        let mut answered = Vec::new();
        for question in questions {
            if self.side.answers(question) {
                match time(&mut self.session, question, effort).await {
                    Ok(times) => answered.push(Answered { question: question.key, times }),
                    Err(error) => self.side.refuse(question, &format!("beside {rate} changes/s"), &error),
                }
            }
        }
        let fresh = self.fresh().await?;
        let achieved_rate = writers.stop().await?;
        self.side.beside_changes.push(Beside { asked_rate: rate, achieved_rate, answered, fresh });
        Ok(())
    }

    /// A write, then the query that must see it.
    async fn fresh(&mut self) -> Result<Fresh> {
        let mut missed = 0;
        for _ in 0..PROBES {
            let (number, probe) = (self.probe, self.fleet.probe(self.probe));
            self.probe += 1;
            let id = probe.id.clone();
            self.session.change(&[probe]).await?;
            self.session.turn_to(&Question::probe(number)).await?;
            let rows = self.session.ask().await?;
            ensure!(rows.len() <= 1, "probe {number}: {} rows", rows.len());
            missed += u32::from(rows != [vec![id]]);
        }
        Ok(Fresh { probes: PROBES, missed })
    }
}
