//! `cargo xtask bench`: gets the peers, then runs the benchmark program.

use crate::packages;
use crate::progress::step;
use crate::test::PYTHON_CLIENTS;
use crate::workspace::{Workspace, run_program};

/// The peer's version: the runtime that the host itself is built on.
const WASMTIME_CLI: &str = "48.0.8";

/// How the names of those benchmarks begin that have a peer.
const WITH_PEER: &str = "hello";
/// Builds the program that fills a host's data directory.
const POPULATE: [&str; 7] =
    ["build", "--release", "--quiet", "--package", "spaceport-control", "--example", "populate"];

/// Runs the benchmarks; arguments go to the program.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    step("build the components", || crate::guests::build(&workspace, &["git", "git-lfs", "gcc", "wrk"]).map(drop))?;
    step("build the host", || workspace.build_host())?;
    step("get a container engine", || crate::containers::ensure(&workspace).map(drop))?;
    let clients = step("install the client", || packages::python_venv(&workspace, "clients", &PYTHON_CLIENTS))?;
    step("build what makes many Spaces", || run_program(workspace.cargo().args(POPULATE)))?;
    let tools = workspace.target.join("tools");
    if has_peer(args) && !tools.join("bin/wasmtime").exists() {
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

/// Whether any of the benchmarks asked for has a peer, which takes long to build.
fn has_peer(args: &[String]) -> bool {
    let only = args.iter().position(|arg| arg == "--only").and_then(|at| args.get(at + 1));
    only.is_none_or(|only| WITH_PEER.starts_with(only.as_str()) || only.starts_with(WITH_PEER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_is_built_for_benchmarks_that_have_one() {
        let asks = |args: &[&str]| has_peer(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert!(asks(&[]) && asks(&["--only", "hello-0.3"]) && asks(&["--json", "f", "--only", "h"]));
        assert!(!asks(&["--only", "many"]) && !asks(&["--only", "rollback-static", "--json", "f"]));
    }
}
