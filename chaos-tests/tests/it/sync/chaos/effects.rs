//! What applications were told against what the history says: `E1-exactly-once` and `E2-order` from end to end.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use super::history::{Fate, Uplink, device_in};
use super::writer::{Answer, Told};

/// Checks the reports of one edge; how many of them were answered.
pub(super) fn check(edge: &str, told: &[Told], uplink: &Uplink) -> anyhow::Result<u64> {
    let by_number: BTreeMap<u64, &Told> = told.iter().map(|told| (told.number, told)).collect();
    // Between two effects there are refusals of what was reported between them, and of nothing else.
    let (mut newest, mut refused) = (0, Vec::new());
    for (sequence, fate) in (1..).zip(&uplink.fates) {
        match fate {
            Fate::Refused { message } => refused.push(device_in(message).context("a device")?),
            Fate::Effect { device, number } => {
                let said = format!("{edge}: operation {sequence} reported {number} of {device}");
                let told = by_number.get(number).with_context(|| format!("E1-exactly-once: {said}; nobody did"))?;
                ensure!(told.device == *device, "E1-exactly-once: {said}, but it was of {}", told.device);
                ensure!(told.answer != Answer::Refused, "E1-exactly-once: {said}, which was refused at the edge");
                ensure!(*number > newest, "E1-exactly-once, E2-order: {said} after {newest}");
                check_between(edge, (newest, *number), &by_number, &std::mem::take(&mut refused))?;
                newest = *number;
            }
        }
    }
    check_between(edge, (newest, u64::MAX), &by_number, &refused)?;
    Ok(told.iter().filter(|told| told.answer == Answer::Queued).count() as u64)
}

/// Reports with numbers between `(after, before)` have no effect: those that were queued are the refused ones.
fn check_between(
    edge: &str,
    (after, before): (u64, u64),
    told: &BTreeMap<u64, &Told>,
    refused: &[&str],
) -> anyhow::Result<()> {
    let between: Vec<&Told> = told.range(after + 1..before).map(|(_, told)| *told).collect();
    let count = |device: &str, answers: &[Answer]| {
        between.iter().filter(|told| told.device == device && answers.contains(&told.answer)).count()
    };
    for device in between.iter().map(|told| told.device.as_str()).chain(refused.iter().copied()) {
        let refusals = refused.iter().filter(|refused| **refused == device).count();
        let (least, most) = (count(device, &[Answer::Queued]), count(device, &[Answer::Queued, Answer::Unknown]));
        ensure!(
            (least..=most).contains(&refusals),
            "E1-exactly-once: {edge}: between {after} and {before}, {least} to {most} reports of {device} were queued and \
             have no effect, and {refusals} were refused: {between:?}"
        );
    }
    Ok(())
}
