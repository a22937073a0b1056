//! What must hold of the nodes that start after a crash. Knows what was acknowledged, and not what was kept of which
//! file.
//!
//! | check | promise |
//! |---|---|
//! | a legal crash lets every node start, and start again alike | R5, and no node is lost to a power cut |
//! | each write acknowledged before the crash is at its revision in the logs of a majority | C4 |
//! | a vote is not older than the terms in which the node had answered; no term has two votes of one node | C5 |
//! | the log is not shorter than its high water mark (a start checks it, and is refused otherwise) | C5 |
//! | at a revision all images of all nodes have one chain hash with the nodes as they ended | D2 |
//! | events are contiguous, their hashes right, records and look-ups what the events lead to (`musterd verify`) | D3 |
//! | the current snapshot is whole | D4 |

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::acknowledged::{Acknowledged, Facts};
use super::image::Spec;
use super::rehearse::Answer;

/// Remembers votes from image to image.
#[derive(Debug, Default)]
pub struct Judge {
    votes: Mutex<BTreeMap<(u64, u64), u64>>,
}

impl Judge {
    /// What is wrong with how these nodes start after one crash of all of them. Empty when all is well.
    pub fn findings(&self, facts: &Facts, specs: &[Spec], answers: &[Answer]) -> Vec<String> {
        let mut findings = Vec::new();
        let mut started = Vec::new();
        for (spec, answer) in specs.iter().zip(answers) {
            match answer {
                Answer::Started(told) => started.push((spec, told)),
                Answer::Refused(why, code) => {
                    findings.push(format!("a legal crash keeps node {} from starting (code {code}): {why}", spec.node));
                }
                Answer::Broke(how) => findings.push(format!("node {} breaks as it starts: {how}", spec.node)),
            }
        }
        let positions: Vec<u64> = specs.iter().map(|spec| spec.position).collect();
        let acknowledged = facts.before(&positions);
        if started.len() == specs.len() {
            let majority = specs.len() / 2 + 1;
            findings.extend(acknowledged.iter().find_map(|write| lost(write, &started, majority)));
        }
        for (spec, told) in started {
            findings.extend(self.vote(facts, spec, told));
            findings.extend(another_history(facts, acknowledged, spec, told));
            if let Some(damage) = told["snapshot_damage"].as_str() {
                findings.push(format!("the current snapshot of node {} is not whole: {damage}", spec.node));
            }
        }
        findings
    }

    fn vote(&self, facts: &Facts, spec: &Spec, told: &Value) -> Option<String> {
        let node = usize::try_from(spec.node).ok()? - 1;
        let had_answered = facts
            .acknowledged
            .iter()
            .filter(|write| write.node == spec.node && write.positions.get(node).is_some_and(|at| *at <= spec.position))
            .map(|write| write.term)
            .max();
        let vote = &told["vote"];
        let (term, candidate) = (vote["term"].as_u64(), vote["node"].as_u64());
        if term < had_answered {
            return Some(format!(
                "node {} had answered in term {had_answered:?}, and has a vote of term {term:?}",
                spec.node
            ));
        }
        let (term, candidate) = (term?, candidate?);
        let mut votes = self.votes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *votes.entry((spec.node, term)).or_insert(candidate);
        (before != candidate).then(|| {
            format!("in term {term} node {} voted for node {before}, and for node {candidate} after a crash", spec.node)
        })
    }
}

/// The chain hash and request id at a revision.
fn event(told: &Value, revision: u64) -> Option<(&str, &str)> {
    let first = told["first_revision"].as_u64()?;
    let event = told["events"].get(usize::try_from(revision.checked_sub(first)?).ok()?)?;
    Some((event[0].as_str()?, event[1].as_str()?))
}

fn holds(told: &Value, write: &Acknowledged) -> bool {
    event(told, write.revision).is_some_and(|(_, request_id)| request_id == write.request_id)
}

fn lost(write: &Acknowledged, started: &[(&Spec, &Value)], majority: usize) -> Option<String> {
    let holders = started.iter().filter(|(_, told)| holds(told, write)).count();
    if holders >= majority {
        return None;
    }
    let found: Vec<String> = started
        .iter()
        .map(|(spec, told)| {
            format!(
                "node {} ends at revision {} and has {:?}",
                spec.node,
                told["revision"],
                event(told, write.revision)
            )
        })
        .collect();
    Some(format!(
        "write {} was acknowledged at revision {}, and {holders} of {} nodes have it: {}",
        write.request_id,
        write.revision,
        started.len(),
        found.join("; ")
    ))
}

/// Revisions that differ from those the nodes ended with. A tail that no majority had may differ, so only what was
/// acknowledged counts where there are several nodes.
fn another_history(facts: &Facts, acknowledged: &[Acknowledged], spec: &Spec, told: &Value) -> Option<String> {
    let last = if facts.nodes() == 1 {
        told["revision"].as_u64()?
    } else {
        acknowledged.iter().map(|write| write.revision).max()?
    };
    let first = told["first_revision"].as_u64()?;
    let agreed: BTreeMap<u64, &str> =
        acknowledged.iter().map(|write| (write.revision, write.request_id.as_str())).collect();
    (first..=last).find_map(|revision| {
        let (here, reference) = (event(told, revision)?, event(&facts.reference, revision)?);
        // Of several nodes one may hold what was never agreed to at a revision.
        let counts = facts.nodes() == 1 || agreed.get(&revision) == Some(&here.1);
        (counts && here != reference).then(|| {
            format!("node {} has {here:?} at revision {revision}, the nodes ended with {reference:?}", spec.node)
        })
    })
}
