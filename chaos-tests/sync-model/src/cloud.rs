//! What a command does to the cloud's state: `OpenEdgeSession` and `ApplyUplink` of sections 3 and 4. It knows no stream:
//! a command is the same however late it takes effect.

use crate::mutants::{Mutant, Rules};
use crate::state::{Breach, Cloud, Ghost, NO_SESSION, Outcome, Queued, Record};

/// Operations that may be unanswered, and refusals that a record keeps: 256 in life.
pub(crate) const WINDOW: u8 = 2;

/// A hello as it is proposed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hello {
    /// The edge.
    pub(crate) edge: usize,
    /// Of its store.
    pub(crate) incarnation: u8,
    /// The newest it knows.
    pub(crate) epoch: u8,
    /// Of this session.
    pub(crate) session: u8,
    /// The newest operation that may have been sent.
    pub(crate) sent: u8,
}

/// Operations as they are proposed.
#[derive(Debug, Clone)]
pub(crate) struct Uplink<'a> {
    /// The edge.
    pub(crate) edge: usize,
    /// Of the session they were sent in.
    pub(crate) epoch: u8,
    /// In order, without a gap.
    pub(crate) queued: &'a [Queued],
    /// In truth: whose.
    pub(crate) incarnation: u8,
    /// In truth: of which grant.
    pub(crate) grant: u8,
}

/// What became of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// They were decided, or had been before.
    Decided,
    /// `EPOCH_FENCED`
    Fenced,
    /// `SEQUENCE_GAP`
    Gap,
}

/// Section 3, 2. Gives whether the session was granted.
pub(crate) fn open(rules: Rules, cloud: &mut Cloud, ghost: &mut Ghost, hello: Hello) -> bool {
    let record = cloud.records[hello.edge].take();
    let granted = match record {
        Some(record) if record.incarnation == hello.incarnation || rules.broken(Mutant::NoIncarnation) => {
            open_again(rules, record, hello)
        }
        record => open_first(rules, record, hello),
    };
    let Granted { accepted, record } = granted;
    cloud.records[hello.edge] = record;
    if !accepted {
        return false;
    }
    cloud.granted[hello.edge] += 1;
    let record = cloud.records[hello.edge].as_mut().expect("accepted means recorded");
    record.incarnation = hello.incarnation;
    record.epoch = if rules.broken(Mutant::EpochsRestart) { record.epoch + 1 } else { cloud.granted[hello.edge] };
    if record.unused_since == 0 || record.session != hello.session {
        record.unused_since = record.epoch;
    }
    record.session = hello.session;
    if !ghost.had_session.contains(&hello.incarnation) {
        ghost.had_session.push(hello.incarnation);
        ghost.had_session.sort_unstable();
    }
    true
}

struct Granted {
    accepted: bool,
    record: Option<Record>,
}

/// A store that the record does not speak of.
fn open_first(rules: Rules, record: Option<Record>, hello: Hello) -> Granted {
    let knows = hello.epoch != 0 && !rules.broken(Mutant::KnownEpochOfStranger);
    let past = !rules.broken(Mutant::NoPastIncarnations)
        && record.as_ref().is_some_and(|record| record.past_incarnations.contains(&hello.incarnation));
    if (knows || past) && !rules.broken(Mutant::AnyIncarnation) {
        return Granted { accepted: false, record };
    }
    let mut past_incarnations = Vec::new();
    let mut epoch = 0;
    if let Some(before) = record {
        past_incarnations = before.past_incarnations;
        past_incarnations.push(before.incarnation);
        past_incarnations.sort_unstable();
        past_incarnations.dedup();
        epoch = before.epoch;
    }
    let record = Record {
        incarnation: hello.incarnation,
        past_incarnations,
        epoch,
        session: NO_SESSION,
        unused_since: 0,
        last_sequence: 0,
        refusals: Vec::new(),
    };
    Granted { accepted: true, record: Some(record) }
}

/// The store that the record speaks of, or a copy of it.
fn open_again(rules: Rules, record: Record, hello: Hello) -> Granted {
    let unused = record.unused_since != 0;
    let same_session = unused && record.session == hello.session && !rules.broken(Mutant::NoSessionId);
    let since = unused && record.unused_since <= hello.epoch && !rules.broken(Mutant::OnlyNewestEpoch);
    let sent = record.last_sequence <= hello.sent || rules.broken(Mutant::NoSentSequence);
    Granted { accepted: (hello.epoch == record.epoch || same_session || since) && sent, record: Some(record) }
}

/// Section 4, 3.
pub(crate) fn apply(rules: Rules, cloud: &mut Cloud, ghost: &mut Ghost, uplink: &Uplink) -> Applied {
    let newest = cloud.granted[uplink.edge];
    let item = cloud.items()[0];
    let Some(record) = cloud.records[uplink.edge].as_mut() else { return Applied::Fenced };
    if record.epoch != uplink.epoch && !rules.broken(Mutant::NoEpochCheck) {
        return Applied::Fenced;
    }
    let before = record.last_sequence;
    let mut last = before;
    if uplink.queued[0].sequence > last + 1 && !rules.broken(Mutant::NoGapCheck) {
        return Applied::Gap;
    }
    for queued in uplink.queued {
        if queued.sequence <= last && !rules.broken(Mutant::NoSkipping) {
            continue;
        }
        let inside = item.edge == uplink.edge;
        let applied = inside || rules.broken(Mutant::NoScopeCheck);
        if applied && !inside {
            ghost.note(Breach::Scope);
        }
        if uplink.grant != newest {
            ghost.note(Breach::Fencing);
        }
        let (incarnation, sequence, operation) = (uplink.incarnation, queued.sequence, queued.operation);
        ghost.outcomes.push(Outcome { incarnation, sequence, operation, applied });
        if !applied {
            record.refusals.push(sequence);
        }
        last = last.max(sequence);
    }
    record.last_sequence = last;
    let kept = if rules.broken(Mutant::FewerRefusalsThanWindow) { 1 } else { WINDOW };
    record.refusals.retain(|sequence| sequence + kept > last);
    if last > before && !rules.broken(Mutant::UsedEpochStaysOpen) {
        record.unused_since = 0;
    }
    Applied::Decided
}

/// Puts the newest items in their place, as of the next revision.
pub(crate) fn change(cloud: &mut Cloud, name: usize, own: bool, to_edge: Option<usize>) {
    let mut items = cloud.items();
    if own {
        items[name].revision = cloud.revision() + 1;
    }
    if let Some(edge) = to_edge {
        items[name].edge = edge;
    }
    cloud.past.push(items);
}
