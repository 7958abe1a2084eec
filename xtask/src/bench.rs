//! `cargo xtask bench`: gets the peers, then runs the benchmark program.

use crate::packages;
use crate::progress::step;
use crate::test::PYTHON_CLIENTS;
use crate::workspace::{Workspace, run_program};

/// The peer's version: the runtime that the host itself is built on.
const WASMTIME_CLI: &str = "48.0.8";

/// How the names of those benchmarks begin that have a peer.
const WITH_PEER: &str = "hello";
/// The name of the one that needs a container engine.
const WITH_CONTAINERS: &str = "containers";
/// Builds the program that fills a host's data directory.
const POPULATE: [&str; 7] =
    ["build", "--release", "--quiet", "--package", "spaceport-control", "--example", "populate"];

/// Runs the benchmarks; arguments go to the program.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    step("build the components", || crate::guests::build(&workspace, &["git", "git-lfs", "gcc", "wrk"]).map(drop))?;
    step("build the host", || workspace.build_host())?;
    if asks_for(args, WITH_CONTAINERS) {
        step("get a container engine", || crate::containers::ensure(&workspace).map(drop))?;
    }
    let clients = step("install the client", || packages::python_venv(&workspace, "clients", &PYTHON_CLIENTS))?;
    step("build what makes many Spaces", || run_program(workspace.cargo().args(POPULATE)))?;
    let tools = workspace.target.join("tools");
    if asks_for(args, WITH_PEER) && !tools.join("bin/wasmtime").exists() {
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
    cargo.env("SPACEPORT_TOOLS", tools.join("bin")).env("SPACEPORT_CLIENTS", clients);
    cargo.env("SPACEPORT_POPULATE", workspace.target.join("release/examples/populate"));
    run_program(&mut cargo)
}

/// Whether any of the benchmarks whose names begin so is asked for. What they need may take long to get.
fn asks_for(args: &[String], name: &str) -> bool {
    let only = args.iter().position(|arg| arg == "--only").and_then(|at| args.get(at + 1));
    only.is_none_or(|only| name.starts_with(only.as_str()) || only.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_benchmark_needs_is_got_for_that_one() {
        let asks_for =
            |args: &[&str], name| asks_for(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), name);
        let asks = |args: &[&str]| asks_for(args, WITH_PEER);
        assert!(asks_for(&[], WITH_CONTAINERS) && asks_for(&["--only", "containers"], WITH_CONTAINERS));
        assert!(!asks_for(&["--only", "wake"], WITH_CONTAINERS));
        assert!(asks(&[]) && asks(&["--only", "hello-0.3"]) && asks(&["--json", "f", "--only", "h"]));
        assert!(!asks(&["--only", "many"]) && !asks(&["--only", "rollback-static", "--json", "f"]));
    }
}
