//! `wasi:sockets`: there, because common toolchains import it, and refused in every call.
//!
//! Whatever a guest could do with a socket begins by creating one or by looking up a name, and both answer
//! `access-denied`. The network of a Space is outgoing HTTP, in [`super::http_out`].

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::ResolveAddressStream;
use wasmtime_wasi::p2::bindings::sockets::network as p2;
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup as p3;
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress;
use wasmtime_wasi::{WasiCtxBuilder, WasiView};

use super::shadow::Shadow;

/// Refuses TCP, UDP, names and addresses to a guest.
pub fn deny(wasi: &mut WasiCtxBuilder) {
    wasi.allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .socket_addr_check(|_, _| Box::pin(async { false }));
}

/// Makes looking up a name answer as everything else does: the library calls a forbidden lookup a broken resolver, and
/// programs try again for as long as they believe that. For a linker that has 0.2 and 0.3.
pub fn add_to_linker<T: WasiView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    Shadow::of(linker, "wasi:sockets/ip-name-lookup@0.2.12").sync(
        "resolve-addresses",
        |_, (_network, _name): (Resource<p2::Network>, String)| {
            Ok((Err::<Resource<ResolveAddressStream>, _>(p2::ErrorCode::AccessDenied),))
        },
    )?;
    Shadow::of(linker, "wasi:sockets/ip-name-lookup@0.3.0").concurrent("resolve-addresses", |_, (_name,): (String,)| {
        Box::pin(async { Ok((Err::<Vec<IpAddress>, _>(p3::ErrorCode::AccessDenied),)) })
    })
}
