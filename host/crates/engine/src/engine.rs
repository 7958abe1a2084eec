//! The engine: one per process, the owner of everything that all Spaces share.
//!
//! Making one sizes the pool to the machine, starts the ticker and measures how fast fuel burns. The public methods are
//! the crate's facade; the work is done by `compile`, `artifacts`, `linker` and `pool`.

mod calibrate;
pub(crate) mod config;
pub(crate) mod registry;
mod scan;
pub(crate) mod ticker;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use wasmtime::component::Linker;
use wasmtime_wasi_http::handler::ProxyPre;

use crate::artifacts::{ArtifactId, Artifacts, LoadError, Loaded};
use crate::call::Caller;
use crate::cap::files::{self, FilesError, SpaceFiles};
use crate::cap::http_out::{EgressCounts, EgressShared, SpaceEgress};
use crate::compile::{CompileError, Compiler, Inspection, Refusal};
use crate::describe::{self, DescribeError, Description};
use crate::engine::registry::Registry;
use crate::launch::{LaunchSpec, StartError};
use crate::limiter::Budget;
use crate::linker::Linkers;
use crate::pool::control::InstanceControl;
use crate::pool::shared::{SpaceParts, SpaceShared};
use crate::running::Running;
use crate::scan::{self as scanner, ScanState};
use crate::state::{Capabilities, GuestState};

/// Memory of the node per slot of the pool: small apps need far less, so slots do not run out before memory does.
const MEMORY_PER_SLOT: u64 = 16 << 20;
/// Fewer slots are not worth a pool.
const SLOTS_MIN: u32 = 64;
/// More slots than the kernel's customary 65,530 mappings of a process can carry.
const SLOTS_MAX: u32 = 4000;
/// Requests in flight on the node per slot: concurrent apps answer several in one.
const PLACES_PER_SLOT: u32 = 4;
/// Bytes of loaded components that are kept for the next start.
const LOADED_BYTES: u64 = 1 << 30;
/// Places of a Space whose instances take one request at a time: one instance each.
const PLACES_SERIAL: usize = 64;
/// Places of a Space whose instances take several.
const PLACES_CONCURRENT: usize = 256;
/// Requests that one concurrent instance takes: few enough that a trap does not take many with it.
const CONCURRENCY: usize = 16;

/// What the host decides.
pub struct EngineConfig {
    /// Where compiled components are kept: a directory that only this process writes.
    pub artifacts: PathBuf,
    /// The key of the seal that artifacts bear. Whoever has it can make this process run anything.
    pub seal_key: [u8; 32],
    /// The program that compiles, and its arguments; it must call [`crate::compile::child_main`]. Two arguments
    /// more are added: the CPU time in seconds and the file to write.
    pub compile_command: Vec<OsString>,
    /// Bytes of the largest component that is taken.
    pub component_bytes: u64,
    /// CPU time that compiling one may take.
    pub compile_time: Duration,
    /// Bytes that all Spaces together may hold.
    pub node_memory: u64,
    /// The runtime that serves requests: instances live on it.
    pub data_runtime: Handle,
}

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refuses the machine or its configuration.
    #[error("wasmtime cannot start: {0}")]
    Wasmtime(String),
    /// A directory or a thread cannot be made.
    #[error("the engine's directory or ticker cannot be set up")]
    Io(#[from] std::io::Error),
    /// Guests could not be kept in their directories.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasmtime(format!("{error:#}"))
    }
}

/// What was measured and chosen at the start.
#[derive(Debug, Clone, Copy)]
pub struct Calibration {
    /// Fuel that one vCPU burns in a second at most.
    pub fuel_per_vcpu_second: u64,
    /// Instances the pool has room for; `None` without a pool.
    pub slots: Option<u32>,
}

/// What all stores share.
pub(crate) struct Core {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) activity: Arc<ticker::Activity>,
    pub(crate) node: Arc<Budget>,
    /// Requests in flight on the node.
    pub(crate) places: Arc<Semaphore>,
    /// Some instance went away.
    pub(crate) instance_gone: Notify,
    pub(crate) data_runtime: Handle,
    instances: Registry<InstanceControl>,
    live: AtomicUsize,
}

impl Core {
    /// An instance came.
    pub(crate) fn enter(&self, control: &Arc<InstanceControl>) {
        self.live.fetch_add(1, Ordering::Relaxed);
        self.instances.add(control);
    }

    /// An instance went, and its memory with it.
    pub(crate) fn exit(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.instance_gone.notify_waiters();
    }

    /// Ends the instance that has had nothing to do for the longest time.
    pub(crate) fn evict_idlest(&self) {
        let idlest = self.instances.all().into_iter().filter_map(|instance| Some((instance.idle_since()?, instance)));
        if let Some((_, instance)) = idlest.min_by_key(|(since, _)| *since) {
            instance.yield_slot();
        }
    }
}

/// See the module.
pub struct Engine {
    core: Arc<Core>,
    linkers: Linkers,
    scan_linker: Linker<ScanState>,
    artifacts: Artifacts,
    compiler: Compiler,
    component_bytes: u64,
    calibration: Calibration,
    egress: EgressShared,
}

impl Engine {
    /// Makes the engine: sizes the pool, starts the ticker, measures fuel.
    pub fn new(config: EngineConfig) -> Result<Arc<Self>, EngineError> {
        files::verify()?;
        let (wasmtime, slots) = sized(config.node_memory)?;
        let activity = ticker::start(wasmtime.weak())?;
        let fuel_per_vcpu_second = calibrate::fuel_per_second(&wasmtime)?;
        let calibration = Calibration { fuel_per_vcpu_second, slots };
        tracing::info!(fuel_per_vcpu_second, ?slots, node_memory = config.node_memory, "engine ready");
        let places = slots.unwrap_or(SLOTS_MIN) * PLACES_PER_SLOT;
        let artifacts = Artifacts::open(&wasmtime, config.artifacts, config.seal_key, LOADED_BYTES)?;
        Ok(Arc::new(Self {
            linkers: Linkers::new(&wasmtime)?,
            scan_linker: scanner::linker(&wasmtime)?,
            artifacts,
            compiler: Compiler::new(config.compile_command, config.compile_time),
            component_bytes: config.component_bytes,
            calibration,
            egress: EgressShared::new(),
            core: Arc::new(Core {
                wasmtime,
                activity,
                node: Arc::new(Budget::new(config.node_memory)),
                places: Arc::new(Semaphore::new(places as usize)),
                instance_gone: Notify::new(),
                data_runtime: config.data_runtime,
                instances: Registry::default(),
                live: AtomicUsize::new(0),
            }),
        }))
    }

    /// What was measured and chosen at the start.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// Bytes that all Spaces hold now.
    pub fn memory_used(&self) -> u64 {
        self.core.node.used()
    }

    /// Live instances of all Spaces.
    pub fn instances(&self) -> usize {
        self.core.live.load(Ordering::Relaxed)
    }

    /// Bytes of the largest component that is taken.
    pub fn component_bytes(&self) -> u64 {
        self.component_bytes
    }

    /// Says what a component is and imports, or why it is refused, without compiling it.
    pub fn inspect(&self, component: &[u8]) -> Result<Inspection, Refusal> {
        crate::compile::inspect(component, self.component_bytes)
    }

    /// Compiles a component in a process of its own, unless that was done before. Lines for the owner go to `say`.
    pub async fn compile(&self, component: &[u8], say: &(dyn Fn(&str) + Sync)) -> Result<ArtifactId, CompileError> {
        self.compile_inspected(component, self.inspect(component)?, say).await
    }

    /// The same for what the host brings itself, whatever the operator says of the size of others.
    pub async fn compile_own(&self, component: &[u8]) -> Result<ArtifactId, CompileError> {
        let inspection = crate::compile::inspect(component, u64::MAX)?;
        self.compile_inspected(component, inspection, &|line| tracing::debug!(line, "a component of the host")).await
    }

    async fn compile_inspected(
        &self,
        component: &[u8],
        inspection: Inspection,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<ArtifactId, CompileError> {
        let id = self.artifacts.id(component);
        if self.artifacts.has(id).await {
            say("compiled before");
        } else {
            self.compiler.run(component, &self.artifacts, id, say).await?;
        }
        // Names were checked; whether the types fit only the linker can say.
        let loaded = self.artifacts.load(id).await.map_err(CompileError::Load)?;
        self.pre(&loaded, inspection.is_plugin()).map_err(|error| Refusal::Link(format!("{error:#}")))?;
        Ok(id)
    }

    /// Whether an artifact is there and whole.
    pub async fn has(&self, artifact: ArtifactId) -> bool {
        self.artifacts.has(artifact).await
    }

    /// Asks a plugin which kind of Spaces it serves. `dir` is an empty directory, in which it finds nothing and can
    /// leave nothing.
    pub async fn describe(&self, artifact: ArtifactId, dir: &Path) -> Result<Description, DescribeError> {
        let (space, _) = self.space(describe::spec(artifact, dir, |vcpu, time| self.fuel(vcpu, time))).await?;
        let asked = self.core.data_runtime.spawn(describe::ask(space)).await;
        asked.unwrap_or_else(|error| Err(DescribeError::Failed(error.to_string())))
    }

    /// Starts a Space: no instance yet, those come with the requests.
    pub async fn launch(&self, spec: LaunchSpec) -> Result<Arc<Running>, StartError> {
        let (space, places) = self.space(spec).await?;
        Ok(Arc::new(Running::new(Caller::new(space, places))))
    }

    /// What the instances of a Space share, and how many requests it takes at once.
    async fn space(&self, spec: LaunchSpec) -> Result<(Arc<SpaceShared>, usize), StartError> {
        let loaded = self.artifacts.load(spec.artifact).await.map_err(|error| match error {
            LoadError::Io(error) => StartError::Files(error),
            other => StartError::Recompile(other),
        })?;
        let pre = self.pre(&loaded, spec.sdk.is_some()).map_err(|error| StartError::Refused(format!("{error:#}")))?;
        let (concurrency, places) = match &pre {
            ProxyPre::P2(_) => (1, PLACES_SERIAL),
            ProxyPre::P3(_) => (CONCURRENCY, PLACES_CONCURRENT),
        };
        let request_fuel = spec.limits.request_fuel.unwrap_or_else(|| self.fuel(spec.limits.vcpu, spec.limits.stream));
        let capabilities = self.capabilities(&spec).await?;
        let space = SpaceShared::new(SpaceParts {
            core: self.core.clone(),
            pre,
            label: spec.label,
            revision: spec.revision,
            limits: spec.limits,
            isolation: spec.isolation,
            request_fuel,
            log: spec.log,
            env: spec.env,
            app: spec.app,
            capabilities,
            on_crash: spec.on_crash,
            concurrency,
            most_instances: places,
            sdk: spec.sdk,
        });
        Ok((space, places))
    }

    /// Opens the Space's directories, which counts what is in them, and its way to the network.
    async fn capabilities(&self, spec: &LaunchSpec) -> Result<Capabilities, StartError> {
        let (tmp, disk, inodes) = (spec.tmp.clone(), spec.limits.disk, spec.limits.inodes);
        let data = spec.data.clone().zip(spec.limits.storage);
        let open = tokio::task::spawn_blocking(move || SpaceFiles::new(tmp, disk, data, inodes));
        let files = open.await.map_err(std::io::Error::other)??;
        let egress = Arc::new(SpaceEgress::new(spec.egress.clone(), spec.label.clone(), &self.egress));
        Ok(Capabilities { files, egress })
    }

    /// What all Spaces sent out together.
    pub fn egress_counts(&self) -> EgressCounts {
        self.egress.counts()
    }

    /// What `vcpu` can burn in that time.
    fn fuel(&self, vcpu: f64, time: Duration) -> u64 {
        (vcpu * self.calibration.fuel_per_vcpu_second as f64 * time.as_secs_f64()) as u64
    }

    fn pre(&self, loaded: &Loaded, plugin: bool) -> wasmtime::Result<ProxyPre<GuestState>> {
        let linker = if plugin { &self.linkers.sdk } else { &self.linkers.app };
        loaded.pre(linker, plugin)
    }
}

/// wasmtime with the largest pool that the machine takes, or without one.
fn sized(node_memory: u64) -> Result<(wasmtime::Engine, Option<u32>), EngineError> {
    let wanted = u32::try_from(node_memory / MEMORY_PER_SLOT).unwrap_or(SLOTS_MAX).clamp(SLOTS_MIN, SLOTS_MAX);
    let mut slots = wanted;
    while slots >= SLOTS_MIN {
        match wasmtime::Engine::new(&config::pooled(slots)) {
            Ok(engine) => return Ok((engine, Some(slots))),
            Err(error) => {
                tracing::warn!(slots, error = format!("{error:#}"), "the pool does not fit, trying a smaller one")
            }
        }
        slots /= 2;
    }
    tracing::warn!("no pool fits: instances start slower");
    Ok((wasmtime::Engine::new(&config::on_demand())?, None))
}
