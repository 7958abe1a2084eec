//! The official clients, installed from the package index into an environment of their own, unmodified.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::TestHost;

/// Which of the environments.
#[derive(Debug, Clone, Copy)]
pub enum Clients {
    /// The newest official client.
    Newest,
    /// An older one that is still common, with the client of Gradio apps, which asks for one like it.
    Older,
    /// What reads and tries out the document of the API.
    OpenApi,
}

/// A program of the newest client's environment, such as `hf` or `python`.
#[track_caller]
pub fn program(host: &TestHost, name: &str) -> Command {
    program_of(Clients::Newest, host, name)
}

/// A program of one of the environments.
#[track_caller]
pub fn program_of(clients: Clients, host: &TestHost, name: &str) -> Command {
    let bin = environment(clients).join("bin");
    assert!(bin.join(name).exists(), "{} is missing; run `cargo xtask test`", bin.join(name).display());
    let mut command = Command::new(bin.join(name));
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", host.scratch())
        .env("HF_HOME", host.scratch().join("hf-home"))
        .env("HF_ENDPOINT", host.hub())
        .env("HF_TOKEN", host.token())
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("NO_COLOR", "1");
    command
}

/// The folder of an environment.
pub(crate) fn environment(clients: Clients) -> PathBuf {
    let (variable, folder) = match clients {
        Clients::Newest => ("SPACEPORT_CLIENTS", "clients"),
        Clients::Older => ("SPACEPORT_OLDER_CLIENTS", "older-clients"),
        Clients::OpenApi => ("SPACEPORT_OPENAPI", "openapi"),
    };
    let target = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/venv").join(folder);
    std::env::var_os(variable).map_or_else(target, PathBuf::from)
}

/// Runs `hf` with these arguments.
#[track_caller]
pub fn hf(host: &TestHost, args: &[&str]) -> Output {
    program(host, "hf").args(args).output().unwrap()
}

/// Runs `hf`, which must succeed; returns what it printed.
#[track_caller]
pub fn hf_ok(host: &TestHost, args: &[&str]) -> String {
    let output = hf(host, args);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "hf {args:?}\n{out}\n{}", String::from_utf8_lossy(&output.stderr));
    out
}
