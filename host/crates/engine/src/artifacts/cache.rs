//! Loaded components, kept while they fit: the one not asked for the longest goes first.
//!
//! Whoever runs a component holds it as well, so what is dropped here stays in memory until its last Space stops. Any
//! number that ask for the same component at once cause one load.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::artifacts::{ArtifactId, LoadError, Loaded};

/// See the module.
pub(super) struct LoadedCache {
    capacity: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<ArtifactId, Entry>,
    /// Counts accesses, to say which is the oldest.
    clock: u64,
}

struct Entry {
    cell: Arc<OnceCell<Arc<Loaded>>>,
    used: u64,
}

impl LoadedCache {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, inner: Mutex::default() }
    }

    /// Whether it is loaded.
    pub(super) fn has(&self, id: ArtifactId) -> bool {
        self.inner.lock().entries.get(&id).is_some_and(|entry| entry.cell.initialized())
    }

    /// The component, loaded if need be.
    pub(super) async fn get<F>(&self, id: ArtifactId, load: impl FnOnce() -> F) -> Result<Arc<Loaded>, LoadError>
    where
        F: Future<Output = Result<Arc<Loaded>, LoadError>>,
    {
        let cell = self.cell(id);
        let loaded = cell.get_or_try_init(load).await;
        let mut inner = self.inner.lock();
        match loaded {
            Ok(loaded) => {
                inner.shrink(self.capacity, id);
                Ok(loaded.clone())
            }
            Err(error) => {
                if inner.entries.get(&id).is_some_and(|entry| !entry.cell.initialized()) {
                    inner.entries.remove(&id);
                }
                Err(error)
            }
        }
    }

    fn cell(&self, id: ArtifactId) -> Arc<OnceCell<Arc<Loaded>>> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let used = inner.clock;
        let entry = inner.entries.entry(id).or_insert_with(|| Entry { cell: Arc::default(), used });
        entry.used = used;
        entry.cell.clone()
    }
}

impl Inner {
    /// Drops the oldest until the rest fits; never the one just asked for.
    fn shrink(&mut self, capacity: u64, keep: ArtifactId) {
        let weight = |entry: &Entry| entry.cell.get().map_or(0, |loaded| loaded.weight);
        let mut total: u64 = self.entries.values().map(weight).sum();
        while total > capacity {
            let others = self.entries.iter().filter(|(id, entry)| **id != keep && entry.cell.initialized());
            let Some(oldest) = others.min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id) else { break };
            total -= self.entries.remove(&oldest).as_ref().map_or(0, weight);
        }
    }
}
