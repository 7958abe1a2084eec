//! The route table: from a host name to what answers there. The only thing the control plane shares with the data path.
//!
//! Reading takes no lock. The map changes when a Space is created, renamed or deleted; a change of a Space's state swaps
//! the entry in its slot and leaves the map alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Subject;
use spaceport_core::space::{Sdk, Visibility};
use spaceport_core::stage::Stage;

use crate::metrics::SpaceMetrics;
use crate::ports::{Clock, Mount, Upstream};

/// Host name (lower case, without port) to slot.
#[derive(Default)]
pub struct RouteTable {
    hosts: ArcSwap<HashMap<String, Arc<RouteSlot>>>,
}

/// One Space's place in the table; lives as long as the Space.
pub struct RouteSlot {
    /// What answers now.
    pub entry: ArcSwap<RouteEntry>,
    /// Counters of the Space, across launches.
    pub metrics: Arc<SpaceMetrics>,
    in_flight: AtomicU64,
    last_used: AtomicU64,
}

/// What the data path needs to know to answer for a Space.
pub struct RouteEntry {
    /// The Space.
    pub space: SpaceId,
    /// Its path.
    pub path: SpacePath,
    /// Its owner.
    pub owner: AccountId,
    /// Who created it.
    pub creator: AccountId,
    /// Who may visit the app.
    pub visibility: Visibility,
    /// Its kind.
    pub sdk: Sdk,
    /// Changes with every launch, changed variable and changed setting: what was cached under another is stale.
    pub generation: u64,
    /// Headers for every response of the app.
    pub custom_headers: BTreeMap<String, String>,
    /// Other sites may not frame it.
    pub disable_embedding: bool,
    /// What the edge makes of the fields above when it first answers for this entry.
    pub headers: OnceLock<EntryHeaders>,
    /// What answers.
    pub target: RouteTarget,
}

/// Headers that every answer of a Space gets, ready to be put in.
pub struct EntryHeaders {
    /// In place of what the Space says.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Beside it.
    pub added: Vec<(HeaderName, HeaderValue)>,
}

/// What answers at a route.
pub enum RouteTarget {
    /// A running release.
    Live {
        /// Who to call.
        upstream: Arc<dyn Upstream>,
        /// The revision's files, for what the guest lets the host send.
        app: Mount,
    },
    /// A release that wakes on a request.
    Asleep,
    /// Nothing for now.
    Unavailable {
        /// Why, as the stage.
        stage: Stage,
        /// Why, in a sentence that visitors may read.
        message: Option<String>,
    },
}

impl RouteEntry {
    /// The Space as far as permission goes.
    pub fn subject(&self) -> Subject {
        Subject { space: self.space, owner: self.owner, creator: self.creator, visibility: self.visibility }
    }
}

impl RouteTable {
    /// The slot of a host name.
    pub fn slot(&self, host: &str) -> Option<Arc<RouteSlot>> {
        self.hosts.load().get(host).cloned()
    }

    /// Every slot, for metrics.
    pub fn slots(&self) -> Vec<Arc<RouteSlot>> {
        self.hosts.load().values().cloned().collect()
    }

    /// Adds or replaces routes, and removes others, in one step. A name that leads to another slot by now stays.
    pub fn update(&self, set: Vec<(String, Arc<RouteSlot>)>, remove: &[(String, Arc<RouteSlot>)]) {
        self.hosts.rcu(|hosts| {
            let mut hosts = HashMap::clone(hosts);
            for (host, slot) in remove {
                if hosts.get(host).is_some_and(|current| Arc::ptr_eq(current, slot)) {
                    hosts.remove(host);
                }
            }
            hosts.extend(set.iter().cloned());
            hosts
        });
    }
}

impl RouteSlot {
    /// A slot that starts with this entry.
    pub fn new(entry: RouteEntry, metrics: Arc<SpaceMetrics>) -> Arc<Self> {
        Arc::new(Self {
            entry: ArcSwap::from_pointee(entry),
            metrics,
            in_flight: AtomicU64::new(0),
            last_used: AtomicU64::new(0),
        })
    }

    /// Marks a request as under way until the guard is dropped, which must be after the last byte of the answer.
    pub fn begin_request(self: &Arc<Self>, clock: Arc<dyn Clock>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.last_used.store(clock.now(), Ordering::Relaxed);
        InFlight { slot: self.clone(), clock }
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// When a request last began or ended; 0 if never.
    pub fn last_used(&self) -> Millis {
        self.last_used.load(Ordering::Relaxed)
    }
}

/// A request under way.
pub struct InFlight {
    slot: Arc<RouteSlot>,
    clock: Arc<dyn Clock>,
}

impl InFlight {
    /// The Space it is for.
    pub fn slot(&self) -> &Arc<RouteSlot> {
        &self.slot
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.slot.last_used.store(self.clock.now(), Ordering::Relaxed);
        self.slot.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_has_gone_to_another_space_stays_with_it() {
        let slot = |number: u8| {
            let entry = RouteEntry {
                space: SpaceId::from_bytes([number; 12]),
                path: "ada/hello".parse().unwrap(),
                owner: AccountId::from_bytes([1; 12]),
                creator: AccountId::from_bytes([1; 12]),
                visibility: Visibility::Public,
                sdk: Sdk::Wasm,
                generation: 1,
                custom_headers: BTreeMap::new(),
                disable_embedding: false,
                headers: OnceLock::new(),
                target: RouteTarget::Asleep,
            };
            RouteSlot::new(entry, Arc::default())
        };
        let (routes, old, new) = (RouteTable::default(), slot(1), slot(2));
        let host = || "ada-hello.localhost".to_owned();
        routes.update(vec![(host(), old.clone())], &[]);
        routes.update(vec![(host(), new.clone())], &[]);
        routes.update(Vec::new(), &[(host(), old)]);
        assert!(routes.slot(&host()).is_some_and(|slot| Arc::ptr_eq(&slot, &new)));
        routes.update(Vec::new(), &[(host(), new)]);
        assert!(routes.slot(&host()).is_none());
    }
}
