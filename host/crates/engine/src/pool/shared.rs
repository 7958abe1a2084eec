//! What all instances of one running Space share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use spaceport_core::limits::Limits;
use spaceport_core::manifest::Isolation;
use tokio::sync::Notify;
use wasmtime_wasi_http::handler::ProxyPre;

use crate::clock;
use crate::cpu::SpaceCpu;
use crate::engine::Core;
use crate::engine::registry::Registry;
use crate::launch::SdkContext;
use crate::limiter::SpaceBudget;
use crate::log::GuestLog;
use crate::pool::control::InstanceControl;
use crate::pool::openings::Openings;
use crate::pool::population::Population;
use crate::state::{Capabilities, GuestState};

/// See the module.
pub(crate) struct SpaceShared {
    pub(crate) core: Arc<Core>,
    pub(crate) pre: ProxyPre<GuestState>,
    pub(crate) label: String,
    pub(crate) revision: String,
    pub(crate) limits: Limits,
    pub(crate) isolation: Isolation,
    /// Fuel that one request may use.
    pub(crate) request_fuel: u64,
    pub(crate) budget: Arc<SpaceBudget>,
    pub(crate) cpu: Arc<SpaceCpu>,
    pub(crate) log: Arc<dyn GuestLog>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) app: PathBuf,
    pub(crate) capabilities: Capabilities,
    /// For a plugin: the Space it serves.
    pub(crate) sdk: Option<SdkContext>,
    pub(crate) population: Population,
    pub(crate) openings: Openings,
    /// Requests that one instance takes at once.
    pub(crate) concurrency: AtomicUsize,
    /// A request ended or an instance went: whoever waits for memory may try again.
    pub(crate) freed: Notify,
    pub(crate) stopping: AtomicBool,
    instances: Registry<InstanceControl>,
    cold_starts: AtomicU64,
    cold_start_time: AtomicU64,
}

/// What differs from Space to Space, to make a [`SpaceShared`] of.
pub(crate) struct SpaceParts {
    pub(crate) core: Arc<Core>,
    pub(crate) pre: ProxyPre<GuestState>,
    pub(crate) label: String,
    pub(crate) revision: String,
    pub(crate) limits: Limits,
    pub(crate) isolation: Isolation,
    pub(crate) request_fuel: u64,
    pub(crate) log: Arc<dyn GuestLog>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) app: PathBuf,
    pub(crate) capabilities: Capabilities,
    /// For a plugin: the Space it serves.
    pub(crate) sdk: Option<SdkContext>,
    pub(crate) concurrency: usize,
}

impl SpaceShared {
    pub(crate) fn new(parts: SpaceParts) -> Arc<Self> {
        Arc::new(Self {
            budget: SpaceBudget::new(parts.limits.memory, parts.core.node.clone()),
            cpu: SpaceCpu::new(parts.limits.vcpu),
            core: parts.core,
            pre: parts.pre,
            label: parts.label,
            revision: parts.revision,
            limits: parts.limits,
            isolation: parts.isolation,
            request_fuel: parts.request_fuel,
            log: parts.log,
            env: parts.env,
            app: parts.app,
            capabilities: parts.capabilities,
            sdk: parts.sdk,
            population: Population::default(),
            openings: Openings::default(),
            concurrency: AtomicUsize::new(parts.concurrency),
            freed: Notify::new(),
            stopping: AtomicBool::new(false),
            instances: Registry::default(),
            cold_starts: AtomicU64::new(0),
            cold_start_time: AtomicU64::new(0),
        })
    }

    /// A new instance, known here and to the node from now on.
    pub(crate) fn enter(self: &Arc<Self>) -> Arc<InstanceControl> {
        let control = InstanceControl::new(Arc::downgrade(self));
        self.population.enter();
        self.instances.add(&control);
        // One that enters while the Space is being stopped would be missed by the sweep.
        if self.is_stopping() {
            control.stop();
        }
        self.core.enter(&control);
        control
    }

    /// An instance is gone, with everything it held.
    pub(crate) fn exit(&self, control: &InstanceControl) {
        self.core.exit();
        self.population.exit(control.is_leaving());
        self.freed.notify_waiters();
    }

    /// Ends every instance.
    pub(crate) fn stop_all(&self) {
        self.instances.all().iter().for_each(|instance| instance.stop());
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// An instance took this long to start.
    pub(crate) fn started(&self, took: Duration) {
        self.cold_starts.fetch_add(1, Ordering::Relaxed);
        self.cold_start_time.fetch_add(clock::nanos(took), Ordering::Relaxed);
    }

    /// Instances started, and the time that took.
    pub(crate) fn cold_starts(&self) -> (u64, Duration) {
        (self.cold_starts.load(Ordering::Relaxed), Duration::from_nanos(self.cold_start_time.load(Ordering::Relaxed)))
    }

    /// A line for the owner, from the host.
    pub(crate) fn say(&self, line: &str) {
        self.log.write(format!("[spaceport] {line}\n").as_bytes());
    }
}
