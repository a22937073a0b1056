//! Moves what apply has just written into the lanes, and then the head.
//!
//! - All lanes are filled before the head moves, under one lock: a lane that is made meanwhile begins after the head.
//! - A gap (entries dropped because nobody took them in time, a state installed from another node) empties the lanes:
//!   those who follow read the log.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::published::Published;
use super::{Lane, Lanes, Watches};
use crate::apply::Position;
use crate::tasks::StopSignal;

/// Runs until told to stop, or until nothing is applied any more.
pub(super) async fn run(watches: Arc<Watches>, mut positions: watch::Receiver<Position>, stop: StopSignal) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            changed = positions.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            () = &mut stopped => break,
        }
        let position = positions.borrow_and_update().revision;
        watches.feed(position);
    }
    watches.close();
}

impl Watches {
    fn feed(&self, position: u64) {
        if !self.recent.is_wanted() {
            return;
        }
        let lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let mut head = self.head();
        let mut is_whole = true;
        let mut touched = Vec::new();
        // An entry is written before it is handed over, so what is ahead of the position may be told too.
        for (entry, stored_bytes) in self.recent.take() {
            if entry.revision <= head {
                continue;
            }
            if entry.revision > head + 1 {
                is_whole = false;
                lanes.each(|lane| lane.skip_to(entry.revision - 1));
            }
            head = entry.revision;
            lanes.place(&Arc::new(Published::new(entry, stored_bytes)), &mut touched);
        }
        if position > head {
            is_whole = false;
            head = position;
            lanes.each(|lane| lane.skip_to(position));
        }
        self.head.store(head, Ordering::Release);
        if is_whole {
            touched.iter().for_each(|lane| lane.announce(head));
        } else {
            lanes.each(|lane| lane.announce(head));
        }
    }

    /// Lets those who follow know that nothing more comes: their waiting ends with an error.
    fn close(&self) {
        self.places.close();
        self.closed.store(true, Ordering::Release);
        let lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.each(|lane| lane.announce(u64::MAX));
    }
}

impl Lanes {
    fn each(&self, mut act: impl FnMut(&Lane)) {
        let narrow = self.namespaces.values().chain(self.resources.values());
        self.all.iter().chain(narrow).for_each(|lane| act(lane));
    }

    /// Puts an entry into every lane it concerns, and notes each of these once.
    fn place(&self, entry: &Arc<Published>, touched: &mut Vec<Arc<Lane>>) {
        let mut push = |lane: &Arc<Lane>| {
            if lane.push(entry) {
                touched.push(Arc::clone(lane));
            }
        };
        self.all.iter().for_each(&mut push);
        if self.namespaces.is_empty() && self.resources.is_empty() {
            return;
        }
        for event in entry.events() {
            let namespace = event.key.namespace().and_then(|namespace| self.namespaces.get(namespace));
            namespace.into_iter().chain(self.resources.get(&event.key)).for_each(&mut push);
        }
    }
}
