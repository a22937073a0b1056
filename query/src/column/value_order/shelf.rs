//! The orders that a table has, so that they are few.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ValueOrder;

/// All orders of a table.
#[derive(Debug, Default)]
pub(in super::super) struct Shelf {
    orders: Mutex<Vec<Arc<ValueOrder>>>,
    /// Rises with every use of an order.
    uses: AtomicU64,
}

impl Shelf {
    /// A moment of use, later than all before.
    pub(super) fn now(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts an order in, and gives up those that were not used for the longest time.
    pub(super) fn put(&self, order: &Arc<ValueOrder>, most: usize) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.retain(|known| !Arc::ptr_eq(known, order));
        orders.push(Arc::clone(order));
        while orders.len() > most {
            let last = (0..orders.len()).min_by_key(|at| orders[*at].used.load(Ordering::Relaxed)).unwrap_or(0);
            orders.swap_remove(last).kept.forget();
        }
    }

    pub(in super::super) fn memory_bytes(&self) -> usize {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.iter().map(|order| order.memory_bytes()).sum()
    }
}
