//! Where things are, and running programs there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The checkout and its target folder.
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment puts it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace this program was built from.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("find the workspace")?.to_owned();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => root.join(target),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The host's program.
    pub(crate) fn spaceport(&self) -> PathBuf {
        self.target.join("release/spaceport")
    }

    /// The built components.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// `cargo` in the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// Builds the host as `target/release/spaceport`.
    pub(crate) fn build_host(&self) -> anyhow::Result<()> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--release", "--package", "spaceport"]);
        cargo.env("SPACEPORT_GUESTS", self.guests());
        run_program(&mut cargo)
    }
}

/// Runs a program and fails if it fails.
pub(crate) fn run_program(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("run {}", show(command)))?;
    if status.success() { Ok(()) } else { bail!("{} ended with {status}", show(command)) }
}

/// Runs a program and returns what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("run {}", show(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}: {}", show(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what {} printed", show(command)))
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
