//! The compiled test guests.

use std::path::PathBuf;

/// Where `cargo xtask guests` puts components.
pub fn folder() -> PathBuf {
    std::env::var_os("SPACEPORT_GUESTS").expect("cargo sets it, see .cargo/config.toml").into()
}

/// The bytes of a test guest.
#[track_caller]
pub fn guest(name: &str) -> Vec<u8> {
    let path = folder().join("test").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests`", path.display()))
}

/// The folder of a demo Space, ready to be pushed.
pub fn demo(name: &str) -> PathBuf {
    folder().join("demos").join(name)
}
