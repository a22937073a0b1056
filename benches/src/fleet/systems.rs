//! What is measured in one run: PostgreSQL, a node, and the engine within this program, all with the same fleet and the same
//! changes; each of them may be left out.
//!
//! Invariant: after [`Systems::change`] and before anything else writes, all give the same answers.

use std::time::Duration;

use anyhow::{Context, Result};

use super::answers;
use super::dataset::Fleet;
use super::engine::{Engine, EngineSide};
use super::node::Muster;
use super::questions::Question;
use super::side::{Answered, Loaded};
use super::sql::{Sql, SqlSession};
use super::store::{Size, Store, free_mib};
use super::summary::{Scans, Summary};
use super::timing::{Effort, time};
use crate::talk::say;

/// The systems of a run.
pub(super) struct Systems {
    pub(super) theirs: Option<Loaded<Sql>>,
    pub(super) ours: Option<Loaded<Muster>>,
    engine: Option<Engine>,
    engine_side: EngineSide,
    fleet: Fleet,
    changes: u64,
}

impl Systems {
    pub(super) async fn load(theirs: Option<Sql>, ours: Option<Muster>, fleet: Fleet) -> Result<Self> {
        let theirs = match theirs {
            Some(store) => Some(Loaded::new("PostgreSQL", store, fleet).await?),
            None => None,
        };
        let mut engine_side = EngineSide::default();
        let (mut loaded, mut engine) = (None, None);
        if let Some(store) = ours {
            let ours = loaded.insert(Loaded::new("Muster", store, fleet).await?);
            engine_side.left_out = no_room(&ours.side.sizes)?;
            if engine_side.left_out.is_none() {
                let (made, seconds) = Engine::load(&fleet)?;
                engine_side = EngineSide { load_seconds: seconds, sizes: made.sizes(), ..EngineSide::default() };
                engine = Some(made);
            }
        }
        Ok(Self { theirs, ours: loaded, engine, engine_side, fleet, changes: 0 })
    }

    /// Compares all answers with those of the node; false when there is nothing to compare with.
    pub(super) async fn compare(&mut self, questions: &[Question]) -> Result<bool> {
        let Some(ours) = &mut self.ours else { return Ok(false) };
        for question in questions {
            let own = match answers::of(&mut ours.session, question).await {
                Ok(own) => own,
                Err(error) => {
                    ours.side.refuse(question, "when compared", &error);
                    continue;
                }
            };
            if let Some(engine) = &mut self.engine
                && !self.engine_side.needs_documents.contains(&question.key)
            {
                match answers::of(engine, question).await {
                    Ok(answer) => answers::compare(question, &own, "in process", &answer)?,
                    Err(_) if engine.wanted_document() => self.engine_side.needs_documents.push(question.key),
                    Err(error) => return Err(error),
                }
            }
            if let Some(theirs) = &mut self.theirs {
                let other = answers::of(&mut theirs.session, question).await?;
                answers::compare(question, &own, "PostgreSQL", &other)?;
            }
        }
        Ok(self.theirs.is_some())
    }

    /// The same changes in all, as fast as they go.
    pub(super) async fn change(&mut self, what: &'static str, count: u64) -> Result<()> {
        say(&format!("{count} changes as fast as they go"));
        if let Some(theirs) = &mut self.theirs {
            theirs.change(what, count).await?;
        }
        if let Some(ours) = &mut self.ours {
            ours.change(what, count).await?;
        }
        let numbers = self.changes..self.changes + count;
        self.changes = numbers.end;
        if let Some(engine) = &mut self.engine {
            engine.apply(&numbers.map(|number| self.fleet.change(number)).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Each question of one directly after the other, so that all have the same minute of the machine.
    pub(super) async fn at_rest(
        &mut self,
        questions: &[Question],
        effort: Effort,
        summary: &mut Summary,
    ) -> Result<()> {
        say(&format!("each question {} times at rest, slow ones {}", effort.runs, effort.slow_runs));
        for question in questions {
            if let Some(theirs) = &mut self.theirs {
                theirs.at_rest(question, effort).await;
                summary.postgres_scans.push(scans("usual indexes", &theirs.session, question).await?);
            }
            if let Some(ours) = &mut self.ours {
                ours.at_rest(question, effort).await;
            }
            if let Some(engine) = &mut self.engine
                && !self.engine_side.needs_documents.contains(&question.key)
            {
                let times = time(engine, question, effort).await?;
                summary.engine_at_rest.push(Answered { question: question.key, times });
            }
        }
        Ok(())
    }

    /// What is known of the engine. It ends here, so that its memory is not beside what follows.
    pub(super) fn end_of_engine(&mut self) -> Option<EngineSide> {
        self.ours.as_ref()?;
        if let Some(engine) = self.engine.take() {
            self.engine_side.change_us = engine.change_us();
        }
        Some(std::mem::take(&mut self.engine_side))
    }

    /// From now on PostgreSQL is asked the fitted way.
    pub(super) async fn fit(&mut self) -> Result<()> {
        let Some(theirs) = &mut self.theirs else { return Ok(()) };
        say("PostgreSQL with a table and indexes made for the questions");
        theirs.side.load.push(theirs.store.fit().await?);
        theirs.side.fitted_sizes = theirs.store.sizes().await?;
        theirs.session = theirs.store.fitted_session().await?;
        Ok(())
    }

    /// The fitted way at rest.
    pub(super) async fn fitted_at_rest(
        &mut self,
        questions: &[Question],
        effort: Effort,
        summary: &mut Summary,
    ) -> Result<()> {
        let Some(theirs) = &mut self.theirs else { return Ok(()) };
        for question in questions {
            let times = time(&mut theirs.session, question, effort).await?;
            summary.postgres_fitted.push(Answered { question: question.key, times });
            summary.postgres_scans.push(scans("fitted", &theirs.session, question).await?);
        }
        Ok(())
    }

    /// Several clients of each, at rest.
    pub(super) async fn together(&mut self, questions: &[Question], clients: u32, within: Duration) -> Result<()> {
        say(&format!("{clients} clients at rest"));
        let (mut of_theirs, mut of_ours) = (Vec::new(), Vec::new());
        for _ in 0..clients {
            if let Some(theirs) = &self.theirs {
                of_theirs.push(theirs.store.fitted_session().await?);
            }
            if let Some(ours) = &self.ours {
                of_ours.push(ours.store.session().await?);
            }
        }
        for question in questions {
            if let Some(theirs) = &mut self.theirs {
                theirs.together(&mut of_theirs, question, within).await;
            }
            if let Some(ours) = &mut self.ours {
                ours.together(&mut of_ours, question, within).await;
            }
        }
        Ok(())
    }

    pub(super) async fn fresh_at_rest(&mut self) -> Result<()> {
        if let Some(theirs) = &mut self.theirs {
            theirs.fresh_at_rest().await?;
        }
        match &mut self.ours {
            Some(ours) => ours.fresh_at_rest().await,
            None => Ok(()),
        }
    }

    /// One after the other beside changes: together they would have the same two processors.
    pub(super) async fn beside(&mut self, questions: &[Question], rate: u64, effort: Effort) -> Result<()> {
        if let Some(theirs) = &mut self.theirs {
            theirs.beside(questions, rate, effort).await?;
            theirs.store.settle().await?;
        }
        match &mut self.ours {
            Some(ours) => ours.beside(questions, rate, effort).await,
            None => Ok(()),
        }
    }
}

/// Why there is no second copy of what a node holds: a machine that swaps or kills measures nothing.
fn no_room(node: &[Size]) -> Result<Option<String>> {
    let needed: u64 = node.iter().map(|size| size.mib).sum();
    let free = free_mib()?;
    // As much again stays for what follows: PostgreSQL's caches, and copies while twins change.
    Ok((free < 2 * needed).then(|| format!("the node takes {needed} MiB, and {free} MiB are free")))
}

async fn scans(way: &'static str, session: &SqlSession, question: &Question) -> Result<Scans> {
    let lines = session.scans(question).await.with_context(|| format!("explain {}", question.name))?;
    Ok(Scans { question: question.key, way, lines })
}
