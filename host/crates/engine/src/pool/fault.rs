//! From what wasmtime reports to what went wrong, in the words of the error contract.

use spaceport_core::fault::Fault;
use wasmtime::{Error, Trap, WasmBacktrace};

use crate::limiter::Shortage;
use crate::pool::control::End;
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
    /// The instance did not start in time.
    #[error("the app did not start in time")]
    TooSlow,
}

/// Why an instance's store ended, for its requests.
pub(crate) fn of_store(error: &Error, state: &GuestState) -> Fault {
    if let Some(Ended::ByHost(end)) = error.downcast_ref() {
        return of_end(*end, state.space.limits.first_byte);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Fault::GuestFuelExceeded(state.space.request_fuel),
        _ if state.shortage().is_some() => Fault::GuestMemoryExceeded,
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
