//! Memory of guests: what one store may have, what a Space's stores may have together, what the node has.
//!
//! Every byte is reserved in the Space's and the node's counter before it is granted, and given back when the store is
//! dropped, since wasmtime reports growth but no shrinking. Counts address space that a guest may touch, not resident
//! pages, so a Space can never surprise the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::{Error, ResourceLimiter};

use crate::engine::config::{
    CORE_INSTANCES_PER_COMPONENT, MEMORIES_PER_COMPONENT, TABLE_ELEMENTS, TABLES_PER_COMPONENT,
};

/// Bytes of a table element in the host's memory.
const TABLE_ELEMENT: u64 = 8;
/// What an instance costs the host beside its own memories: stack, handle tables, body buffers of one request
/// (2 x 64 KiB each way) and header fields. Charged to the Space before the instance starts.
pub(crate) const INSTANCE_OVERHEAD: u64 = 512 << 10;

/// Who had no memory left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The Space's hardware is used up.
    Space,
    /// All Spaces together use what the node has for them.
    Node,
}

/// One counter with a ceiling.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: u64) -> bool {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, add).is_ok()
    }

    fn refund(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The memory of one Space, a part of the node's.
#[derive(Debug)]
pub(crate) struct SpaceBudget {
    space: Budget,
    node: Arc<Budget>,
}

impl SpaceBudget {
    pub(crate) fn new(limit: u64, node: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { space: Budget::new(limit), node })
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> u64 {
        self.space.used()
    }

    fn reserve(&self, bytes: u64) -> Result<(), Shortage> {
        if !self.space.reserve(bytes) {
            return Err(Shortage::Space);
        }
        if !self.node.reserve(bytes) {
            self.space.refund(bytes);
            return Err(Shortage::Node);
        }
        Ok(())
    }

    fn refund(&self, bytes: u64) {
        self.node.refund(bytes);
        self.space.refund(bytes);
    }
}

/// The limiter of one store. Dropping it gives everything back.
pub(crate) struct StoreLimiter {
    budget: Arc<SpaceBudget>,
    /// Bytes held; shared with whoever watches the instance from outside.
    held: Arc<AtomicU64>,
    /// The last grant, in case wasmtime cannot carry it out.
    last: u64,
    /// Bytes of those for listings of directories.
    listings: u64,
    denied: Option<Shortage>,
}

impl StoreLimiter {
    /// A limiter that already holds what an instance costs the host.
    pub(crate) fn new(budget: Arc<SpaceBudget>, held: Arc<AtomicU64>) -> Result<Self, Shortage> {
        budget.reserve(INSTANCE_OVERHEAD)?;
        held.store(INSTANCE_OVERHEAD, Ordering::Relaxed);
        Ok(Self { budget, held, last: 0, listings: 0, denied: None })
    }

    /// Who refused the last growth that was refused. A trap after that is most likely the guest's answer to it.
    pub(crate) fn denied(&self) -> Option<Shortage> {
        self.denied
    }

    /// A new request starts: what an earlier one was refused explains nothing any more.
    pub(crate) fn forget_denial(&mut self) {
        self.denied = None;
    }

    /// Holds so many bytes for listings, until the store goes. Says whether they are there.
    pub(crate) fn hold_listings(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.listings);
        if more > 0 && self.budget.reserve(more).is_err() {
            return false;
        }
        self.held.fetch_add(more, Ordering::Relaxed);
        self.listings += more;
        true
    }

    fn grow(&mut self, bytes: u64) -> bool {
        match self.budget.reserve(bytes) {
            Ok(()) => {
                self.held.fetch_add(bytes, Ordering::Relaxed);
                self.last = bytes;
                true
            }
            Err(shortage) => {
                self.denied = Some(shortage);
                false
            }
        }
    }

    fn give_back_last(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.held.fetch_sub(last, Ordering::Relaxed);
        self.budget.refund(last);
    }
}

impl ResourceLimiter for StoreLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, Error> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.last = 0;
            return Ok(false);
        }
        Ok(self.grow((desired - current) as u64))
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.give_back_last();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, Error> {
        if desired > TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            self.last = 0;
            return Ok(false);
        }
        Ok(self.grow((desired - current) as u64 * TABLE_ELEMENT))
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.give_back_last();
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_COMPONENT as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_COMPONENT as usize
    }
}

impl Drop for StoreLimiter {
    fn drop(&mut self) {
        self.budget.refund(self.held.swap(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    fn space(limit: u64, node: u64) -> (Arc<SpaceBudget>, Arc<Budget>) {
        let node = Arc::new(Budget::new(node));
        (SpaceBudget::new(limit, node.clone()), node)
    }

    #[test]
    fn stores_of_a_space_share_one_ceiling() {
        let (budget, _) = space(2 * INSTANCE_OVERHEAD + 3 * PAGE as u64, u64::MAX);
        let mut a = StoreLimiter::new(budget.clone(), Arc::default()).unwrap();
        let mut b = StoreLimiter::new(budget, Arc::default()).unwrap();
        assert!(a.memory_growing(0, 2 * PAGE, None).unwrap());
        assert!(!b.memory_growing(0, 2 * PAGE, None).unwrap());
        assert_eq!(b.denied(), Some(Shortage::Space));
        drop(a);
        assert!(b.memory_growing(0, 2 * PAGE, None).unwrap());
    }

    #[test]
    fn all_is_given_back_when_the_store_goes() {
        let (budget, node) = space(1 << 30, 1 << 30);
        let mut store = StoreLimiter::new(budget.clone(), Arc::default()).unwrap();
        assert!(store.memory_growing(0, PAGE, None).unwrap());
        assert!(store.table_growing(0, 100, None).unwrap());
        assert!(store.memory_growing(PAGE, 4 * PAGE, None).unwrap());
        store.memory_grow_failed(wasmtime::format_err!("no pages")).unwrap();
        assert_eq!(budget.used(), INSTANCE_OVERHEAD + PAGE as u64 + 800);
        drop(store);
        assert_eq!((budget.used(), node.used()), (0, 0));
    }

    #[test]
    fn listings_are_held_once_and_given_back_with_the_store() {
        let (budget, _) = space(INSTANCE_OVERHEAD + 100, u64::MAX);
        let mut store = StoreLimiter::new(budget.clone(), Arc::default()).unwrap();
        assert!(store.hold_listings(60) && store.hold_listings(100) && store.hold_listings(50));
        assert!(!store.hold_listings(101));
        assert_eq!(budget.used(), INSTANCE_OVERHEAD + 100);
        drop(store);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_full_node_refuses_though_the_space_has_room() {
        let (budget, node) = space(1 << 30, INSTANCE_OVERHEAD + PAGE as u64);
        let mut store = StoreLimiter::new(budget.clone(), Arc::default()).unwrap();
        assert!(!store.memory_growing(0, 2 * PAGE, None).unwrap());
        assert_eq!(store.denied(), Some(Shortage::Node));
        assert_eq!((budget.used(), node.used()), (INSTANCE_OVERHEAD, INSTANCE_OVERHEAD));
    }

    #[test]
    fn growth_past_a_declared_maximum_reserves_nothing() {
        let (budget, _) = space(1 << 30, 1 << 30);
        let mut store = StoreLimiter::new(budget.clone(), Arc::default()).unwrap();
        assert!(!store.memory_growing(PAGE, 3 * PAGE, Some(2 * PAGE)).unwrap());
        assert!(!store.table_growing(0, TABLE_ELEMENTS + 1, None).unwrap());
        assert_eq!(budget.used(), INSTANCE_OVERHEAD);
        assert_eq!(store.denied(), None);
    }
}
