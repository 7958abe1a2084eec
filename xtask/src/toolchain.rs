//! The compiler for guests: `wasm32-wasip2` from rustup where it is or can be added, else from packages.
//!
//! Without rustup's target the same one is built from parts: Debian's rustc with the sources of its library, lld, and the
//! WASI C library that comes with zig (Debian's own is too old). Both ways give the same components.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::packages;
use crate::progress::say;
use crate::workspace::{Workspace, output, run_program};

/// The target.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// Set to `packages` to leave rustup's target aside, as on a machine that has none.
const CHOICE: &str = "SPACEPORT_GUEST_TOOLCHAIN";
/// What the second way needs from Debian.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
/// What it needs from Python's package index: a zig that carries a current WASI C library.
const ZIG: [&str; 1] = ["ziglang==0.17.1"];
/// Archives of that C library, in the order the linker needs them.
const ARCHIVES: [&str; 3] = ["libc.a", "libzigc.a", "libcompiler_rt.a"];

/// A way to compile guests.
pub(crate) enum Toolchain {
    /// The target is installed in rustup's toolchain.
    Rustup,
    /// Debian's compiler, with the C library in this folder.
    Packages {
        /// The folder of the archives.
        libraries: PathBuf,
        /// The linker for components, which comes with rustc.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds or gets one. System packages that are needed anyhow are asked for together with its own, so that whoever
    /// has to install them is told once.
    pub(crate) fn find(workspace: &Workspace, system: &[&str]) -> anyhow::Result<Self> {
        if has_rustup_target(workspace) {
            packages::ensure(system)?;
            return Ok(Self::Rustup);
        }
        say(&format!("    rustup has no {TARGET} here; taking it from packages"));
        packages::ensure(&[system, &DEBIAN].concat())?;
        Ok(Self::Packages { libraries: c_library(workspace)?, linker: component_linker()? })
    }

    /// What tells its output from another toolchain's.
    pub(crate) fn identity(&self) -> anyhow::Result<String> {
        match self {
            Self::Rustup => output(Command::new("rustc").arg("-vV")),
            Self::Packages { .. } => output(Command::new("/usr/bin/rustc").arg("-vV")),
        }
    }

    /// Whether guests can be linted as they are built.
    pub(crate) fn has_clippy(&self) -> bool {
        matches!(self, Self::Rustup)
    }

    /// `cargo build`, or another word, for guests, without the arguments that say what.
    pub(crate) fn cargo(&self, word: &str, folder: &Path, target: &Path) -> Command {
        let mut cargo = match self {
            Self::Rustup => Command::new("cargo"),
            Self::Packages { .. } => Command::new("/usr/bin/cargo"),
        };
        cargo.current_dir(folder).args([word, "--quiet", "--release", "--target", TARGET]);
        // The environment of the cargo that runs us is not the one for guests.
        for name in ["RUSTFLAGS", "CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_ENCODED_RUSTFLAGS"] {
            cargo.env_remove(name);
        }
        cargo.env("CARGO_TARGET_DIR", target);
        if let Self::Packages { libraries, linker } = self {
            let lib = libraries.display();
            let archives: String = ARCHIVES.iter().map(|archive| format!(" -Clink-arg={lib}/{archive}")).collect();
            let flags =
                format!("-Clink-self-contained=no -L{lib} -Clink-arg=--wasm-ld-path=/usr/bin/wasm-ld-19{archives}");
            let path = std::env::var("PATH").unwrap_or_default();
            cargo
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("PATH", format!("/usr/bin:{path}"))
                .env("CARGO_TARGET_WASM32_WASIP2_LINKER", linker)
                .env("RUSTFLAGS", flags);
        }
        cargo
    }
}

fn has_rustup_target(workspace: &Workspace) -> bool {
    if std::env::var(CHOICE).is_ok_and(|choice| choice == "packages") {
        return false;
    }
    // Where packages had to do once, rustup is not asked again: without a network it takes long to say no.
    let was_refused = has_c_library(&c_library_folder(workspace));
    is_installed() || (!was_refused && add_target())
}

fn is_installed() -> bool {
    let list = Command::new("rustup").args(["target", "list", "--installed"]).stderr(Stdio::null()).output();
    list.is_ok_and(|list| String::from_utf8_lossy(&list.stdout).lines().any(|line| line.trim() == TARGET))
}

fn add_target() -> bool {
    let add =
        Command::new("rustup").args(["target", "add", TARGET]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    add.is_ok_and(|status| status.success()) && is_installed()
}

/// The archives of the C library, out of the cache that zig fills when it compiles anything for WASI.
fn c_library(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = c_library_folder(workspace);
    if has_c_library(&folder) {
        return Ok(folder);
    }
    let venv = packages::python_venv(workspace, "zig", &ZIG)?;
    std::fs::create_dir_all(&folder)?;
    let (cache, source) = (folder.join("zig-cache"), folder.join("empty.c"));
    std::fs::write(&source, "int main(void) { return 0; }\n")?;
    let mut zig = Command::new(venv.join("bin/python"));
    zig.args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2", "-o"])
        .arg(folder.join("empty.wasm"))
        .arg(&source);
    zig.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
    run_program(&mut zig)?;
    for archive in ARCHIVES {
        let found = find_file(&cache, archive).with_context(|| format!("find {archive} in zig's cache"))?;
        std::fs::copy(found, folder.join(archive))?;
    }
    Ok(folder)
}

fn c_library_folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("wasi-libc")
}

fn has_c_library(folder: &Path) -> bool {
    ARCHIVES.iter().all(|archive| folder.join(archive).exists())
}

fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { find_file(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}

/// The linker for components: beside Debian's rustc, or beside rustup's where Debian's comes without.
fn component_linker() -> anyhow::Result<PathBuf> {
    let places: Vec<PathBuf> =
        ["/usr/bin/rustc", "rustc"].iter().map(|rustc| component_linker_of(rustc)).collect::<anyhow::Result<_>>()?;
    match places.iter().find(|place| place.exists()) {
        Some(linker) => Ok(linker.clone()),
        None => {
            bail!("components cannot be linked: there is neither {} nor {}", places[0].display(), places[1].display())
        }
    }
}

fn component_linker_of(rustc: &str) -> anyhow::Result<PathBuf> {
    let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]))?;
    let host = output(Command::new(rustc).arg("-vV"))?;
    let triple = host.lines().find_map(|line| line.strip_prefix("host: ")).context("ask rustc for its host")?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("bin/wasm-component-ld"))
}
