//! What readers and watchers get to see after a batch.

use std::sync::Arc;

use super::{Batch, Keeper};
use crate::protocol::{LinkState, Step, Write};
use crate::published::{Changed, Marked};
use crate::rules::{View, device_of};
use crate::store::StoreError;
use muster_domain::Key;
use muster_proto::v1;

/// Operations of one resource that are merged again for each newer item of it.
const FOLDED_MAX: usize = 64;

impl Keeper {
    /// Before the batch is written: which items it changes, and how they were at the last mark.
    pub(super) fn note_changes(&mut self, step: &Step) {
        for write in &step.writes {
            let name = match write {
                Write::PutItem(item) => &item.name,
                Write::RemoveItem(name) => name,
                Write::State(_) | Write::Enqueue(..) | Write::Unqueue(_) => continue,
            };
            self.damaged.remove(name);
            if !self.changed.contains_key(name) {
                let is_watched = self.published.has_watchers();
                let before = if is_watched { self.reader.item(name).ok().flatten() } else { None };
                self.changed.insert(name.clone(), before.and_then(|item| item.resource));
            }
        }
    }

    pub(super) fn publish(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for name in &batch.step.touched {
            if batch.step.unmade.contains(name) || !self.carry_view(name)? {
                self.renew_view(name)?;
            }
        }
        let names = batch.step.touched.union(&batch.viewed);
        let resources: Vec<_> =
            names.map(|name| (name, self.views.get(name).map(|view| Arc::new(view.resource())))).collect();
        let state = self.protocol.state();
        self.published.update(|now| {
            now.cluster_id.clone_from(&state.cluster_id);
            now.cursor = state.cursor;
            for (name, resource) in resources {
                match resource {
                    Some(resource) => now.pending.insert(name.clone(), resource),
                    None => now.pending.remove(name),
                };
            }
        });
        if batch.step.is_marked {
            self.tell_mark()?;
        }
        self.note_link();
        Ok(())
    }

    /// Carries the view of a twin that much waits for over to its newer item; false when it is to be worked out anew. Folding
    /// thousands of operations again for each of them that comes back would take longer than they took.
    fn carry_view(&mut self, name: &str) -> Result<bool, StoreError> {
        let waiting = self.protocol.queue().pending_count(name);
        if waiting <= FOLDED_MAX {
            return Ok(false);
        }
        let (Some(view), Some(item)) = (self.views.get(name), whole(self.reader.item(name))?) else { return Ok(false) };
        let device = self.device_item(name)?;
        let Some(carried) = view.over(&item, device.as_ref(), waiting as u64) else { return Ok(false) };
        self.views.insert(name.to_owned(), carried);
        Ok(true)
    }

    /// Works out a view anew: the item or what waits for it changed.
    pub(super) fn renew_view(&mut self, name: &str) -> Result<(), StoreError> {
        let mut pending = self.protocol.queue().pending_of(name).peekable();
        if pending.peek().is_none() {
            self.views.remove(name);
            return Ok(());
        }
        let Some(mut view) = self.base_view(name)? else {
            self.views.remove(name);
            return Ok(());
        };
        let limits = self.protocol.limits(&self.limits);
        for entry in pending {
            // What the cluster will refuse shows no effect here either.
            if let Ok(with) = view.with(&entry.operation, 0, &limits) {
                view = with;
            }
        }
        self.views.insert(name.to_owned(), view);
        Ok(())
    }

    /// The view of an item without anything that waits; `None` when it is not held, or damaged.
    pub(super) fn base_view(&self, name: &str) -> Result<Option<View>, StoreError> {
        if let Some(key) = self.own_discovery(name) {
            return Ok(Some(View::of_discovered(key, self.protocol.state().feature_level)));
        }
        let Some(item) = whole(self.reader.item(name))? else { return Ok(None) };
        let device = self.device_item(name)?;
        Ok(View::of_item(&item, device.as_ref()).ok())
    }

    /// The key of something discovered below this edge: nothing is held of it.
    fn own_discovery(&self, name: &str) -> Option<Key> {
        let below = name.strip_prefix(&self.protocol.state().edge)?;
        let key = Key::parse(name).filter(|_| below.starts_with('/'))?;
        matches!(key, Key::DiscoveredDevice(..) | Key::DiscoveredAsset(..)).then_some(key)
    }

    fn device_item(&self, name: &str) -> Result<Option<v1::SyncItem>, StoreError> {
        match Key::parse(name).and_then(|key| device_of(&key)) {
            Some(device) => whole(self.reader.item(&device)),
            None => Ok(None),
        }
    }

    fn tell_mark(&mut self) -> Result<(), StoreError> {
        let revision = self.protocol.state().cursor;
        let previous = std::mem::replace(&mut self.told, revision);
        self.mark_ms = crate::clock::wall_ms();
        if revision == previous && self.changed.is_empty() {
            return Ok(());
        }
        let changed = std::mem::take(&mut self.changed);
        if !self.published.has_watchers() {
            return Ok(());
        }
        let mut changes = Vec::with_capacity(changed.len());
        for (name, before) in changed {
            let item = whole(self.reader.item(&name))?;
            // What came late, by a repair or into the scope, counts as of the mark.
            let own = item.as_ref().map_or(revision, |item| item.revision);
            let revision = if own > previous { own.min(revision) } else { revision };
            changes.push(Changed { name, revision, before, after: item.and_then(|item| item.resource) });
        }
        changes.sort_by(|one, other| (one.revision, &one.name).cmp(&(other.revision, &other.name)));
        self.published.tell(Marked { previous, revision, changes });
        Ok(())
    }

    fn note_link(&mut self) {
        super::status::measure(self);
        let state = self.protocol.link_state();
        if self.last_state.replace(state) == Some(state) {
            return;
        }
        let own = self.protocol.state();
        match state {
            LinkState::InStep => tracing::info!(revision = own.cursor, epoch = own.epoch, "in step with the cluster"),
            LinkState::Syncing => tracing::info!(epoch = own.epoch, "welcomed by the cluster"),
            LinkState::Opening | LinkState::Offline => {}
            LinkState::Stopped => {
                let stopped = self.protocol.stopped();
                let (reason, message) = stopped.map_or_else(Default::default, |why| (why.reason, why.message));
                tracing::error!(reason, message, "this edge does not connect any more: a person has to look");
            }
        }
    }
}

/// A damaged item is as good as none here: the cluster sends it again.
fn whole(read: Result<Option<v1::SyncItem>, StoreError>) -> Result<Option<v1::SyncItem>, StoreError> {
    match read {
        Err(StoreError::DamagedItem(_)) => Ok(None),
        other => other,
    }
}
