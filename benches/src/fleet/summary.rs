//! What was measured, as tables for the README and as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;

use super::live::{Live, Restart};
use super::questions::Question;
use super::side::{Answered, Beside, Fresh, Side};
use super::timing::Times;
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
    pub(super) machine: Machine,
    /// Changes after which the answers were compared once more; without a peer nothing was compared.
    pub(super) compared_after_changes: Option<u64>,
    pub(super) postgres: Option<Side>,
    /// PostgreSQL with indexes made for one question each.
    pub(super) postgres_fitted: Vec<Answered>,
    /// How PostgreSQL reads, by question.
    pub(super) postgres_scans: Vec<(&'static str, Vec<String>)>,
    pub(super) muster: Option<Side>,
    pub(super) live: Option<Live>,
    pub(super) restart: Option<Restart>,
    #[serde(skip)]
    pub(super) questions: Vec<Question>,
}

impl Summary {
    pub(super) fn new(quick: bool, twins: u32, seed: u64, machine: Machine, questions: Vec<Question>) -> Self {
        Self {
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            version: env!("CARGO_PKG_VERSION"),
            quick,
            twins,
            seed,
            machine,
            compared_after_changes: None,
            postgres: None,
            postgres_fitted: Vec::new(),
            postgres_scans: Vec::new(),
            muster: None,
            live: None,
            restart: None,
            questions,
        }
    }

    pub(super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Writes that a query of Muster's did not see; there may be none.
    pub(super) fn missed(&self) -> u32 {
        let probes = self.muster.iter().flat_map(|side| {
            side.fresh_at_rest.iter().copied().chain(side.beside_changes.iter().map(|beside| beside.fresh))
        });
        probes.map(|fresh: Fresh| fresh.missed).sum()
    }

    pub(super) fn markdown(&self) -> String {
        let mut lines = vec![format!(
            "{} twins, seed {}, {} processors, a sync takes {} us{}\n",
            self.twins,
            self.seed,
            self.machine.cores,
            self.machine.sync_us,
            if self.quick { "; QUICK: these numbers mean nothing" } else { "" }
        )];
        lines.push("| question | PostgreSQL p50, p99 ms | with an index for it | Muster p50, p99 ms | ratio | to the better one | aim |".to_owned());
        lines.push("| --- | --- | --- | --- | --- | --- | --- |".to_owned());
        let (theirs, ours) = (rest(self.postgres.as_ref()), rest(self.muster.as_ref()));
        for question in &self.questions {
            let key = question.key;
            let (peer, fitted, own) = (of(theirs, key), of(&self.postgres_fitted, key), of(ours, key));
            let better = [peer, fitted].into_iter().flatten().min_by(|a, b| a.p50_ms.total_cmp(&b.p50_ms));
            let aim = question.aim.map_or(String::new(), |aim| format!("{aim}"));
            lines.push(format!(
                "| {} | {} | {} | {} | {} | {} | {aim} |",
                question.name,
                shown(peer),
                shown(fitted),
                shown(own),
                ratio(peer, own),
                ratio(better, own)
            ));
        }
        self.beside(&mut lines);
        self.others(&mut lines);
        lines.join("\n")
    }

    fn beside(&self, lines: &mut Vec<String>) {
        let (theirs, ours) = (phases(self.postgres.as_ref()), phases(self.muster.as_ref()));
        for phase in 0..theirs.len().max(ours.len()) {
            let (peer, own) = (theirs.get(phase), ours.get(phase));
            lines.push(format!("\n| question | PostgreSQL, {} | Muster, {} | ratio |", head(peer), head(own)));
            lines.push("| --- | --- | --- | --- |".to_owned());
            for question in &self.questions {
                let times = |beside: Option<&Beside>| beside.and_then(|beside| of(&beside.answered, question.key));
                let (theirs, ours) = (times(peer), times(own));
                lines.push(format!(
                    "| {} | {} | {} | {} |",
                    question.name,
                    shown(theirs),
                    shown(ours),
                    ratio(theirs, ours)
                ));
            }
        }
    }

    fn others(&self, lines: &mut Vec<String>) {
        lines.push("\n| what | result |\n| --- | --- |".to_owned());
        match self.compared_after_changes {
            Some(changes) => {
                lines.push(format!("| answers compared | all the same, and again after {changes} changes |"))
            }
            None => lines.push("| answers compared | NOT COMPARED: a system was left out |".to_owned()),
        }
        for side in [&self.postgres, &self.muster].into_iter().flatten() {
            let steps: Vec<_> = side.load.iter().map(|step| format!("{} {:.1} s", step.what, step.seconds)).collect();
            lines.push(format!("| {}: loading | {} |", side.name, steps.join(", ")));
            let sizes: Vec<_> = side.sizes.iter().map(|size| format!("{} {} MiB", size.what, size.mib)).collect();
            lines.push(format!("| {}: sizes after loading | {} |", side.name, sizes.join(", ")));
            let rest = side.fresh_at_rest.map(|fresh| ("at rest".to_owned(), fresh));
            let beside = side.beside_changes.iter().map(|beside| (head(Some(beside)), beside.fresh));
            for (when, fresh) in rest.into_iter().chain(beside) {
                lines.push(format!(
                    "| {}: writes missing in the query after them, {when} | {} of {} |",
                    side.name, fresh.missed, fresh.probes
                ));
            }
        }
        if let Some(live) = &self.live {
            lines.push(format!(
                "| {} live queries of {} texts, {:.0} of {} changes/s | {:.0} rows/s told, {:.0} marks of progress/s |",
                live.queries,
                live.texts,
                live.achieved_rate,
                live.asked_rate,
                live.rows_per_second,
                live.progress_per_second
            ));
        }
        if let Some(restart) = &self.restart {
            let sizes: Vec<_> = restart.sizes.iter().map(|size| format!("{} {} MiB", size.what, size.mib)).collect();
            lines.push(format!(
                "| restart: writes, queries after | {:.2} s, {:.2} s; {} |",
                restart.writes_after_seconds,
                restart.queries_after_seconds,
                sizes.join(", ")
            ));
        }
    }
}

fn rest(side: Option<&Side>) -> &[Answered] {
    side.map_or(&[], |side| &side.at_rest)
}

fn phases(side: Option<&Side>) -> &[Beside] {
    side.map_or(&[], |side| &side.beside_changes)
}

fn of(answered: &[Answered], key: &str) -> Option<Times> {
    answered.iter().find(|answered| answered.question == key).map(|answered| answered.times)
}

fn shown(times: Option<Times>) -> String {
    times.map_or("-".to_owned(), |times| format!("{:.2}, {:.2}", times.p50_ms, times.p99_ms))
}

fn ratio(theirs: Option<Times>, ours: Option<Times>) -> String {
    theirs.zip(ours).map_or("-".to_owned(), |(theirs, ours)| format!("{:.2}", theirs.p50_ms / ours.p50_ms))
}

fn head(beside: Option<&Beside>) -> String {
    beside.map_or("-".to_owned(), |beside| format!("{:.0} of {} changes/s", beside.achieved_rate, beside.asked_rate))
}
