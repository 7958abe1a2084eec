//! A list of things that others own, to go through now and then.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Entries below which the list is not swept.
const SWEEP_MIN: usize = 64;

/// Weak references, swept as the list doubles, so that adding costs a constant amount on average.
pub(crate) struct Registry<T>(Mutex<List<T>>);

struct List<T> {
    entries: Vec<Weak<T>>,
    sweep_at: usize,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self(Mutex::new(List { entries: Vec::new(), sweep_at: SWEEP_MIN }))
    }
}

impl<T> Registry<T> {
    /// Adds an entry.
    pub(crate) fn add(&self, entry: &Arc<T>) {
        let mut list = self.0.lock();
        if list.entries.len() >= list.sweep_at {
            list.entries.retain(|entry| entry.strong_count() > 0);
            list.sweep_at = (list.entries.len() * 2).max(SWEEP_MIN);
        }
        list.entries.push(Arc::downgrade(entry));
    }

    /// The entries that are still there.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.0.lock().entries.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_swept() {
        let registry = Registry::default();
        let kept: Vec<_> = (0..10).map(Arc::new).collect();
        kept.iter().for_each(|entry| registry.add(entry));
        (0..10_000).for_each(|number| registry.add(&Arc::new(number)));
        assert_eq!(registry.all().len(), 10);
        assert!(registry.0.lock().entries.len() < 200);
    }
}
