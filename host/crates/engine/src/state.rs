//! What one store carries: the WASI contexts of its guest, its limits, and the way back to its Space.

use std::sync::Arc;

use spaceport_core::manifest::Isolation;
use wasmtime::component::ResourceTable;
use wasmtime::{Error, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::cap::files::{FilesView, Scratch, SpaceFiles};
use crate::cap::http_out::{EgressHooks, SpaceEgress};
use crate::cap::sockets;
use crate::clock;
use crate::cpu::Meter;
use crate::limiter::{Shortage, StoreLimiter};
use crate::pool::control::{InstanceControl, Verdict};
use crate::pool::fault::Ended;
use crate::pool::shared::SpaceShared;
use crate::stdio::LogStream;

/// Handles that a guest may hold: streams, bodies, requests, timers. Each can pin a body buffer of 128 KiB in the host,
/// so this times that is what one instance can cost at worst.
const HANDLES: usize = 512;
/// The same for an instance with many requests at once.
const HANDLES_CONCURRENT: usize = 2048;
/// Handles, streams and futures in the guest's own tables.
const GUEST_HANDLES: usize = 4096;
/// Bytes that a guest hands to the host in one call: more than a body chunk or a long header, less than would stall a
/// thread that copies it.
const HOSTCALL_BYTES: usize = 4 << 20;
/// Bytes of one header collection, as held in memory. HTTP servers commonly stop at 8 to 16 KiB on the wire.
const FIELD_BYTES: usize = 32 << 10;
/// Random bytes in one call. The generator works byte by byte and cannot be interrupted.
const RANDOM_BYTES: u64 = 64 << 10;

/// What a Space's instances reach the outside with.
pub(crate) struct Capabilities {
    /// Its directories.
    pub(crate) files: Arc<SpaceFiles>,
    /// Its network.
    pub(crate) egress: Arc<SpaceEgress>,
}

/// The store's data.
pub(crate) struct GuestState {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: EgressHooks,
    pub(crate) limiter: StoreLimiter,
    pub(crate) meter: Arc<Meter>,
    pub(crate) control: Arc<InstanceControl>,
    pub(crate) space: Arc<SpaceShared>,
    /// Fuel in the store when it was last looked at.
    fuel: u64,
    /// The `/tmp` of an instance for one request. The last field: goes after everything that has files open in it.
    _scratch: Option<Scratch>,
}

impl GuestState {
    /// A store for one instance, with every limit in place.
    pub(crate) fn store(space: &Arc<SpaceShared>, control: &Arc<InstanceControl>) -> Result<Store<Self>, Error> {
        let limiter = StoreLimiter::new(space.budget.clone(), control.memory.clone()).map_err(Ended::NoMemory)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(if space.concurrency.is_serial() { HANDLES } else { HANDLES_CONCURRENT });
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELD_BYTES);
        let (wasi, scratch) = wasi_context(space).map_err(|error| Ended::Host(format!("{error:#}")))?;
        let state = Self {
            table,
            wasi,
            http,
            hooks: EgressHooks::new(space.capabilities.egress.clone(), space.log.clone()),
            limiter,
            meter: Meter::new(space.cpu.clone(), space.core.activity.clone()),
            control: control.clone(),
            space: space.clone(),
            fuel: space.request_fuel,
            _scratch: scratch,
        };
        let mut store = Store::new(&space.core.wasmtime, state);
        store.limiter(|state| &mut state.limiter);
        store.set_fuel(space.request_fuel)?;
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_max_component_handles(GUEST_HANDLES);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(GUEST_HANDLES);
        }
        store.call_hook(|store, hook| {
            match hook.exiting_host() {
                true => store.data().meter.enter(),
                false => store.data().meter.leave(),
            }
            Ok(())
        });
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(Self::on_epoch);
        Ok(store)
    }

    /// The guest has run for a slice. Fuel is off limits here: compiled code keeps it in a register.
    fn on_epoch(store: StoreContextMut<'_, Self>) -> Result<UpdateDeadline, Error> {
        let state = store.data();
        if let Verdict::End(end) = state.control.running_verdict(clock::now()) {
            state.control.end(end);
            return Err(Ended::ByHost(end).into());
        }
        // The runtime's own yield would wake the task at once and keep the thread from looking at its sockets.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(state.meter.pause())))
    }

    /// A request starts, one of so many in this instance.
    pub(crate) fn begin_request(store: &mut StoreContextMut<'_, Self>, requests: u64) -> Result<(), Error> {
        let state = store.data_mut();
        if state.control.is_look_due() && state.table.iter_mut().count() > state.table.max_capacity() / 2 {
            state.control.retire();
        }
        state.limiter.forget_denial();
        state.hooks.begin_request(requests);
        // A whole slice from here: an instance that stood idle over a tick would yield at its first check.
        store.set_epoch_deadline(1);
        Self::refuel(store, requests)
    }

    /// Books the fuel used since the last look, and allows one request more.
    fn refuel(store: &mut StoreContextMut<'_, Self>, requests: u64) -> Result<(), Error> {
        let left = store.get_fuel()?;
        let allowance = store.data().space.request_fuel;
        // Alone, a request gets its allowance exactly. Beside others it adds to what they have left, up to one
        // allowance for each: taking theirs away would end them for what this one did.
        let fuel = match requests {
            0 | 1 => allowance,
            several => left.saturating_add(allowance).min(allowance.saturating_mul(several)),
        };
        let state = store.data_mut();
        state.space.cpu.charge_fuel(state.fuel.saturating_sub(left));
        state.fuel = fuel;
        store.set_fuel(fuel)
    }

    /// Books the fuel used since the last look, when the store goes.
    pub(crate) fn book_fuel(store: &Store<Self>) {
        let left = store.get_fuel().unwrap_or_default();
        store.data().space.cpu.charge_fuel(store.data().fuel.saturating_sub(left));
    }

    /// Who refused memory to this guest last.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        self.limiter.denied()
    }
}

fn wasi_context(space: &Arc<SpaceShared>) -> Result<(WasiCtx, Option<Scratch>), Error> {
    let mut wasi = WasiCtx::builder();
    wasi.envs(&space.env)
        .initial_cwd("/app")
        .stdout(LogStream(space.log.clone()))
        .stderr(LogStream(space.log.clone()))
        .max_random_size(RANDOM_BYTES)
        // Files of a Space sit in the page cache as a rule: handing each read to another thread costs twice the time.
        // The data runtime has threads to spare for the exception.
        .allow_blocking_current_thread(true);
    sockets::deny(&mut wasi);
    let files = &space.capabilities.files;
    let scratch = match space.isolation {
        Isolation::Shared => {
            files.preopen(&mut wasi, &space.app)?;
            None
        }
        Isolation::Request => Some(files.preopen_fresh(&mut wasi, &space.app)?),
    };
    Ok((wasi.build(), scratch))
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl FilesView for GuestState {
    fn files(&self) -> &Arc<SpaceFiles> {
        &self.space.capabilities.files
    }

    fn hold_listings(&mut self, bytes: u64) -> bool {
        self.limiter.hold_listings(bytes)
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}
