//! From what wasmtime reports to what went wrong, in the words of the error contract.

use spaceport_core::fault::Fault;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::limiter::Shortage;
use crate::pool::control::End;
use crate::pool::shared::SpaceShared;
use crate::state::GuestState;

/// Lines of a backtrace that the log shows: the innermost say where it happened.
const LINES: usize = 16;
/// Characters of a reason.
const REASON: usize = 200;

/// Reasons of ours, carried through wasmtime's error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The instance had to go.
    #[error("ended by the host: {0:?}")]
    ByHost(End),
    /// No memory to start an instance.
    #[error("no memory for an instance")]
    NoMemory(Shortage),
    /// The Space has as many instances as it may.
    #[error("the Space has as many instances as it may")]
    Full,
    /// This host could not give an instance what it needs.
    #[error("this host cannot start an instance: {0}")]
    Host(String),
    /// The app did not start in time.
    #[error("the app did not start in time")]
    TooSlow,
}

/// What an instance that did not start could not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// Memory.
    Memory(Shortage),
    /// A slot of the node's pool.
    Slot,
    /// One more instance beside the Space's others.
    Instance,
}

/// Why an instance did not start: for want of something that may come free, or for good.
pub(crate) fn of_start(error: &Error, space: &SpaceShared) -> Result<Shortfall, Fault> {
    match error.downcast_ref::<Ended>() {
        Some(Ended::NoMemory(shortage)) => return Ok(Shortfall::Memory(*shortage)),
        Some(Ended::Full) => return Ok(Shortfall::Instance),
        Some(Ended::Host(_)) => return Err(Fault::NodeOverloaded),
        Some(Ended::TooSlow) => return Err(Fault::GuestDeadline(space.limits.cold_start)),
        Some(Ended::ByHost(end)) => return Err(of_end(*end, space.limits.first_byte)),
        None => {}
    }
    match error.downcast_ref::<Trap>() {
        _ if error.is::<PoolConcurrencyLimitError>() => Ok(Shortfall::Slot),
        Some(Trap::OutOfFuel) => Err(Fault::GuestFuelExceeded(space.request_fuel)),
        _ => Err(Fault::GuestTrap(reason(error))),
    }
}

/// Why an instance's store ended, for its requests.
pub(crate) fn of_store(error: &Error, state: &GuestState) -> Fault {
    if let Some(Ended::ByHost(end)) = error.downcast_ref() {
        return of_end(*end, state.space.limits.first_byte);
    }
    match (error.downcast_ref::<Trap>(), state.shortage()) {
        (Some(Trap::OutOfFuel), _) => Fault::GuestFuelExceeded(state.space.request_fuel),
        (_, Some(Shortage::Space)) => Fault::GuestMemoryExceeded,
        (_, Some(Shortage::Node)) => Fault::NodeOverloaded,
        // One more stack for a concurrent call, say.
        _ if error.is::<PoolConcurrencyLimitError>() => Fault::NodeOverloaded,
        _ => Fault::GuestTrap(reason(error)),
    }
}

/// Why requests end with an instance that the host ended.
pub(crate) fn of_end(end: End, first_byte: std::time::Duration) -> Fault {
    match end {
        End::Stopped | End::Idle => Fault::Stopped,
        End::Deadline | End::Abandoned => Fault::GuestDeadline(first_byte),
    }
}

/// The innermost cause, in a line.
pub(crate) fn reason(error: &Error) -> String {
    let cause = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let line = cause.lines().next().unwrap_or_default();
    line.strip_prefix("wasm trap: ").unwrap_or(line).chars().take(REASON).collect()
}

/// Where in the guest it happened, for its owner; empty if unknown.
pub(crate) fn frames(error: &Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let text = backtrace.to_string();
    text.lines().take(LINES).fold(String::new(), |all, line| all + "\n" + line)
}
