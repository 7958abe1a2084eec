//! A scanner at work: a component that is handed texts and says where secrets are in them.
//!
//! What it reads is anybody's, so a text may be written to break it. It runs as a guest does, in a store with every limit,
//! and unlike one it has nothing: no files, no network, no Space. One instance reads all the texts of a push; what it
//! found before it failed is kept.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Error, Result, Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::cap::sockets;
use crate::clock;
use crate::engine::Core;
use crate::limiter::{SpaceBudget, StoreLimiter};
use crate::pool::fault;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/scanner",
        world: "spaceport:scanner/scanner",
        exports: { default: async },
    });
}

/// How long all texts of a push may take. Whoever pushes waits for a part of it only.
const DEADLINE: Duration = Duration::from_secs(20);
/// Time of one vCPU whose fuel it may burn meanwhile: many times what the largest push takes.
pub(crate) const CPU: Duration = Duration::from_secs(10);
/// Bytes of memory: a few copies of the largest text.
const MEMORY: u64 = 64 << 20;
/// Bytes that it hands over in one call: its findings in one text.
const ANSWER: usize = 1 << 20;
/// Handles that it may hold: it needs none.
const HANDLES: usize = 64;

/// A text to be scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanText {
    /// The path of its file.
    pub path: String,
    /// What is in it.
    pub text: Arc<str>,
}

/// A secret, as a scanner says; unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// In which of the texts.
    pub text: usize,
    /// What kind of secret.
    pub rule: String,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What a scanner found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// The secrets.
    pub secrets: Vec<Secret>,
    /// How many of the texts were looked through, from the first on.
    pub texts: usize,
    /// Why the rest of the texts was not looked at, if so.
    pub failed: Option<ScanError>,
}

/// A scanner did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The artifact is not there or was made by another engine.
    #[error("the scanner is not usable: {0}")]
    Load(#[from] crate::artifacts::LoadError),
    /// It exports nothing to be called by, or imports what is not offered.
    #[error("it is no scanner: {0}")]
    NotAScanner(String),
    /// This host has no room for it now.
    #[error("there is no memory for the scanner")]
    NoMemory,
    /// It used up its fuel.
    #[error("it used more fuel than a scanner may")]
    Fuel,
    /// It took too long.
    #[error("it took longer than {DEADLINE:?}")]
    TooSlow,
    /// It trapped.
    #[error("it failed: {0}")]
    Failed(String),
}

/// Ends a scanner whose time is up.
#[derive(Debug, thiserror::Error)]
#[error("the scanner's time is up")]
struct Late;

/// What the store of a scanner carries.
pub(crate) struct ScanState {
    wasi: WasiCtx,
    table: ResourceTable,
    limiter: StoreLimiter,
    core: Arc<Core>,
    /// When its time is up.
    end: u64,
}

impl WasiView for ScanState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What scanners may import.
pub(crate) fn linker(engine: &wasmtime::Engine) -> Result<Linker<ScanState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// A scanner whose imports are resolved.
pub(crate) struct Ready(bindings::ScannerPre<ScanState>);

impl Ready {
    pub(crate) fn new(linker: &Linker<ScanState>, component: &Component) -> Result<Self, ScanError> {
        let pre = linker.instantiate_pre(component).and_then(bindings::ScannerPre::new);
        pre.map(Self).map_err(|error| ScanError::NotAScanner(format!("{error:#}")))
    }

    /// Scans texts. Runs on the data runtime, as guests do.
    pub(crate) async fn scan(self, core: Arc<Core>, fuel: u64, texts: Vec<ScanText>) -> Scanned {
        let mut scanned = Scanned::default();
        let work = self.scan_each(core, fuel, &texts, &mut scanned);
        // Its own deadline ends the scanner; this one whatever it may wait for in the host.
        let done = tokio::time::timeout(DEADLINE, work).await;
        scanned.failed = match done {
            Ok(done) => done.err(),
            Err(_) => Some(ScanError::TooSlow),
        };
        scanned
    }

    async fn scan_each(
        &self,
        core: Arc<Core>,
        fuel: u64,
        texts: &[ScanText],
        scanned: &mut Scanned,
    ) -> Result<(), ScanError> {
        let mut store = store(core, fuel)?;
        let scanner = self.0.instantiate_async(&mut store).await.map_err(|error| failure(&error, store.data()))?;
        for (text, ScanText { path, text: content }) in texts.iter().enumerate() {
            let scan = scanner.spaceport_scanner_secrets().call_scan(&mut store, path, content).await;
            let found = scan.map_err(|error| failure(&error, store.data()))?;
            scanned.texts = text + 1;
            scanned.secrets.extend(found.into_iter().map(|finding| Secret {
                text,
                rule: finding.rule,
                start: finding.start as usize,
                end: finding.end as usize,
            }));
        }
        Ok(())
    }
}

fn store(core: Arc<Core>, fuel: u64) -> Result<Store<ScanState>, ScanError> {
    let budget = SpaceBudget::new(MEMORY, core.node.clone());
    let limiter = StoreLimiter::new(budget, Arc::<AtomicU64>::default()).map_err(|_| ScanError::NoMemory)?;
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let mut wasi = WasiCtx::builder();
    sockets::deny(&mut wasi);
    let end = clock::now().saturating_add(clock::nanos(DEADLINE));
    let state = ScanState { wasi: wasi.build(), table, limiter, core: core.clone(), end };
    let mut store = Store::new(&core.wasmtime, state);
    store.limiter(|state| &mut state.limiter);
    store.set_fuel(fuel).map_err(|error| ScanError::Failed(fault::reason(&error)))?;
    store.set_hostcall_fuel(ANSWER);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(on_epoch);
    core.activity.touch();
    Ok(store)
}

/// It has run for a slice: others are let run, unless its time is up.
fn on_epoch(store: StoreContextMut<'_, ScanState>) -> Result<UpdateDeadline> {
    let state = store.data();
    if clock::now() >= state.end {
        return Err(Error::new(Late));
    }
    state.core.activity.touch();
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
}

fn failure(error: &Error, state: &ScanState) -> ScanError {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => ScanError::Fuel,
        _ if error.is::<Late>() => ScanError::TooSlow,
        _ if state.limiter.denied().is_some() => ScanError::NoMemory,
        _ => ScanError::Failed(fault::reason(error)),
    }
}
