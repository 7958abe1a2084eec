//! Builds every component: the host's own, the demo Spaces, the test guests. Each is built again only when its sources or the
//! toolchain changed.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::packages;
use crate::progress::{say, step};
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{Workspace, output, run_program};

/// Demo Spaces in Rust, and the component each becomes.
const RUST_DEMOS: [&str; 3] = ["rust-guestbook", "rust-stream", "fetch"];
/// Demo Spaces that are pushed as they are.
const STATIC_DEMOS: [&str; 1] = ["static-hello"];
/// The demo Space in Python.
const PYTHON_DEMO: &str = "python-hello";
/// What makes a component of Python.
const COMPONENTIZE: [&str; 1] = ["componentize-py==0.25.1"];
/// The world of an app in wasi:http 0.2.
const PYTHON_WORLD: &str = "wasi:http/proxy@0.2.12";
/// Crates that the guest crates use, so that a change of theirs builds all again.
const SHARED: [&str; 2] = ["guest-sdk", "wit"];
/// Guest crates with tests of their own, which run on the build machine.
const TESTED: [&str; 3] = ["guest-sdk", "plugins/static-site", "plugins/scanner"];
/// Components that the host embeds.
const EMBEDDED: [&str; 2] = ["static-site", "scanner"];

/// What building components needs of the system, whatever the toolchain: one of them is in Python.
const SYSTEM: [&str; 1] = ["python3-venv"];

/// Builds what is out of date; returns the folder. `system` names packages that whoever calls needs as well.
pub(crate) fn build(workspace: &Workspace, system: &[&str]) -> anyhow::Result<PathBuf> {
    let out = workspace.guests();
    fs::create_dir_all(out.join("test"))?;
    let toolchain = Toolchain::find(workspace, &[&SYSTEM, system].concat())?;
    let identity = toolchain.identity()?;
    let builder = Builder { workspace, toolchain, identity, out };
    for name in EMBEDDED {
        builder.embedded(name)?;
    }
    builder.test_guests()?;
    for name in RUST_DEMOS {
        builder.rust_demo(name)?;
    }
    for name in STATIC_DEMOS {
        builder.copy_demo(name)?;
    }
    builder.python_demo()?;
    Ok(builder.out)
}

/// Checks the guest crates and runs their tests on the build machine.
pub(crate) fn test(workspace: &Workspace) -> anyhow::Result<()> {
    for folder in crates() {
        check(workspace, &folder, &["fmt", "--check"])?;
    }
    for folder in TESTED {
        check(workspace, folder, &["clippy", "--quiet", "--all-targets", "--", "--deny", "warnings"])?;
        check(workspace, folder, &["test", "--quiet"])?;
    }
    Ok(())
}

/// Lints all guest crates as they are built: for wasm, whose code the build machine's own target leaves out.
pub(crate) fn lint(workspace: &Workspace) -> anyhow::Result<()> {
    let toolchain = Toolchain::find(workspace, &[])?;
    if !toolchain.has_clippy() {
        say("    the code for wasm is not linted: this machine's compiler for it comes without clippy");
        return Ok(());
    }
    for folder in crates() {
        let target = workspace.target.join("guest-build");
        let mut clippy = toolchain.cargo("clippy", &workspace.root.join(&folder), &target);
        // The tests' guests are examples; unit tests run on the build machine and are linted there.
        clippy.args(["--lib", "--examples", "--", "--deny", "warnings"]);
        run_program(&mut clippy)?;
    }
    Ok(())
}

/// The folders of all guest crates, each a workspace of its own.
pub(crate) fn crates() -> Vec<String> {
    let demos = RUST_DEMOS.iter().map(|name| format!("plugins/demos/{name}"));
    TESTED.iter().chain(&["tests/guests"]).map(|folder| (*folder).to_owned()).chain(demos).collect()
}

fn check(workspace: &Workspace, folder: &str, args: &[&str]) -> anyhow::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(args).current_dir(workspace.root.join(folder));
    run_program(cargo.env("CARGO_TARGET_DIR", workspace.target.join("guest-tests")))
}

struct Builder<'a> {
    workspace: &'a Workspace,
    toolchain: Toolchain,
    identity: String,
    out: PathBuf,
}

impl Builder<'_> {
    fn embedded(&self, name: &str) -> anyhow::Result<()> {
        let component = self.out.join(name).with_extension("wasm");
        let folder = format!("plugins/{name}");
        self.unless_current(name, &[&folder], std::slice::from_ref(&component), || {
            let built = self.cargo(&folder, &[])?;
            copy(&built.join(format!("spaceport_{}.wasm", name.replace('-', "_"))), &component)
        })
    }

    fn test_guests(&self) -> anyhow::Result<()> {
        let mut components = Vec::new();
        for entry in fs::read_dir(self.workspace.root.join("tests/guests/examples"))? {
            let source = entry?.path();
            let name = source.file_stem().context("name a test guest")?;
            components.push(self.out.join("test").join(name).with_extension("wasm"));
        }
        self.unless_current("test-guests", &["tests/guests"], &components, || {
            let built = self.cargo("tests/guests", &["--examples"])?.join("examples");
            for component in &components {
                copy(&built.join(component.file_name().context("name a test guest")?), component)?;
            }
            Ok(())
        })
    }

    fn rust_demo(&self, name: &str) -> anyhow::Result<()> {
        let folder = format!("plugins/demos/{name}");
        let component = self.demo(name).join("app.wasm");
        self.unless_current(name, &[&folder], std::slice::from_ref(&component), || {
            let built = self.cargo(&folder, &[])?;
            self.copy_sources(name)?;
            copy(&built.join(format!("{}.wasm", name.replace('-', "_"))), &component)
        })
    }

    fn copy_demo(&self, name: &str) -> anyhow::Result<()> {
        let readme = self.demo(name).join("README.md");
        self.unless_current(name, &[&format!("plugins/demos/{name}")], &[readme], || self.copy_sources(name).map(drop))
    }

    fn python_demo(&self) -> anyhow::Result<()> {
        let component = self.demo(PYTHON_DEMO).join("app.wasm");
        self.unless_current(PYTHON_DEMO, &[&format!("plugins/demos/{PYTHON_DEMO}")], &[component], || {
            let venv = packages::python_venv(self.workspace, "componentize", &COMPONENTIZE)?;
            let place = self.copy_sources(PYTHON_DEMO)?;
            let mut componentize = Command::new(venv.join("bin/componentize-py"));
            componentize.current_dir(&place).arg("--wit-path").arg(self.workspace.root.join("wit/sdk"));
            componentize.args(["--world", PYTHON_WORLD, "componentize", "app", "--output", "app.wasm"]);
            output(&mut componentize)?;
            // Left behind by the interpreter that ran for the component.
            let compiled = place.join("__pycache__");
            if compiled.exists() {
                fs::remove_dir_all(compiled)?;
            }
            Ok(())
        })
    }

    /// Builds a guest crate; the folder of what came out.
    fn cargo(&self, folder: &str, args: &[&str]) -> anyhow::Result<PathBuf> {
        let target = self.workspace.target.join("guest-build");
        let mut cargo = self.toolchain.cargo("build", &self.workspace.root.join(folder), &target);
        run_program(cargo.args(args))?;
        Ok(target.join(TARGET).join("release"))
    }

    /// A demo's folder as it is pushed: its sources without what building them leaves behind.
    fn copy_sources(&self, name: &str) -> anyhow::Result<PathBuf> {
        let place = self.demo(name);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        let folder = self.workspace.root.join("plugins/demos").join(name);
        for file in files(&folder)? {
            let relative = file.strip_prefix(&folder)?;
            copy(&file, &place.join(relative))?;
        }
        Ok(place)
    }

    /// Where a demo goes.
    fn demo(&self, name: &str) -> PathBuf {
        self.out.join("demos").join(name)
    }

    /// Does the work unless what it makes is there and these folders and the toolchain are as they were then.
    fn unless_current(
        &self,
        name: &str,
        folders: &[&str],
        made: &[PathBuf],
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mark = self.out.join(format!("{name}.stamp"));
        let stamp = self.stamp(folders)?;
        let is_same = fs::read_to_string(&mark).is_ok_and(|old| old == stamp);
        if is_same && made.iter().all(|file| file.exists()) {
            return Ok(());
        }
        step(&format!("component {name}"), work)?;
        fs::write(mark, stamp).context("note what was built")
    }

    fn stamp(&self, folders: &[&str]) -> anyhow::Result<String> {
        let mut hasher = DefaultHasher::new();
        self.identity.hash(&mut hasher);
        for folder in folders.iter().chain(&SHARED) {
            for file in files(&self.workspace.root.join(folder))? {
                file.hash(&mut hasher);
                fs::read(&file)?.hash(&mut hasher);
            }
        }
        Ok(format!("{:016x}", hasher.finish()))
    }
}

/// Every file below a folder that is not built, in a stable order.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if !path.is_dir() {
                found.push(path);
            } else if path.file_name().is_some_and(|name| name != "target") {
                pending.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Says what there is.
pub(crate) fn list(folder: &Path) {
    say(&format!("components are in {}", folder.display()));
}
