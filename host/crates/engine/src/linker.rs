//! What a guest may import, put together once per engine.
//!
//! Two linkers: apps get WASI 0.2 and 0.3, wasi:http of both and `spaceport:app`; plugins that serve an `sdk:` kind get
//! `spaceport:sdk` in place of the last, so that an app that imports it is refused by name.

mod app;
mod sdk;

use wasmtime::component::Linker;
use wasmtime::{Engine, Error};

use crate::cap::{files, sockets};
use crate::state::GuestState;

/// The linkers of an engine.
pub(crate) struct Linkers {
    /// For app Spaces.
    pub(crate) app: Linker<GuestState>,
    /// For plugins.
    pub(crate) sdk: Linker<GuestState>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> Result<Self, Error> {
        let mut app = wasi(engine)?;
        let mut sdk = app.clone();
        app::add_to_linker(&mut app)?;
        sdk::add_to_linker(&mut sdk)?;
        Ok(Self { app, sdk })
    }
}

fn wasi(engine: &Engine) -> Result<Linker<GuestState>, Error> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    // In the place of what was linked above.
    files::add_to_linker(&mut linker)?;
    sockets::add_to_linker(&mut linker)?;
    Ok(linker)
}
