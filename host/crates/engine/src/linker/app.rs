//! `spaceport:app`: the run log with levels, and facts about the Space.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Error, Result};

use crate::state::GuestState;
use bindings::spaceport::app::{log, space};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/app",
        world: "spaceport:app/app",
        imports: { default: trappable },
    });
}

/// Bytes of one log line; the log itself would cut it anyway.
const LINE: usize = 16 << 10;

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> Result<(), Error> {
    log::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut GuestState| state)?;
    space::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut GuestState| state)
}

impl log::Host for GuestState {
    fn emit(&mut self, level: log::Level, message: String) -> Result<()> {
        let level = match level {
            log::Level::Debug => "DEBUG",
            log::Level::Info => "INFO",
            log::Level::Warn => "WARN",
            log::Level::Error => "ERROR",
        };
        let end = message.floor_char_boundary(LINE);
        self.space.log.write(format!("{level} {}\n", message[..end].trim_end()).as_bytes());
        Ok(())
    }
}

impl space::Host for GuestState {
    fn describe(&mut self) -> Result<space::Facts> {
        let limits = &self.space.limits;
        Ok(space::Facts {
            id: self.space.label.clone(),
            revision: self.space.revision.clone(),
            vcpu: limits.vcpu,
            memory: limits.memory,
            storage: limits.storage,
        })
    }
}
