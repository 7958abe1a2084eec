//! A container engine for the tests of the container backend, and an image for what they build.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::packages;
use crate::progress::{say, step};
use crate::workspace::{Workspace, run_program};

/// Debian's engine, and what the backend keeps its rules with and makes its base image with.
const PACKAGES: [&str; 4] = ["docker.io", "nftables", "iproute2", "debootstrap"];
/// Where the engine listens.
const SOCKET: &str = "/var/run/docker.sock";
/// How long an engine may take until it answers.
const START: Duration = Duration::from_secs(60);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(100);
/// The image that the tests' Spaces begin with.
pub(crate) const BASE_IMAGE: &str = "spaceport-base:bookworm";
/// What it has beside the backend's own list, for the builds of static Spaces.
const INCLUDED: &str = "nodejs";
/// Certificates that this machine trusts, as Debian has them.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whether the tests can have containers here: they need root, for the network rule.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<bool> {
    if !packages::is_root() {
        say("    left out: tests of Docker and Gradio Spaces, whose network rule needs root.");
        return Ok(false);
    }
    packages::ensure(&PACKAGES)?;
    if UnixStream::connect(SOCKET).is_err() {
        step("start the container engine", || start(&workspace.target.join("dockerd.log")))?;
    }
    let look = ["image", "inspect", BASE_IMAGE];
    let is_there = Command::new("docker").args(look).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !is_there.context("run docker")?.success() {
        step("make the base image of containers", || {
            let mut make = Command::new(workspace.container());
            make.args(["base-image", "--tag", BASE_IMAGE, "--include", INCLUDED]);
            if Path::new(CERTIFICATES).exists() {
                make.args(["--ca-bundle", CERTIFICATES]);
            }
            run_program(&mut make)
        })?;
    }
    Ok(true)
}

/// Starts it by itself, where no service manager has: it runs on when this has ended.
fn start(log: &Path) -> anyhow::Result<()> {
    let file = File::create(log).with_context(|| format!("make {}", log.display()))?;
    let mut engine = Command::new("dockerd");
    engine.stdin(Stdio::null()).stdout(file.try_clone().context("the log")?).stderr(file).process_group(0);
    let mut engine = engine.spawn().context("start dockerd")?;
    let began = Instant::now();
    while began.elapsed() < START {
        if UnixStream::connect(SOCKET).is_ok() {
            return Ok(());
        }
        if let Some(status) = engine.try_wait().context("look after dockerd")? {
            bail!("dockerd ended with {status}; its log is {}", log.display());
        }
        std::thread::sleep(POLL);
    }
    bail!("dockerd did not answer within {} seconds; its log is {}", START.as_secs(), log.display())
}
