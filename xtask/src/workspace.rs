//! Where things are, and running programs there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// What the host is: its program, and that of its container backend.
pub(crate) const HOST: [&str; 4] = ["--package", "spaceport", "--package", "spaceport-container"];

/// The checkout and its target folder.
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment puts it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace this program was started from: not always the one it was built from, since checkouts that share a
    /// target folder share the program.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).parent().context("find the workspace")?.to_owned();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => root.join(target),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The host's program: where people look for it, whatever cargo's target folder.
    pub(crate) fn spaceport(&self) -> PathBuf {
        self.root.join("target/release/spaceport")
    }

    /// The program of the container backend, which the host looks for beside its own.
    pub(crate) fn container(&self) -> PathBuf {
        self.root.join("target/release/spaceport-container")
    }

    /// The built components: where `.cargo/config.toml`, or whoever went before it, says.
    pub(crate) fn guests(&self) -> PathBuf {
        let told = std::env::var_os("SPACEPORT_GUESTS").map_or_else(|| "target/guests".into(), PathBuf::from);
        self.root.join(told)
    }

    /// `cargo` in the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// Builds the host with its container backend, and leaves them at `target/release/spaceport` and beside it.
    pub(crate) fn build_host(&self) -> anyhow::Result<()> {
        self.build(&HOST)
    }

    /// The same with every test. Dependencies are compiled once, with what the tests want of them as well (tokio's clock that
    /// can be stopped); the host alone would need most of them a second time, without that.
    pub(crate) fn build_tests(&self) -> anyhow::Result<()> {
        self.build(&["--workspace", "--bins", "--tests"])
    }

    fn build(&self, what: &[&str]) -> anyhow::Result<()> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--release"]).args(what).env("SPACEPORT_GUESTS", self.guests());
        run_program(&mut cargo)?;
        put(&self.target.join("release/spaceport-container"), &self.container())?;
        put(&self.target.join("release/spaceport"), &self.spaceport())
    }
}

/// Makes `place` the same file as `built`, or a copy of it, at one stroke: a host that runs from there goes on.
fn put(built: &Path, place: &Path) -> anyhow::Result<()> {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    let source = identity(built).with_context(|| format!("find {}", built.display()))?;
    if identity(place).is_ok_and(|there| there == source) {
        return Ok(());
    }
    let aside = place.with_extension("part");
    let put = || -> std::io::Result<()> {
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        let _ = fs::remove_file(&aside);
        fs::hard_link(built, &aside).or_else(|_| fs::copy(built, &aside).map(drop))?;
        fs::rename(&aside, place)
    };
    put().with_context(|| format!("put the program at {}", place.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_put_where_people_look_for_it() {
        let dir = tempfile::TempDir::new().unwrap();
        let (built, place) = (dir.path().join("elsewhere"), dir.path().join("target/release/spaceport"));
        assert!(put(&built, &place).is_err(), "there is nothing to put");
        for content in ["one", "one", "two"] {
            // As cargo does it: a new file each time.
            let _ = fs::remove_file(&built);
            fs::write(&built, content).unwrap();
            for _ in 0..2 {
                put(&built, &place).unwrap();
                assert_eq!(fs::read_to_string(&place).unwrap(), content);
            }
        }
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        put(&place, &place).unwrap();
    }
}
