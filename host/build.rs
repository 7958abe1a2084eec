//! Finds the components that are embedded in the program.

#![expect(clippy::disallowed_methods, reason = "a build script is given its input in the environment")]

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=SPACEPORT_GUESTS");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let guests = env::var_os("SPACEPORT_GUESTS").map_or_else(|| manifest.join("../target/guests"), PathBuf::from);
    let static_site = guests.join("static-site.wasm");
    println!("cargo::rerun-if-changed={}", static_site.display());
    assert!(
        static_site.exists(),
        "{} is missing: build the components with `cargo xtask guests`",
        static_site.display()
    );
    println!("cargo::rustc-env=SPACEPORT_STATIC_SITE={}", static_site.display());
}
