//! `cargo xtask test`: gets what the tests need, then runs every check and test there is.

use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;

use crate::packages;
use crate::progress::{say, step};
use crate::workspace::{HOST, Workspace, run_program};

/// Clients of the Hub, exactly as their users install them: the newest, with a client of OpenID providers, and an older one
/// with the client of Gradio apps, which does not go with the newest.
pub(crate) const PYTHON_CLIENTS: [&str; 3] = ["huggingface_hub==2.4.0", "authlib==1.9.10", "requests==2.34.2"];
const OLDER_PYTHON_CLIENTS: [&str; 2] = ["huggingface_hub==0.34.6", "gradio_client==2.7.1"];
/// What reads the document of the API and asks for all that is in it.
const OPENAPI_TOOLS: [&str; 2] = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"];
/// axe-core, which checks pages, as Python's package index has it: as one script, beside what drives a browser that is not
/// used here, hence without that.
const AXE: [&str; 2] = ["--no-deps", "axe-playwright-python==0.1.8"];
/// What the tests need of the system: git and a compiler, a browser with the program that drives it, and an answer where
/// names below `localhost` lead, which clients in Python ask the system for.
pub(crate) const SYSTEM: [&str; 7] =
    ["git", "git-lfs", "openssh-client", "gcc", packages::NAMES_BELOW_LOCALHOST, "chromium", "chromium-driver"];

/// Runs everything, or with arguments only the tests they select.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    step("build the components", || crate::guests::build(&workspace, &SYSTEM).map(drop))?;
    step("build the host and the tests", || workspace.build_tests())?;
    let python = step("install the clients", || Python::install(&workspace))?;
    let has_containers = step("get a container engine", || crate::containers::ensure(&workspace))?;
    if args.is_empty() {
        step("check the format", || run_cargo(&workspace, &["fmt", "--all", "--check"]))?;
        step("lint", || lint(&workspace))?;
        step("lint the guest crates", || crate::guests::lint(&workspace))?;
        step("check the dependencies", || crate::deny::check(&workspace))?;
        step("check the documentation", || document(&workspace))?;
        step("check the host as it is shipped", || check_shipped(&workspace))?;
        step("test the examples in the documentation", || test_examples(&workspace))?;
        step("test the guest crates", || crate::guests::test(&workspace))?;
    }
    step("test", || test(&workspace, &python, has_containers, args))
}

/// The environments that the clients are in.
struct Python {
    newest: PathBuf,
    older: PathBuf,
    openapi: PathBuf,
    axe: PathBuf,
}

impl Python {
    fn install(workspace: &Workspace) -> anyhow::Result<Self> {
        let newest = packages::python_venv(workspace, "clients", &PYTHON_CLIENTS)?;
        let older = packages::python_venv(workspace, "older-clients", &OLDER_PYTHON_CLIENTS)?;
        let openapi = packages::python_venv(workspace, "openapi", &OPENAPI_TOOLS)?;
        let axe = packages::python_venv(workspace, "axe", &AXE)?;
        Ok(Self { newest, older, openapi, axe })
    }
}

/// Flags of that check. Comments are read here with the private items that they lead to.
const DOCUMENT: &str = "--deny warnings --allow rustdoc::private_intra_doc_links";

/// Links and markup of all comments, private ones too: those are read most.
fn document(workspace: &Workspace) -> anyhow::Result<()> {
    let mut doc = workspace.cargo();
    doc.args(["doc", "--release", "--quiet", "--no-deps", "--document-private-items", "--workspace"]);
    run_program(with_guests(doc.env("RUSTDOCFLAGS", DOCUMENT), workspace))
}

/// The tests' host has features of its dependencies that the tests alone ask for; it is to compile without them.
fn check_shipped(workspace: &Workspace) -> anyhow::Result<()> {
    let mut check = workspace.cargo();
    check.args(["check", "--release", "--quiet"]).args(HOST);
    run_program(with_guests(&mut check, workspace))
}

/// Those that the runner of the tests leaves out.
fn test_examples(workspace: &Workspace) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--quiet", "--doc", "--workspace"]);
    run_program(with_guests(&mut cargo, workspace))
}

fn lint(workspace: &Workspace) -> anyhow::Result<()> {
    let mut clippy = workspace.cargo();
    clippy.args(["clippy", "--release", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]);
    run_program(with_guests(&mut clippy, workspace))
}

/// Tests that need what not every machine gives: how cargo-nextest leaves them out, and by which word of theirs `cargo test` does.
const BAD_DISKS: (&str, &str) = ("binary(e2e) & test(/^bad_disk::/)", "bad_disk::");
const CONTAINERS: (&str, &str) = ("package(spaceport-container) | binary(e2e) & test(/^containers::/)", "containers::");

fn test(workspace: &Workspace, python: &Python, has_containers: bool, args: &[String]) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo();
    let mut left_out = Vec::new();
    // Whoever says which tests gets those.
    if args.is_empty() {
        if !can_mount() {
            say(
                "    left out: tests of full, hanging and forgetful disks, since this machine allows no mounts (run as root).",
            );
            left_out.push(BAD_DISKS);
        }
        if !has_containers {
            left_out.push(CONTAINERS);
        }
    }
    if has_nextest(workspace) {
        let threads = available_parallelism().map_or(1, usize::from);
        let threads = threads + threads.div_ceil(2);
        cargo.args(["nextest", "run", "--cargo-profile", "release", "--workspace", "--no-fail-fast", "--test-threads"]);
        // Most tests wait, for a process, a timer or a page: half as many more than there are processors keep those busy.
        cargo.arg(threads.to_string());
        let filters: Vec<String> = left_out.iter().map(|(filter, _)| format!("not ({filter})")).collect();
        if !filters.is_empty() {
            cargo.args(["--filterset", &filters.join(" & ")]);
        }
    } else {
        say("cargo-nextest is not installed; `cargo test` does the same, with less parallelism and shorter reports.");
        cargo.args(["test", "--release", "--workspace", "--no-fail-fast"]);
        if !left_out.is_empty() {
            cargo.args(left_out.iter().fold(vec!["--"], |words, (_, word)| [words, vec!["--skip", word]].concat()));
        }
    }
    cargo.args(args).env("SPACEPORT_BIN", workspace.spaceport());
    cargo.env("SPACEPORT_CLIENTS", &python.newest).env("SPACEPORT_OLDER_CLIENTS", &python.older);
    cargo.env("SPACEPORT_OPENAPI", &python.openapi).env("SPACEPORT_AXE", &python.axe);
    // What was installed is not to be missing.
    cargo.env("SPACEPORT_NEEDS_BROWSER", "1");
    if has_containers {
        cargo.env("SPACEPORT_NEEDS_DOCKER", "1").env("SPACEPORT_BASE_IMAGE", crate::containers::BASE_IMAGE);
    }
    run_program(with_guests(&mut cargo, workspace))
}

/// Mounts a file system on a file, as those tests do: where only this command sees it.
const MOUNT: &str = "file=$(mktemp) && truncate -s 8M $file && mkfs.ext4 -q -F $file && \
                     unshare --mount mount -o loop $file /mnt; status=$?; rm -f $file; exit $status";

fn can_mount() -> bool {
    Command::new("sh").args(["-c", MOUNT]).output().is_ok_and(|output| output.status.success())
}

fn with_guests<'a>(cargo: &'a mut Command, workspace: &Workspace) -> &'a mut Command {
    cargo.env("SPACEPORT_GUESTS", workspace.guests())
}

fn run_cargo(workspace: &Workspace, args: &[&str]) -> anyhow::Result<()> {
    run_program(workspace.cargo().args(args))
}

fn has_nextest(workspace: &Workspace) -> bool {
    let mut probe = workspace.cargo();
    probe.args(["nextest", "--version"]);
    probe.output().is_ok_and(|output| output.status.success())
}
