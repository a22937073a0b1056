//! Which messages were taken and may come again: a broker repeats what it has not seen acknowledged.
//!
//! A broker names a message by a packet identifier until it has its acknowledgement, then names another one so. A repeated
//! message has the identifier it had, and says that it is repeated. So the newest message under each identifier is
//! remembered with the request id its operation has in the queue, and one that says it is repeated and is the same one has
//! the same request id: the queue has it once.
//!
//! - A message that is not the same, or does not say that it is repeated, is a new one. Rather twice than not at all.
//! - What the broker surely knows to be acknowledged is forgotten: it answered a ping that was sent behind it.
//! - Request ids outlive the agent in the queue, and are read from there when it starts.

use std::collections::BTreeMap;

use muster_domain::scope::content_hash;

/// How request ids that were made here begin.
const MADE_HERE: &str = "mqtt:";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Acknowledged {
    No,
    Sent,
    /// A ping was sent behind it.
    Pinged,
}

#[derive(Debug)]
struct Taken {
    hash: String,
    request_id: String,
    acknowledged: Acknowledged,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    taken: BTreeMap<u16, Taken>,
}

impl Repeats {
    /// What the queue knows: request ids from the oldest to the newest.
    pub(super) fn restored<'a>(request_ids: impl Iterator<Item = &'a str>) -> Self {
        let mut taken = BTreeMap::new();
        for request_id in request_ids {
            let mut parts = request_id.strip_prefix(MADE_HERE).into_iter().flat_map(|rest| rest.split(':'));
            let (Some(packet), Some(hash)) = (parts.next().and_then(|packet| packet.parse().ok()), parts.next()) else {
                continue;
            };
            let own =
                Taken { hash: hash.to_owned(), request_id: request_id.to_owned(), acknowledged: Acknowledged::Sent };
            taken.insert(packet, own);
        }
        Self { taken }
    }

    /// A connection begins: the broker repeats first whatever it has not seen acknowledged, if it knows the session.
    pub(super) fn connected(&mut self, is_known: bool) {
        if !is_known {
            self.taken.clear();
        }
        for taken in self.taken.values_mut() {
            taken.acknowledged = Acknowledged::Sent;
        }
    }

    /// The request id of a message, which is `is_repeated` or not; `chance` tells apart what is not.
    pub(super) fn request_id(
        &mut self,
        packet: u16,
        is_repeated: bool,
        topic: &str,
        payload: &[u8],
        chance: u64,
    ) -> String {
        let content = [topic.as_bytes(), &[0], payload].concat();
        let hash = crate::store::hex(&content_hash(&content)[..8]);
        if let Some(taken) = self.taken.get_mut(&packet)
            && is_repeated
            && taken.hash == hash
        {
            taken.acknowledged = Acknowledged::No;
            return taken.request_id.clone();
        }
        let request_id = format!("{MADE_HERE}{packet}:{hash}:{chance:016x}");
        let taken = Taken { hash, request_id: request_id.clone(), acknowledged: Acknowledged::No };
        self.taken.insert(packet, taken);
        request_id
    }

    pub(super) fn acknowledged(&mut self, packet: u16) {
        if let Some(taken) = self.taken.get_mut(&packet) {
            taken.acknowledged = Acknowledged::Sent;
        }
    }

    pub(super) fn pinged(&mut self) {
        for taken in self.taken.values_mut().filter(|taken| taken.acknowledged == Acknowledged::Sent) {
            taken.acknowledged = Acknowledged::Pinged;
        }
    }

    pub(super) fn ping_answered(&mut self) {
        self.taken.retain(|_, taken| taken.acknowledged != Acknowledged::Pinged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "muster/devices/a/twin/reported/patch";

    #[test]
    fn a_repeated_message_has_the_request_id_it_had() {
        let mut repeats = Repeats::default();
        let first = repeats.request_id(7, false, TOPIC, b"{}", 1);
        assert_eq!(repeats.request_id(7, true, TOPIC, b"{}", 2), first);
        assert_ne!(repeats.request_id(8, true, TOPIC, b"{}", 3), first, "another packet");
        assert_ne!(repeats.request_id(7, true, TOPIC, b"[]", 4), first, "another payload");
        let second = repeats.request_id(7, false, TOPIC, b"{}", 5);
        assert_ne!(second, first, "it does not say that it is repeated");
        repeats.connected(true);
        assert_eq!(repeats.request_id(7, true, TOPIC, b"{}", 6), second);
        repeats.connected(false);
        assert_ne!(repeats.request_id(7, true, TOPIC, b"{}", 7), second, "another session");
    }

    #[test]
    fn what_the_broker_knows_to_be_acknowledged_is_forgotten() {
        let mut repeats = Repeats::default();
        let known = repeats.request_id(1, false, TOPIC, b"a", 1);
        let unsure = repeats.request_id(2, false, TOPIC, b"b", 2);
        let waiting = repeats.request_id(3, false, TOPIC, b"c", 3);
        repeats.acknowledged(1);
        repeats.pinged();
        repeats.acknowledged(2);
        repeats.ping_answered();
        assert_ne!(repeats.request_id(1, true, TOPIC, b"a", 4), known);
        assert_eq!(repeats.request_id(2, true, TOPIC, b"b", 5), unsure);
        assert_eq!(repeats.request_id(3, true, TOPIC, b"c", 6), waiting);
    }

    #[test]
    fn the_queue_remembers_over_a_restart() {
        let mut before = Repeats::default();
        let ids: Vec<_> = [b"a", b"b"].map(|payload| before.request_id(9, false, TOPIC, payload, 1)).into();
        let others = ["", "mine", "mqtt:x:y", "mqtt:", "mqtt:70000:ab:1"];
        let mut after = Repeats::restored(others.into_iter().chain(ids.iter().map(String::as_str)));
        after.connected(true);
        assert_eq!(after.request_id(9, true, TOPIC, b"b", 2), ids[1], "the newest one");
        let mut later = Repeats::restored(ids.iter().map(String::as_str));
        later.connected(true);
        later.pinged();
        later.ping_answered();
        assert_ne!(later.request_id(9, true, TOPIC, b"b", 3), ids[1]);
    }
}
