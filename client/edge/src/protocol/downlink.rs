//! What comes down: items as they come, and marks, at which the edge says how far it is.
//!
//! - Items need no sync of their own; the mark's write makes them durable together with the cursor, and `received` names a
//!   cursor only after that.
//! - The cursor moves only at a mark that agrees, so at a durable cursor the edge holds exactly the scope (W6).

use muster_planted::{self as planted, Bug};
use muster_proto::v1;
use muster_proto::v1::sync_request::Message;

use super::{Protocol, Step, Write};

impl Protocol {
    pub(super) fn take_items(&mut self, items: Vec<v1::SyncItem>, step: &mut Step) {
        if let Some(link) = &mut self.link {
            link.received_items += items.len() as u64;
            // The cluster must not run out of credit while it waits for a word, and a message without items asks for one.
            let untold = link.received_items - link.told_items;
            link.tells |= items.is_empty() || untold >= u64::from(self.settings.window_items / 4).max(1);
        }
        for item in items {
            let is_fetched = self.note_fetched(&item.name);
            self.take_item(item, is_fetched, step);
        }
        self.go_on_repairing(step);
    }

    fn take_item(&mut self, item: v1::SyncItem, is_fetched: bool, step: &mut Step) {
        // An equal revision is the same content, and may mend a damaged copy.
        if !is_fetched && self.index.revision(&item.name).is_some_and(|held| held > item.revision) {
            return;
        }
        step.touched.insert(item.name.clone());
        if item.resource.is_some() {
            self.index.insert(&item.name, item.revision);
            self.note_content(&item);
            step.writes.push(Write::PutItem(Box::new(item)));
        } else {
            self.remove_item(&item.name, step);
        }
    }

    pub(super) fn remove_item(&mut self, name: &str, step: &mut Step) {
        // Also when it is not known: its stored copy may be a damaged one.
        self.index.remove(name);
        self.note_removed(name);
        step.touched.insert(name.to_owned());
        step.writes.push(Write::RemoveItem(name.to_owned()));
    }

    pub(super) fn take_mark(&mut self, mark: v1::SyncMark, step: &mut Step) {
        let is_repairing = self.link.as_ref().is_some_and(|link| link.repair.is_some());
        if let Some(link) = &mut self.link {
            link.tells = true;
            link.is_marked = true;
        }
        let verify = self.link.as_mut().filter(|_| !is_repairing).and_then(|link| link.verify.take());
        if is_repairing {
            // The cluster is heard; what it has to say beyond waits for the end of the repair.
        } else if let Some(id) = verify {
            self.begin_verifying(id, mark, step);
        } else if self.agrees_with(&mark) || planted::is(Bug::EdgeCursorEarly) {
            self.reach(&mark, step);
        } else {
            self.begin_repair(mark, step);
        }
    }

    pub(super) fn agrees_with(&self, mark: &v1::SyncMark) -> bool {
        let sum = self.index.sum();
        sum.items() == mark.items && sum.to_bytes()[..] == mark.scope_hash[..]
    }

    /// Makes the mark the cursor: the edge holds exactly the scope as of its revision.
    pub(super) fn reach(&mut self, mark: &v1::SyncMark, step: &mut Step) {
        self.failures = 0;
        step.is_marked = true;
        if let Some(link) = &mut self.link {
            link.agrees = true;
            link.tells = true;
            link.vain_repairs = 0;
        }
        if mark.revision > self.state.cursor {
            self.state_mut().cursor = mark.revision;
        }
        let seen = self.queue.seen(mark.revision);
        self.forget(seen, step);
    }

    /// Says what is durable with this step, and asks what is to be asked.
    pub(super) fn say_received(&mut self, step: &mut Step) {
        let (queued, dropped) = (self.queue.waiting() as u64, self.state.dropped);
        let Some(link) = self.link.as_mut().filter(|link| link.is_open) else { return };
        // Before the first mark of a stream there is none to speak of: the cluster may have begun anew, below the cursor.
        let cursor = if link.is_marked { self.state.cursor } else { 0 };
        if std::mem::take(&mut link.tells) {
            link.told_items = link.received_items;
            step.say(Message::Received(v1::SyncReceived {
                items: link.received_items,
                cursor,
                agrees: link.agrees,
                queued_operations: queued,
                dropped_operations: dropped,
            }));
        }
        for question in std::mem::take(&mut link.questions) {
            step.say(question);
        }
    }
}
