//! Finds the components that are embedded in the program.

#![expect(clippy::disallowed_methods, reason = "a build script is given its input in the environment")]

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=SPACEPORT_GUESTS");
    let guests = PathBuf::from(env::var_os("SPACEPORT_GUESTS").expect("cargo sets it, see .cargo/config.toml"));
    let static_site = guests.join("static-site.wasm");
    println!("cargo::rerun-if-changed={}", static_site.display());
    assert!(
        static_site.exists(),
        "{} is missing: build the components with `cargo xtask guests`",
        static_site.display()
    );
    println!("cargo::rustc-env=SPACEPORT_STATIC_SITE={}", static_site.display());
}
