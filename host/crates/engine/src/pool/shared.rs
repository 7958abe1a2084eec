//! What all instances of one running Space share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use spaceport_core::fault::Fault;
use spaceport_core::limits::Limits;
use spaceport_core::manifest::Isolation;
use tokio::sync::Notify;
use wasmtime::Error;
use wasmtime_wasi_http::handler::ProxyPre;

use crate::clock;
use crate::cpu::SpaceCpu;
use crate::engine::Core;
use crate::engine::registry::Registry;
use crate::launch::SdkContext;
use crate::limiter::SpaceBudget;
use crate::log::GuestLog;
use crate::pool::concurrency::Concurrency;
use crate::pool::control::InstanceControl;
use crate::pool::fault;
use crate::pool::openings::Openings;
use crate::pool::population::Population;
use crate::state::{Capabilities, GuestState};

/// Starts in a row that fail before the Space counts as crashed.
const CRASH_AFTER: u32 = 3;

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
    pub(crate) concurrency: Concurrency,
    /// Instances at once: one for each request that may be under way.
    most_instances: usize,
    /// A request ended or an instance went: whoever waits for memory may try again.
    pub(crate) freed: Notify,
    pub(crate) stopping: AtomicBool,
    instances: Registry<InstanceControl>,
    cold_starts: AtomicU64,
    cold_start_time: AtomicU64,
    /// Starts in a row that the app itself made fail.
    failed_starts: AtomicU32,
    on_crash: Box<dyn Fn(&Fault) + Send + Sync>,
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
    pub(crate) on_crash: Box<dyn Fn(&Fault) + Send + Sync>,
    pub(crate) concurrency: usize,
    pub(crate) most_instances: usize,
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
            concurrency: Concurrency::new(parts.concurrency),
            most_instances: parts.most_instances,
            failed_starts: AtomicU32::new(0),
            on_crash: parts.on_crash,
            freed: Notify::new(),
            stopping: AtomicBool::new(false),
            instances: Registry::default(),
            cold_starts: AtomicU64::new(0),
            cold_start_time: AtomicU64::new(0),
        })
    }

    /// A new instance, known here and to the node from now on; none if there are as many as there may be.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Arc<InstanceControl>> {
        if !self.population.enter(self.most_instances) {
            return None;
        }
        let control = InstanceControl::new(Arc::downgrade(self), self.concurrency.is_serial());
        self.instances.add(&control);
        // One that enters while the Space is being stopped would be missed by the sweep.
        if self.is_stopping() {
            control.stop();
        }
        self.core.enter(&control);
        Some(control)
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

    /// An instance took this long to start, or did not. An app none of whose instances starts any more has crashed;
    /// one that traps now and then is served by its next instance.
    pub(crate) fn book_start(&self, took: Duration, error: Option<&Error>) {
        let Some(error) = error else {
            self.failed_starts.store(0, Ordering::Relaxed);
            self.cold_starts.fetch_add(1, Ordering::Relaxed);
            self.cold_start_time.fetch_add(clock::nanos(took), Ordering::Relaxed);
            return;
        };
        let fault = match fault::of_start(error, self) {
            Ok(_) | Err(Fault::Stopped) => return,
            Err(fault) => fault,
        };
        if fault == Fault::NodeOverloaded {
            tracing::error!(space = self.label, error = format!("{error:#}"), "an instance cannot start");
            return;
        }
        self.say(&format!("the app did not start: {fault}{}", fault::frames(error)));
        if self.failed_starts.fetch_add(1, Ordering::Relaxed) + 1 == CRASH_AFTER {
            (self.on_crash)(&fault);
        }
    }

    /// Instances started, and the time that took.
    pub(crate) fn cold_starts(&self) -> (u64, Duration) {
        (self.cold_starts.load(Ordering::Relaxed), Duration::from_nanos(self.cold_start_time.load(Ordering::Relaxed)))
    }

    /// How long an instance takes to start, on average, once one has.
    pub(crate) fn start_time(&self) -> Option<Duration> {
        let time = self.cold_start_time.load(Ordering::Relaxed);
        time.checked_div(self.cold_starts.load(Ordering::Relaxed)).map(Duration::from_nanos)
    }

    /// A line for the owner, from the host.
    pub(crate) fn say(&self, line: &str) {
        self.log.write(format!("[spaceport] {line}\n").as_bytes());
    }
}
