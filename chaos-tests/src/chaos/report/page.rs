//! The timeline of a run as one page that needs nothing else: throughput, latency, faults, verdicts.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::plot::{LEFT, Line, WIDTH, across, plot};
use super::series::{SLICE_NS, Slice, slices};
use crate::chaos::nemesis::Happened;
use crate::chaos::run::{Outcome, Task};

const STYLE: &str = "body{font:14px sans-serif;margin:24px;color:#222}h2{font-size:15px;margin:18px 0 4px}\
                     svg{display:block}text{font-size:11px}pre{background:#f6f6f6;padding:8px;white-space:pre-wrap}";
/// Height of a kind of fault.
const ROW: f64 = 16.0;

/// The whole page.
pub(super) fn page(task: &Task, outcome: &Outcome) -> String {
    let slices = slices(&outcome.ops, outcome.end_ns);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let per_second = 1e9 / SLICE_NS as f64;
    let line = |title, colour, value: fn(&Slice) -> f64, factor: f64| Line {
        title,
        colour,
        values: slices.iter().map(|slice| value(slice) * factor).collect(),
    };
    let rates = plot(
        "Calls a second",
        "/s",
        &[
            line("writes", "#1f6fb2", |slice| slice.writes, per_second),
            line("reads", "#3a9d5d", |slice| slice.reads, per_second),
            line("failed or unknown", "#c0392b", |slice| slice.failed, per_second),
        ],
    );
    let latencies = plot(
        "Latency of answered and failed calls",
        "ms",
        &[line("p50", "#1f6fb2", |slice| slice.p50_ms, 1.0), line("p99", "#8e44ad", |slice| slice.p99_ms, 1.0)],
    );
    let summary = escaped(&super::summary(task, outcome).join("\n"));
    let failovers = escaped(&outcome.failovers.lines().join("\n"));
    let answered = super::answered(&outcome.ops).count();
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Chaos {seed:#x}</title>\n<style>{STYLE}</style>\n\
         <h1>Chaos, seed {seed:#x}</h1>\n<p>{answered} answered calls. Again: <code>cargo xtask chaos --seed \
         {seed:#x}</code></p>\n{rates}{latencies}{}<h2>Verdicts</h2>\n<pre>{summary}</pre>\n\
         <h2>Kills of the leader: time without an acknowledged write</h2>\n<pre>{failovers}</pre>\n",
        faults(&outcome.happened, outcome.end_ns),
        seed = task.plan.seed,
    )
}

/// One row for each kind, one bar for each fault.
fn faults(happened: &[Happened], end_ns: u64) -> String {
    let mut rows: BTreeMap<&str, Vec<&Happened>> = BTreeMap::new();
    for fault in happened {
        rows.entry(fault.kind).or_default().push(fault);
    }
    #[expect(clippy::cast_precision_loss, reason = "pixels")]
    let height = rows.len() as f64 * ROW + 20.0;
    let mut svg = format!("<h2>Faults</h2>\n<svg width=\"{}\" height=\"{height}\">\n", WIDTH + 140.0);
    let mut y = 0.0;
    for (kind, faults) in rows {
        let _written = writeln!(svg, "<text x=\"{}\" y=\"{}\">{kind}</text>", WIDTH + 8.0, y + 12.0);
        let _written =
            writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{0}\" y2=\"{0}\" stroke=\"#eee\"/>", y + ROW);
        for fault in faults {
            let (from, to) = (across(fault.from_ns, end_ns), across(fault.to_ns, end_ns));
            let _written = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"#d98e2b\"><title>{} of node {}, \
                 {:.2} s</title></rect>",
                y + 2.0,
                (to - from).max(1.5),
                ROW - 4.0,
                escaped(&fault.what),
                fault.node,
                crate::chaos::availability::milliseconds(fault.from_ns) / 1e3,
            );
        }
        y += ROW;
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_bar_and_its_name_is_text() {
        let fault = Happened { what: "<b>".to_owned(), kind: "pause", node: 2, from_ns: 0, to_ns: 5 };
        let svg = faults(&[fault.clone(), fault], 10);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("&lt;b&gt; of node 2") && !svg.contains("<b>"));
    }
}
