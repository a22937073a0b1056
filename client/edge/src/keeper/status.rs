//! How the edge is, for those who ask and for those who measure.

use muster_proto::edge::v1::{AgentStatus, LinkState as Told};

use super::Keeper;
use crate::protocol::LinkState;
use crate::store::Left;

/// Set after each batch; counters are those since the start.
pub(super) fn measure(keeper: &Keeper) {
    let (protocol, state) = (&keeper.protocol, keeper.protocol.state());
    let counts = protocol.counts();
    let waiting = protocol.queue().waiting();
    metrics::gauge!("muster_edge_queue_operations").set(gauge(waiting as u64));
    metrics::gauge!("muster_edge_queue_bytes").set(gauge(protocol.queue().waiting_bytes() as u64));
    metrics::gauge!("muster_edge_items").set(gauge(protocol.index().sum().items()));
    metrics::gauge!("muster_edge_cursor").set(gauge(state.cursor));
    metrics::gauge!("muster_edge_epoch").set(gauge(state.epoch));
    let oldest = protocol.queue().waiting_from(0).next().map_or(0, |entry| entry.operation.queued_ms.unsigned_abs());
    let age_ms = if oldest == 0 { 0 } else { crate::clock::wall_ms().saturating_sub(oldest) };
    metrics::gauge!("muster_edge_queue_oldest_age_seconds").set(gauge(age_ms) / 1_000.0);
    metrics::gauge!("muster_edge_in_step").set(f64::from(u8::from(protocol.link_state() == LinkState::InStep)));
    metrics::gauge!("muster_edge_stopped").set(f64::from(u8::from(protocol.link_state() == LinkState::Stopped)));
    metrics::counter!("muster_edge_operations_answered_total").absolute(state.acknowledged);
    metrics::counter!("muster_edge_operations_refused_total").absolute(state.refused);
    metrics::counter!("muster_edge_operations_dropped_total").absolute(state.dropped);
    metrics::counter!("muster_edge_sessions_total").absolute(counts.sessions);
    metrics::counter!("muster_edge_links_lost_total").absolute(counts.losses);
    metrics::counter!("muster_edge_repairs_total").absolute(counts.repairs);
    metrics::counter!("muster_edge_repair_defects_total").absolute(counts.defects);
    metrics::counter!("muster_edge_repaired_items_total").absolute(counts.repaired_items);
    metrics::counter!("muster_edge_verifications_total").absolute(counts.verifications);
    metrics::counter!("muster_edge_verifications_differing_total").absolute(counts.verifications_differing);
}

#[allow(clippy::cast_precision_loss, reason = "a gauge is a double; counts beyond 2^53 do not happen")]
fn gauge(value: u64) -> f64 {
    value as f64
}

impl Keeper {
    pub(super) fn status(&self) -> AgentStatus {
        let (state, queue, counts) = (self.protocol.state(), self.protocol.queue(), self.protocol.counts());
        let stopped = self.protocol.stopped();
        let sum = self.protocol.index().sum();
        let link = match self.protocol.link_state() {
            LinkState::Offline => Told::Offline,
            LinkState::Opening => Told::Opening,
            LinkState::Syncing => Told::Syncing,
            LinkState::InStep => Told::InStep,
            LinkState::Stopped => Told::Stopped,
        };
        AgentStatus {
            edge: state.edge.clone(),
            incarnation: crate::store::hex(&state.incarnation),
            cluster_id: state.cluster_id.clone(),
            epoch: state.epoch,
            link: link.into(),
            stopped_reason: stopped.as_ref().map_or_else(String::new, |why| why.reason.clone()),
            message: stopped.map_or_else(|| self.protocol.last_loss().to_owned(), |why| why.message),
            cursor: state.cursor,
            mark_ms: i64::try_from(self.mark_ms).unwrap_or(i64::MAX),
            items: sum.items(),
            scope_hash: crate::store::hex(&sum.to_bytes()),
            damaged_items: self.damaged.len() as u64,
            queued_operations: queue.waiting() as u64,
            queued_bytes: queue.waiting_bytes() as u64,
            oldest_queued_ms: queue.waiting_from(0).next().map_or(0, |entry| entry.operation.queued_ms),
            acknowledged_sequence: state.acknowledged,
            newest_sequence: state.newest,
            dropped_operations: state.dropped,
            refused_operations: state.refused,
            refusals: state.refusals.clone(),
            sessions: counts.sessions,
            repairs: counts.repairs,
            repaired_items: counts.repaired_items,
            defects: counts.defects,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            disk_low: self.left > Left::Enough,
            awaits_room: false,
            // The bridges say themselves how they are.
            mqtt: None,
            folder: None,
        }
    }
}
