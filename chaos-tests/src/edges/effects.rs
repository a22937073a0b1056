//! What applications were told against what the history says: `E1-exactly-once` and `E2-order` from end to end.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use super::history::{Fate, Uplink, device_in};
use super::writer::{Answer, Told};

/// Checks the reports of one edge; how many of them were answered.
pub(crate) fn check(edge: &str, told: &[Told], uplink: &Uplink) -> anyhow::Result<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reports: &[(u64, &str, Answer)]) -> Vec<Told> {
        reports
            .iter()
            .map(|(number, device, answer)| Told { number: *number, device: (*device).to_owned(), answer: *answer })
            .collect()
    }

    fn uplink(fates: &[(Option<u64>, &str)]) -> Uplink {
        let fate = |(number, device): &(Option<u64>, &str)| match number {
            Some(number) => Fate::Effect { device: (*device).to_owned(), number: *number },
            None => Fate::Refused { message: format!("namespaces/p/devices/{device}/twin is elsewhere") },
        };
        Uplink { fates: fates.iter().map(fate).collect(), ..Uplink::default() }
    }

    #[test]
    fn each_way_to_break_exactly_once_and_order_is_seen() {
        use Answer::{Queued, Refused, Unknown};
        let reports =
            told(&[(1, "a", Queued), (2, "b", Queued), (3, "b", Refused), (4, "c", Unknown), (5, "a", Queued)]);
        let good: [&[(Option<u64>, &str)]; 3] = [
            &[(Some(1), "a"), (Some(2), "b"), (Some(5), "a")],
            &[(Some(1), "a"), (None, "b"), (Some(4), "c"), (None, "a")],
            &[(None, "a"), (Some(2), "b"), (None, "c"), (Some(5), "a")],
        ];
        for fates in good {
            assert_eq!(check("e", &reports, &uplink(fates)).expect("as promised"), 3, "{fates:?}");
        }
        let bad: [&[(Option<u64>, &str)]; 9] = [
            &[(Some(1), "a"), (Some(2), "b")],
            &[(Some(1), "a"), (Some(5), "a")],
            &[(Some(1), "a"), (Some(2), "b"), (Some(2), "b"), (Some(5), "a")],
            &[(Some(2), "b"), (Some(1), "a"), (Some(5), "a")],
            &[(Some(1), "a"), (Some(2), "b"), (Some(3), "b"), (Some(5), "a")],
            &[(Some(1), "a"), (Some(2), "b"), (Some(5), "a"), (Some(6), "a")],
            &[(Some(1), "a"), (Some(2), "c"), (Some(5), "a")],
            &[(Some(1), "a"), (None, "a"), (Some(5), "a")],
            &[(Some(1), "a"), (Some(2), "b"), (None, "b"), (Some(5), "a")],
        ];
        for fates in bad {
            assert!(check("e", &reports, &uplink(fates)).is_err(), "{fates:?} breaks a promise");
        }
    }
}
