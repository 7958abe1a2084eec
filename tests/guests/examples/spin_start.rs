//! Never ends its own initialisation, so there is no instance that could be called.

#![expect(unsafe_code, reason = "a component is initialised by what it exports under this name")]

use spaceport_guest::{Request, Response};

/// Called while the component is instantiated.
#[unsafe(export_name = "_initialize")]
extern "C" fn initialize() {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn handle(_: Request) -> Response {
    Response::text("started")
}

spaceport_guest::export!(handle);
