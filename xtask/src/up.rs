//! `cargo xtask up`: from a bare clone to a host with running demo Spaces.
//!
//! This process becomes the host (exec), so that signals and the terminal are the host's own; a helper started before
//! waits until the host answers, publishes the demo Spaces and prints their URLs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::packages;
use crate::progress::{say, step};
use crate::workspace::{Workspace, output, run_program};

/// Word behind which the helper runs; not for people.
pub(crate) const DEMOS: &str = "__up-demos";
/// Whose the demo Spaces are.
const ACCOUNT: &str = "demo";
/// The demo Spaces, in the order shown.
const SPACES: [&str; 5] = ["static-hello", "rust-guestbook", "rust-stream", "python-hello", "fetch"];
/// Demo Spaces that need a persistent disk.
const WITH_STORAGE: [&str; 1] = ["rust-guestbook"];
/// How long a host may take until it answers.
const START: Duration = Duration::from_secs(60);
/// How long a running host may take to say that it is well.
const ANSWER: Duration = Duration::from_secs(2);
/// Pause between two looks at the ready file.
const POLL: Duration = Duration::from_millis(20);

/// Where everything of the demo host is.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn new(workspace: &Workspace) -> Self {
        Self { dir: workspace.target.join("up") }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn ready(&self) -> PathBuf {
        self.dir.join("ready.json")
    }

    fn token(&self) -> PathBuf {
        self.dir.join("token")
    }
}

/// Builds, prepares and becomes the host; or says where the one that runs is.
pub(crate) fn run_up(workspace: &Workspace) -> anyhow::Result<()> {
    let place = Place::new(workspace);
    if let Some(ready) = running(&place) {
        say("A host is already running.");
        return show(&place, &ready);
    }
    packages::ensure(&["git", "gcc", "python3-venv"])?;
    step("build the components", || crate::guests::build(workspace).map(drop))?;
    step("build the host", || workspace.build_host())?;
    fs::create_dir_all(&place.dir).context("create the folder of the demo host")?;
    let _ = fs::remove_file(place.ready());
    prepare_account(workspace, &place)?;
    Command::new(std::env::current_exe().context("find this program")?)
        .args([DEMOS, &std::process::id().to_string()])
        .stdin(Stdio::null())
        .spawn()
        .context("start the helper that publishes the demo Spaces")?;
    say("==> start the host (stop it with Ctrl-C)");
    let error = Command::new(workspace.spaceport())
        .args(["serve", "--data"])
        .arg(place.data())
        .arg("--ready-file")
        .arg(place.ready())
        .args(["--log", "warn,spaceport=info"])
        .exec();
    Err(error).context("start the host")
}

/// `up` takes no arguments.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("up takes no argument {arg:?}");
    }
    run_up(&Workspace::find()?)
}

/// The helper: waits for the host, publishes what is not there yet, prints the URLs.
pub(crate) fn push_demos(args: &[String]) -> anyhow::Result<()> {
    let host: u32 = args.first().and_then(|pid| pid.parse().ok()).context("the host's process id is missing")?;
    let workspace = Workspace::find()?;
    let place = Place::new(&workspace);
    let ready = wait_for_host(&place, host)?;
    let hub = ready["hub"].as_str().context("the ready file names no hub")?;
    let token = fs::read_to_string(place.token()).context("read the demo token")?;
    for name in SPACES {
        if let Err(error) = publish(&workspace, hub, token.trim(), name) {
            say(&format!("    demo {name}: {error:#}"));
        }
    }
    show(&place, &ready)
}

fn publish(workspace: &Workspace, hub: &str, token: &str, name: &str) -> anyhow::Result<()> {
    let folder = workspace.guests().join("demos").join(name);
    let mut push = Command::new(workspace.spaceport());
    push.arg("push").arg(&folder).args(["--to", &format!("{ACCOUNT}/{name}"), "--endpoint", hub]);
    push.env("HF_TOKEN", token);
    if WITH_STORAGE.contains(&name) {
        push.args(["--storage", "small"]);
    }
    output(&mut push).map(drop)
}

fn prepare_account(workspace: &Workspace, place: &Place) -> anyhow::Result<()> {
    if place.token().exists() {
        return Ok(());
    }
    let data = place.data();
    let mut create = Command::new(workspace.spaceport());
    create.args(["user", "create", ACCOUNT, "--admin", "--data"]).arg(&data);
    run_program(create.stdout(Stdio::null()))?;
    let mut create = Command::new(workspace.spaceport());
    create.args(["token", "create", "--user", ACCOUNT, "--role", "admin", "--name", "demo", "--data"]).arg(&data);
    let token = output(&mut create)?;
    let mut file = fs::File::create(place.token()).context("keep the demo token")?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).context("protect the demo token")?;
    file.write_all(token.as_bytes()).context("keep the demo token")
}

fn wait_for_host(place: &Place, host: u32) -> anyhow::Result<Value> {
    let started = Instant::now();
    while started.elapsed() < START {
        if let Some(ready) = running(place) {
            return Ok(ready);
        }
        if !Path::new(&format!("/proc/{host}")).exists() {
            bail!("the host ended before it could answer");
        }
        std::thread::sleep(POLL);
    }
    bail!("the host did not answer within {} seconds", START.as_secs())
}

/// What the ready file says, if the host it speaks of answers.
fn running(place: &Place) -> Option<Value> {
    let ready: Value = serde_json::from_str(&fs::read_to_string(place.ready()).ok()?).ok()?;
    answers(ready["domain"].as_str()?).then_some(ready)
}

/// Whether a hub answers `GET /healthz` with 200 at this `host:port`.
fn answers(domain: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(domain)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn show(place: &Place, ready: &Value) -> anyhow::Result<()> {
    let hub = ready["hub"].as_str().context("the ready file names no hub")?;
    let domain = ready["domain"].as_str().context("the ready file names no domain")?;
    let token = fs::read_to_string(place.token()).context("read the demo token")?;
    say(&format!("\nSpaceport answers at {hub}/\n"));
    for name in SPACES {
        let label = if name.starts_with("static-") { "static." } else { "" };
        say(&format!("  {name:<16} http://{ACCOUNT}-{name}.{label}{domain}/"));
    }
    say(&format!(
        "\nPush one of your own:\n\n  export HF_ENDPOINT={hub} HF_TOKEN={}\n  hf upload {ACCOUNT}/my-space ./my-folder --repo-type space\n",
        token.trim()
    ));
    if !resolves_localhost() {
        say(
            "Browsers and curl find these addresses by themselves. Python and Node ask the system, which does not know\n\
             *.localhost here; `apt-get install libnss-myhostname` teaches it.",
        );
    }
    Ok(())
}

/// Whether the system's resolver knows names below `localhost`.
fn resolves_localhost() -> bool {
    use std::net::ToSocketAddrs;
    (format!("{ACCOUNT}.localhost"), 80).to_socket_addrs().is_ok()
}
