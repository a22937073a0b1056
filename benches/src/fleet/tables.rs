//! A run as tables for people, in the form of `benches/README.md`.

use super::restart::Restart;
use super::side::{Answered, Beside, Side};
use super::store::Size;
use super::summary::Summary;
use super::timing::Times;

impl Summary {
    pub(super) fn markdown(&self) -> String {
        let quick = if self.quick { "; QUICK: these numbers mean nothing" } else { "" };
        let (cores, sync) = (self.machine.cores, self.machine.sync_us);
        let mut lines = vec![format!(
            "{} twins, seed {}, {} paths of the long tail, {cores} processors, a sync takes {sync} us{quick}. Milliseconds: p50, p95, p99. PostgreSQL A has the usual indexes, B a table and indexes made for these questions.\n",
            self.twins, self.seed, self.tail,
        )];
        self.at_rest(&mut lines);
        self.together(&mut lines);
        self.beside(&mut lines);
        self.others(&mut lines);
        lines.join("\n")
    }

    fn at_rest(&self, lines: &mut Vec<String>) {
        head(
            lines,
            &["question", "PostgreSQL A", "PostgreSQL B", "Muster", "in process", "A / Muster", "B / Muster", "aim"],
        );
        let (theirs, ours) = (rest(self.postgres.as_ref()), rest(self.muster.as_ref()));
        for question in &self.questions {
            let key = question.key;
            let (usual, fitted, own) = (of(theirs, key), of(&self.postgres_fitted, key), of(ours, key));
            let aim = question.aim.map_or(String::new(), |aim| format!("{aim} x"));
            let engine = shown(of(&self.engine_at_rest, key));
            row(
                lines,
                &[
                    question.name.to_owned(),
                    shown(usual),
                    shown(fitted),
                    shown(own),
                    engine,
                    ratio(usual, own),
                    ratio(fitted, own),
                    aim,
                ],
            );
        }
    }

    fn together(&self, lines: &mut Vec<String>) {
        let many = |side: Option<&Side>| side.is_some_and(|side| !side.together.is_empty());
        if !many(self.postgres.as_ref()) && !many(self.muster.as_ref()) {
            return;
        }
        let clients = self.clients;
        let heads = [
            format!("question, {clients} clients"),
            "PostgreSQL B".to_owned(),
            "answers/s".to_owned(),
            "Muster".to_owned(),
            "answers/s".to_owned(),
            "Muster / B".to_owned(),
        ];
        lines.push(String::new());
        head(lines, &heads.each_ref().map(String::as_str));
        let times = |side: &Option<Side>, key| side.as_ref().and_then(|side| of(&side.together, key));
        for question in &self.questions {
            let (peer, own) = (times(&self.postgres, question.key), times(&self.muster, question.key));
            let rate = |times: Option<Times>| times.map_or("-".to_owned(), |times| format!("{:.0}", times.rate));
            let more =
                peer.zip(own).map_or("-".to_owned(), |(peer, own)| format!("{} x", rounded(own.rate / peer.rate)));
            row(lines, &[question.name.to_owned(), shown(peer), rate(peer), shown(own), rate(own), more]);
        }
    }

    fn beside(&self, lines: &mut Vec<String>) {
        let (theirs, ours) = (phases(self.postgres.as_ref()), phases(self.muster.as_ref()));
        for phase in 0..theirs.len().max(ours.len()) {
            let (peer, own) = (theirs.get(phase), ours.get(phase));
            let heads = [
                "question".to_owned(),
                format!("PostgreSQL B, {}", reached(peer)),
                format!("Muster, {}", reached(own)),
                "B / Muster".to_owned(),
                "Muster / at rest".to_owned(),
            ];
            lines.push(String::new());
            head(lines, &heads.each_ref().map(String::as_str));
            for question in &self.questions {
                let times = |beside: Option<&Beside>| beside.and_then(|beside| of(&beside.answered, question.key));
                let (theirs, ours) = (times(peer), times(own));
                let slower = ratio(ours, of(rest(self.muster.as_ref()), question.key));
                row(lines, &[question.name.to_owned(), shown(theirs), shown(ours), ratio(theirs, ours), slower]);
            }
        }
    }

    fn others(&self, lines: &mut Vec<String>) {
        lines.push(String::new());
        head(lines, &["what", "result"]);
        let mut tell = |what: &str, result: &str| lines.push(format!("| {what} | {result} |"));
        tell(
            "answers compared",
            &self.compared_after_changes.map_or_else(
                || "NOT COMPARED: a system was left out".to_owned(),
                |changes| {
                    let but = if self.refused() > 0 { ", but those that FAILED" } else { "" };
                    format!("all the same{but}, with both ways of PostgreSQL and after {changes} changes")
                },
            ),
        );
        for side in [&self.postgres, &self.muster].into_iter().flatten() {
            of_side(side, &mut tell);
        }
        if let Some(engine) = &self.engine {
            match &engine.left_out {
                Some(why) => tell("in process", &format!("left out: {why}")),
                None => {
                    let size = sizes(&engine.sizes);
                    tell("in process: loading; memory", &format!("{:.1} s; {size}", engine.load_seconds));
                    tell("in process: a change of the columns", &format!("{:.1} us", engine.change_us));
                }
            }
            if !engine.needs_documents.is_empty() {
                tell("in process: left out, because they read documents", &engine.needs_documents.join(", "));
            }
        }
        if let Some(live) = &self.live {
            tell(
                &format!("{} live queries of {} texts, all first answers", live.queries, live.texts),
                &format!("{:.1} s", live.first_seconds),
            );
            tell(
                &format!("messages/s at {:.0} of {} changes/s", live.achieved_rate, live.asked_rate),
                &format!(
                    "rows that came {:.0}, changed {:.0}, went {:.0}; marks of progress {:.0}",
                    live.enter, live.update, live.leave, live.progress
                ),
            );
        }
        if let Some(restarts) = &self.restarts {
            for restart in &restarts.measured {
                let Restart { columns, end_took_seconds, writes_after_seconds, queries_after_seconds, sizes: memory } =
                    restart;
                tell(
                    &format!("restart, columns {columns}: writes, queries after"),
                    &format!(
                        "{writes_after_seconds:.2} s, {queries_after_seconds:.2} s; the end before took {end_took_seconds:.2} s; {}",
                        sizes(memory)
                    ),
                );
            }
            if let Some(why) = &restarts.left_out {
                tell("restart with columns kept on disk", &format!("left out: {why}"));
            }
        }
    }
}

fn of_side(side: &Side, tell: &mut impl FnMut(&str, &str)) {
    let name = side.name;
    let steps: Vec<_> = side.load.iter().map(|step| format!("{} {:.1} s", step.what, step.seconds)).collect();
    tell(&format!("{name}: loading"), &steps.join(", "));
    tell(&format!("{name}: sizes after loading"), &sizes(&side.sizes));
    if !side.fitted_sizes.is_empty() {
        tell(&format!("{name}: sizes of the fitted table"), &sizes(&side.fitted_sizes));
    }
    let both = side.name == "PostgreSQL";
    for applied in &side.applied {
        let way = if both { format!(", {}", applied.what) } else { String::new() };
        tell(
            &format!("{name}{way}: {} changes as fast as they go", applied.changes),
            &format!("{:.0} changes/s, {:.0} us of processor time each", applied.rate, applied.cpu_us),
        );
    }
    for refused in &side.refused {
        tell(&format!("{name}: {} FAILED {}", refused.question, refused.when), &refused.why.replace('|', "/"));
    }
    let rest = side.fresh_at_rest.map(|fresh| ("at rest".to_owned(), fresh));
    let beside = side.beside_changes.iter().map(|beside| (reached(Some(beside)), beside.fresh));
    for (when, fresh) in rest.into_iter().chain(beside) {
        tell(
            &format!("{name}: writes missing in the query after them, {when}"),
            &format!("{} of {}", fresh.missed, fresh.probes),
        );
    }
}

fn head(lines: &mut Vec<String>, heads: &[&str]) {
    lines.push(format!("| {} |", heads.join(" | ")));
    lines.push(format!("|{}", " --- |".repeat(heads.len())));
}

fn row(lines: &mut Vec<String>, cells: &[String]) {
    lines.push(format!("| {} |", cells.join(" | ")));
}

fn sizes(sizes: &[Size]) -> String {
    sizes.iter().map(|size| format!("{} {} MiB", size.what, size.mib)).collect::<Vec<_>>().join(", ")
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
    times.map_or("-".to_owned(), |times| format!("{:.2}, {:.2}, {:.2}", times.p50_ms, times.p95_ms, times.p99_ms))
}

fn ratio(theirs: Option<Times>, ours: Option<Times>) -> String {
    theirs.zip(ours).map_or("-".to_owned(), |(theirs, ours)| format!("{} x", rounded(theirs.p50_ms / ours.p50_ms)))
}

/// Two digits that count: nothing measured here is more exact.
fn rounded(ratio: f64) -> String {
    let places = match ratio {
        10.0.. => 0,
        1.0.. => 1,
        0.1.. => 2,
        _ => 4,
    };
    format!("{ratio:.places$}")
}

fn reached(beside: Option<&Beside>) -> String {
    beside.map_or("-".to_owned(), |beside| format!("{:.0} of {} changes/s", beside.achieved_rate, beside.asked_rate))
}
