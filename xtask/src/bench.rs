//! `cargo xtask bench`: gets the peers, then runs the benchmark program.

use crate::progress::step;
use crate::workspace::{Workspace, run_program};

/// The peer's version: the runtime that the host itself is built on.
const WASMTIME_CLI: &str = "48.0.8";

/// Runs the benchmarks; arguments go to the program.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    step("build the components", || crate::guests::build(&workspace, &["git", "gcc", "wrk"]).map(drop))?;
    step("build the host", || workspace.build_host())?;
    let tools = workspace.target.join("tools");
    if !tools.join("bin/wasmtime").exists() {
        step("build the peer: wasmtime serve", || {
            let mut cargo = workspace.cargo();
            cargo.args(["install", "wasmtime-cli", "--locked", "--version", WASMTIME_CLI, "--root"]).arg(&tools);
            cargo.env("CARGO_TARGET_DIR", workspace.target.join("tools-build"));
            run_program(&mut cargo)
        })?;
    }
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--release", "--quiet", "--package", "spaceport-tests", "--bin", "spaceport-bench", "--"]);
    cargo.args(args).env("SPACEPORT_GUESTS", workspace.guests()).env("SPACEPORT_BIN", workspace.spaceport());
    cargo.env("SPACEPORT_TOOLS", tools.join("bin"));
    run_program(&mut cargo)
}
