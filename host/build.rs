//! Finds the components that are embedded in the program.

#![expect(clippy::disallowed_methods, reason = "a build script is given its input in the environment")]

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=SPACEPORT_GUESTS");
    let guests = PathBuf::from(env::var_os("SPACEPORT_GUESTS").expect("cargo sets it, see .cargo/config.toml"));
    for (file, variable) in [("static-site.wasm", "SPACEPORT_STATIC_SITE"), ("scanner.wasm", "SPACEPORT_SCANNER")] {
        let component = guests.join(file);
        println!("cargo::rerun-if-changed={}", component.display());
        assert!(
            component.exists(),
            "{} is missing: build the components with `cargo xtask guests`",
            component.display()
        );
        println!("cargo::rustc-env={variable}={}", component.display());
    }
}
