//! Starting the fleet: every Space is known and routed before anything is launched, built or asked of git, so that the
//! host answers within moments however many Spaces it has.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Build, Desired, Serving, State};
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::{PluginKind, Plugins};
use spaceport_core::space::{Sdk, Space};
use spaceport_db::{BuiltRelease, Db};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{FleetConfig, FleetError, FleetParts, Shared};
use crate::builder::Builder;
use crate::checkouts::Checkouts;
use crate::ledger::{self, Ledger};
use crate::lfs::LfsStore;
use crate::logs::LogStore;
use crate::metrics::SpaceMetrics;
use crate::offer::Offer;
use crate::publish::Profile;
use crate::reconcile;
use crate::routes::RouteSlot;
use crate::sampler::{self, Samples};
use crate::supervisor::member::{Input, Member};
use crate::supervisor::{self, Owned};
use crate::switches::Switches;

/// Launches at the same time while the host starts: enough to keep its cores busy, few enough that a visitor's wake is
/// not lost among them.
const BOOT_LAUNCHES: usize = 8;

/// A Space as it is stored.
pub(crate) struct Stored {
    pub(crate) space: Space,
    pub(crate) state: State,
    /// Configuration of the newest release.
    pub(crate) manifest: Option<Arc<Manifest>>,
    /// The kind of the release that answers or would after waking.
    pub(crate) served_sdk: Option<Sdk>,
}

/// What the database holds.
struct Loaded {
    spaces: Vec<Stored>,
    /// Spaces whose deletion was not finished.
    deleted: Vec<SpaceId>,
}

pub(super) async fn start(config: FleetConfig, parts: FleetParts) -> Result<Arc<Shared>, FleetError> {
    let (data, repos, clock) = (config.data.clone(), parts.repos.clone(), parts.clock.clone());
    let db = parts.db.clone();
    let open = blocking(move || -> io::Result<(LogStore, Checkouts, LfsStore)> {
        let lfs = LfsStore::open(&data, db, clock.clone())?;
        let checkouts = Checkouts::open(&data, repos, lfs.clone())?;
        Ok((LogStore::open(&data.join("logs"), clock)?, checkouts, lfs))
    });
    let (logs, checkouts, lfs) = open.await?.map_err(FleetError::files("open the directories of the fleet"))?;
    let here: Vec<PluginKind> = parts.backends.iter().flat_map(|backend| backend.plugins()).collect();
    let db = parts.db.clone();
    let loaded = blocking(move || load(&db, Plugins::Any(&here))).await??;
    let known: HashSet<SpaceId> = loaded.spaces.iter().map(|stored| stored.space.id).collect();
    refuse_lost_store(&known, &loaded.deleted, &parts.repos.list().await?)?;
    let switches = Switches::load(&parts.db)?;
    let offer = Offer::load(config.catalogue.clone(), &parts.db)?;
    for backend in &parts.backends {
        backend.offer(&offer.now());
    }
    let shared = Arc::new(Shared {
        switches,
        builder: Builder::new(config.build_workers),
        samples: Samples::new(parts.clock.now()),
        ledger: Ledger::default(),
        config,
        db: parts.db,
        repos: parts.repos,
        backends: parts.backends,
        backend_plugins: parts.backend_plugins,
        offer,
        clock: parts.clock,
        routes: parts.routes,
        logs,
        checkouts,
        lfs,
        untold: Mutex::default(),
        timers: Arc::default(),
        boot_turns: Semaphore::new(BOOT_LAUNCHES),
        closing: CancellationToken::new(),
        members: RwLock::default(),
        generations: AtomicU64::new(0),
        runtime: Handle::current(),
        tasks: TaskTracker::new(),
    });
    publish(&shared, loaded.spaces);
    begin_loops(&shared);
    finish_deletions(&shared, loaded.deleted);
    shared.spawn(supervisor::collect_large_files(shared.clone()));
    Ok(shared)
}

/// The kind of the release that answers or would after waking: mostly the newest, whose configuration is at hand.
fn served_sdk(
    db: &Db,
    (space, state): (SpaceId, &State),
    newest: Option<&Manifest>,
    plugins: Plugins<'_>,
) -> Result<Option<Sdk>, FleetError> {
    let served = match &state.serving {
        Serving::Nothing => return Ok(None),
        Serving::Starting { release, fallback, .. } => fallback.unwrap_or(*release),
        Serving::Asleep { release } | Serving::Live { release, .. } | Serving::Failed { release, .. } => *release,
    };
    if state.release == Some(served) {
        return Ok(newest.map(|manifest| manifest.sdk));
    }
    let built = db.releases().get(&(space, served.number))?;
    Ok(built.and_then(|built| manifest(&built, plugins)).map(|manifest| manifest.sdk))
}

fn manifest(built: &BuiltRelease, plugins: Plugins<'_>) -> Option<Manifest> {
    Manifest::from_readme(built.readme.as_bytes(), plugins).ok()
}

/// A database that knows nothing of repositories that are there is not the one they were made with: a backup that is
/// older, a disk that is not mounted. Nothing is removed on that suspicion; if it knows none at all, nothing is begun.
fn refuse_lost_store(known: &HashSet<SpaceId>, deleted: &[SpaceId], repos: &[SpaceId]) -> Result<(), FleetError> {
    let strange = repos.iter().filter(|space| !known.contains(space) && !deleted.contains(space)).count();
    if strange > 0 && known.is_empty() {
        return Err(FleetError::NoSpaces(strange));
    }
    if strange > 0 {
        tracing::warn!(
            repositories = strange,
            "there are repositories of Spaces that the database does not know; they are left alone"
        );
    }
    Ok(())
}

/// A Space for the fleet, with the host names it answers at.
pub(super) fn member(shared: &Shared, stored: Stored) -> (Arc<Member>, Vec<String>) {
    let (space, profile) = (stored.space.id, Profile::of(&stored.space, &shared.catalogue(), &shared.config));
    let mut owned = Owned::new(stored, profile, shared.next_generation());
    let (hosts, _) = owned.move_hosts(shared);
    let slot = RouteSlot::new(owned.route(space), Arc::new(SpaceMetrics::default()));
    let view = owned.view_before_boot(space, shared);
    (Member::new(space, slot, view, owned), hosts)
}

fn load(db: &Db, plugins: Plugins<'_>) -> Result<Loaded, FleetError> {
    let mut states: HashMap<SpaceId, State> = db.lifecycles().scan()?.into_iter().collect();
    let mut spaces = Vec::new();
    for (id, space) in db.spaces().scan()? {
        let space = match &space.preview {
            Some(_) => db.running_space(id)?.unwrap_or(space),
            None => space,
        };
        let state = states.remove(&id).unwrap_or_default();
        let manifest = match state.release {
            Some(release) => db.releases().get(&(id, release.number))?.and_then(|built| manifest(&built, plugins)),
            None => None,
        };
        let served_sdk = served_sdk(db, (id, &state), manifest.as_ref(), plugins)?;
        spaces.push(Stored { space, state, manifest: manifest.map(Arc::new), served_sdk });
    }
    let is_deleted = |(id, state): (SpaceId, State)| (state.desired == Desired::Deleted).then_some(id);
    Ok(Loaded { spaces, deleted: states.into_iter().filter_map(is_deleted).collect() })
}

/// Makes all Spaces known in one step, then tells those that have something to do.
fn publish(shared: &Arc<Shared>, spaces: Vec<Stored>) {
    let mut routes = Vec::new();
    let mut busy = Vec::new();
    {
        let mut members = shared.members.write();
        for stored in spaces {
            let has_work = has_work(&stored.state);
            let (member, hosts) = member(shared, stored);
            routes.extend(hosts.into_iter().map(|host| (host, member.slot.clone())));
            busy.extend(has_work.then(|| member.clone()));
            members.insert(member.space, member);
        }
    }
    shared.routes.update(routes, &[]);
    tracing::info!(spaces = shared.members.read().len(), resumed = busy.len(), "the fleet is loaded");
    for member in busy {
        member.post(shared, Input::Boot);
    }
}

/// Whether a start of the host changes anything for a Space.
fn has_work(state: &State) -> bool {
    let was_up = match state.serving {
        Serving::Starting { .. } | Serving::Live { .. } | Serving::Failed { .. } => true,
        Serving::Nothing | Serving::Asleep { .. } => false,
    };
    let must_build = matches!(state.build, Build::Running { .. }) || state.build.failed_for_want_of_host().is_some();
    was_up || must_build || state.desired == Desired::Deleted
}

fn begin_loops(shared: &Arc<Shared>) {
    // They hold the fleet weakly, so that they end with it.
    shared.spawn(supervisor::run_timers(Arc::downgrade(shared), shared.timers.clone(), shared.closing.clone()));
    shared.spawn(reconcile::run(Arc::downgrade(shared), shared.closing.clone()));
    shared.spawn(sampler::run(Arc::downgrade(shared), shared.closing.clone()));
    shared.spawn(ledger::run(Arc::downgrade(shared), shared.closing.clone()));
}

fn finish_deletions(shared: &Arc<Shared>, deleted: Vec<SpaceId>) {
    let finishing = shared.clone();
    shared.spawn(async move {
        for space in deleted {
            supervisor::remove_files(&finishing, space).await;
        }
    });
}

/// Runs what blocks on the disk where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FleetError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FleetError::Panicked)
}
