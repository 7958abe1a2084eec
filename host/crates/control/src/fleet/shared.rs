//! What supervisors, builds and loops share.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use spaceport_core::hardware::Catalogue;
use spaceport_core::id::{BuildId, ID_BYTES, SpaceId};
use spaceport_core::plugin::PluginKind;
use spaceport_core::space::Sdk;
use spaceport_db::Db;
use spaceport_git::Repos;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::FleetConfig;
use crate::builder::{Builder, no_backend};
use crate::checkouts::Checkouts;
use crate::ledger::Ledger;
use crate::lfs::LfsStore;
use crate::logs::LogStore;
use crate::offer::Offer;
use crate::ports::{Backend, BackendPlugins, Clock};
use crate::routes::RouteTable;
use crate::sampler::Samples;
use crate::supervisor::Timers;
use crate::supervisor::member::{Input, Member};
use crate::switches::{self, Switches, switched_off};

/// Time beyond the grace for requests in which a stopping host waits for its own work to end.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(2);

/// What supervisors, builds and loops share.
pub(crate) struct Shared {
    pub(crate) config: FleetConfig,
    pub(crate) db: Arc<Db>,
    pub(crate) repos: Arc<Repos>,
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    pub(crate) backend_plugins: BackendPlugins,
    /// Hardware and storage on offer.
    pub(crate) offer: Offer,
    /// Which of them are switched off.
    pub(crate) switches: Switches,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) logs: LogStore,
    pub(crate) checkouts: Checkouts,
    pub(crate) lfs: LfsStore,
    pub(crate) builder: Builder,
    /// Spaces that could not be told of a new head, for the reconciler.
    pub(crate) untold: Mutex<HashSet<SpaceId>>,
    pub(crate) timers: Arc<Timers>,
    pub(crate) samples: Samples,
    pub(crate) ledger: Ledger,
    /// Launches that the start of the host asks for, all at once.
    pub(crate) boot_turns: Semaphore,
    /// Cancelled when the host stops.
    pub(crate) closing: CancellationToken,
    pub(super) members: RwLock<HashMap<SpaceId, Arc<Member>>>,
    pub(super) generations: AtomicU64,
    /// The runtime that does the work, whoever asks for it.
    pub(super) runtime: Handle,
    pub(super) tasks: TaskTracker,
}

impl Shared {
    /// A Space, if there is such a one.
    pub(crate) fn member(&self, space: SpaceId) -> Option<Arc<Member>> {
        self.members.read().get(&space).cloned()
    }

    /// Does something with a Space that is no change of its state, and wakes those who watch it.
    pub(crate) fn tell(&self, space: SpaceId, with: impl FnOnce(&Member)) {
        if let Some(member) = self.member(space) {
            with(&member);
            member.view.send_modify(|_| ());
        }
    }

    /// Every Space.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.members.read().values().cloned().collect()
    }

    /// Takes in a new Space and publishes its routes.
    pub(crate) fn take_in(&self, (member, hosts): (Arc<Member>, Vec<String>)) {
        self.members.write().insert(member.space, member.clone());
        self.routes.update(hosts.into_iter().map(|host| (host, member.slot.clone())).collect(), &[]);
    }

    /// Lets go of a Space that is deleted.
    pub(crate) fn forget(&self, space: SpaceId) {
        self.members.write().remove(&space);
    }

    /// Hardware and storage on offer.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        self.offer.now()
    }

    /// The kinds that plugins of the backends bring.
    pub(crate) fn plugins(&self) -> Vec<PluginKind> {
        self.backends.iter().flat_map(|backend| backend.plugins()).collect()
    }

    /// What builds and runs Spaces of a kind.
    pub(crate) fn backend(&self, sdk: Sdk) -> Option<&Arc<dyn Backend>> {
        self.offering(sdk).find(|backend| !self.switches.is_off(backend.as_ref(), sdk))
    }

    /// What would build and run Spaces of a kind, whether or not it is switched off.
    fn offering(&self, sdk: Sdk) -> impl Iterator<Item = &Arc<dyn Backend>> {
        self.backends.iter().filter(move |backend| backend.sdks().contains(&sdk))
    }

    /// Why nothing here runs such a Space, in a sentence for the owner.
    pub(crate) fn no_backend(&self, sdk: Sdk) -> String {
        let off = self.offering(sdk).find(|backend| self.switches.is_off(backend.as_ref(), sdk));
        if let Some(backend) = off {
            return switched_off(&switches::name(backend.as_ref(), sdk));
        }
        no_backend(sdk, &(self.backend_plugins)())
    }

    /// A number larger than all before it.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tasks beside the loops: of timers, reconciler, sampler and ledger.
    #[cfg(test)]
    pub(super) fn tasks_under_way(&self) -> usize {
        self.tasks.len() - 4
    }

    /// Runs a task that a stopping host waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.tasks.spawn_on(task, &self.runtime)
    }

    /// Stops everything; returns when all has ended, or a little after the grace.
    pub(super) async fn shutdown(self: &Arc<Self>, grace: Duration) {
        self.closing.cancel();
        for member in self.members() {
            member.post(self, Input::Shutdown(grace));
        }
        self.tasks.close();
        if tokio::time::timeout(grace + SHUTDOWN_MARGIN, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "work of the fleet is cut short");
        }
        let logs = self.logs.clone();
        // It fails only if the runtime ends first, which ends the writing too.
        let _ = tokio::task::spawn_blocking(move || logs.close()).await;
    }
}

/// An id for a build.
pub(crate) fn new_build_id() -> BuildId {
    BuildId::from_bytes(rand::random::<[u8; ID_BYTES]>())
}

/// Waits for ever if the runtime ends: what failed because of that has not failed, and the next host does it again.
pub(crate) async fn no_failure_if_ending() {
    if tokio::task::spawn_blocking(|| ()).await.is_err() {
        std::future::pending::<()>().await;
    }
}
