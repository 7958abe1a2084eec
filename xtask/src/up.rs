//! `cargo xtask up`: from a bare clone to a host with running demo Spaces.
//!
//! This process becomes the host (exec), so that signals and the terminal are the host's own; a helper started before
//! waits until the host answers, publishes the demo Spaces and prints their URLs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::packages::{self, NAMES_BELOW_LOCALHOST};
use crate::progress::{say, step};
use crate::workspace::{Workspace, output};

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
/// How long the container backend may take to look around, and to try its network rule out.
const LOOK_AROUND: Duration = Duration::from_secs(15);
/// Pause between two looks at the ready file.
const POLL: Duration = Duration::from_millis(20);

/// Where everything of the demo host is.
struct Place {
    dir: PathBuf,
    /// The program that such a host runs.
    program: PathBuf,
}

impl Place {
    fn new(workspace: &Workspace) -> Self {
        Self { dir: workspace.root.join("target/up"), program: workspace.spaceport() }
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

    /// Held by who prepares the host, and then by the host.
    fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }
}

/// Builds, prepares and becomes the host; or says where the one that runs is.
pub(crate) fn run_up(workspace: &Workspace) -> anyhow::Result<()> {
    let place = Place::new(workspace);
    fs::create_dir_all(&place.dir).context("create the folder of the demo host")?;
    let lock = match take_turn(&place)? {
        Turn::Ours(lock) => lock,
        Turn::Running(ready) => {
            say("A host is already running.");
            return show(&place, &ready);
        }
    };
    step("build the components", || crate::guests::build(workspace, &["git", "gcc"]).map(drop))?;
    step("build the host", || workspace.build_host())?;
    let _ = fs::remove_file(place.ready());
    if !place.token().exists() {
        make_token(&place)?;
    }
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
        // The host reads nothing; an open file that it holds keeps the lock for as long as it lives.
        .stdin(lock)
        .exec();
    Err(error).context("start the host")
}

/// What there is for this `up` to do.
enum Turn {
    /// Start a host, holding this lock.
    Ours(fs::File),
    /// Nothing: this one runs.
    Running(Value),
}

/// Waits until a host runs or nobody else is about to start one.
fn take_turn(place: &Place) -> anyhow::Result<Turn> {
    let lock = fs::File::options().create(true).append(true).open(place.lock()).context("open the lock of `up`")?;
    let mut has_said = false;
    loop {
        if let Some(ready) = running(place) {
            return Ok(Turn::Running(ready));
        }
        match lock.try_lock() {
            Ok(()) => return Ok(Turn::Ours(lock)),
            Err(fs::TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut has_said, true) {
                    say("Another `up` is preparing the host; waiting for it.");
                }
                std::thread::sleep(POLL);
            }
            Err(fs::TryLockError::Error(error)) => return Err(error).context("lock `up`"),
        }
    }
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
    let domain = ready["domain"].as_str().context("the ready file names no domain")?;
    // The data may have been removed beside it, or put back from elsewhere.
    if get(domain, "/api/whoami-v2", Some(&read_token(&place)?)).is_none() {
        make_token(&place)?;
    }
    let token = read_token(&place)?;
    for name in SPACES {
        if let Err(error) = publish(&workspace, hub, &token, name) {
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

/// Makes the account, if an earlier try has not, and a token for it.
fn make_token(place: &Place) -> anyhow::Result<()> {
    let spaceport = |args: &[&str]| output(Command::new(&place.program).args(args).arg("--data").arg(place.data()));
    let created = spaceport(&["user", "create", ACCOUNT, "--admin"]);
    let token = spaceport(&["token", "create", "--user", ACCOUNT, "--role", "admin", "--name", "demo"]);
    // That there is such an account is no failure, and the token tells whether there is.
    let token = token.map_err(|error| created.err().unwrap_or(error))?;
    write_whole(&place.token(), &token).context("keep the demo token")
}

/// Writes a file that only its owner reads: all of it or none.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension("part");
    let _ = fs::remove_file(&aside);
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    fs::rename(aside, path)
}

fn read_token(place: &Place) -> anyhow::Result<String> {
    Ok(fs::read_to_string(place.token()).context("read the demo token")?.trim().to_owned())
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

/// What the ready file says, if the host it speaks of is ours and answers.
fn running(place: &Place) -> Option<Value> {
    let ready: Value = serde_json::from_str(&fs::read_to_string(place.ready()).ok()?).ok()?;
    // A file left behind may name a process, and a port, that are somebody else's by now.
    let runs = fs::read_link(format!("/proc/{}/exe", ready["pid"].as_u64()?)).ok()?;
    let is_ours = is_program(&runs, &place.program.canonicalize().ok()?);
    (is_ours && get(ready["domain"].as_str()?, "/healthz", None).is_some()).then_some(ready)
}

/// Whether what Linux says a process runs is this program, or was before a newer one was put in its place.
fn is_program(runs: &Path, program: &Path) -> bool {
    let Some(runs) = runs.to_str() else { return false };
    Path::new(runs.strip_suffix(" (deleted)").unwrap_or(runs)) == program
}

/// The answer to a `GET` at this `host:port`, if it is 200.
fn get(domain: &str, path: &str, token: Option<&str>) -> Option<String> {
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!("GET {path} HTTP/1.1\r\nHost: {domain}\r\n{authorization}Connection: close\r\n\r\n");
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(domain)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().ok().filter(|answer| answer.starts_with("HTTP/1.1 200 "))
}

fn show(place: &Place, ready: &Value) -> anyhow::Result<()> {
    let hub = ready["hub"].as_str().context("the ready file names no hub")?;
    let domain = ready["domain"].as_str().context("the ready file names no domain")?;
    let token = read_token(place)?;
    say(&format!("\nSpaceport answers at {hub}/\n"));
    for name in SPACES {
        let label = if name.starts_with("static-") { "static." } else { "" };
        say(&format!("  {name:<16} http://{ACCOUNT}-{name}.{label}{domain}/"));
    }
    say(&format!(
        "\nPush one of your own:\n\n  export HF_ENDPOINT={hub} HF_TOKEN={token}\n  hf upload {ACCOUNT}/my-space ./my-folder --repo-type space\n",
    ));
    say(&containers(domain, &token));
    if !packages::is_there(NAMES_BELOW_LOCALHOST) {
        say(&format!(
            "Browsers and curl find these addresses by themselves. Python and Node ask the system, which does not know\n\
             *.localhost here; `apt-get install {NAMES_BELOW_LOCALHOST}` teaches it.",
        ));
    }
    Ok(())
}

/// Whether Docker and Gradio Spaces can be had here, as the host knows once its backend has looked around.
fn containers(domain: &str, token: &str) -> String {
    let asked = Instant::now();
    loop {
        match backend(domain, token) {
            Some((true, _)) => return "Docker is there: Docker and Gradio Spaces run too.".to_owned(),
            Some((false, problem)) if asked.elapsed() > LOOK_AROUND => {
                return format!("Docker is there, but Docker and Gradio Spaces cannot run yet: {problem}.");
            }
            Some(_) => std::thread::sleep(POLL),
            None => {
                return "There is no Docker: static Spaces and components run, Docker and Gradio Spaces need one.\n\
                        `apt-get install docker.io nftables` brings it; then start `up` again."
                    .to_owned();
            }
        }
    }
}

/// Whether the host's container backend is well, and what it says if not; `None` if the host has started none.
fn backend(domain: &str, token: &str) -> Option<(bool, String)> {
    let answer = get(domain, "/api/admin/plugins/container", Some(token))?;
    let plugin: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    let problem = plugin["problem"].as_str().unwrap_or("it is starting").to_owned();
    Some((plugin["healthy"].as_bool()?, problem))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn place(dir: &tempfile::TempDir) -> Place {
        Place { dir: dir.path().to_owned(), program: dir.path().join("spaceport") }
    }

    #[test]
    fn a_process_is_ours_by_the_program_it_runs() {
        let program = Path::new("/here/target/release/spaceport");
        assert!(is_program(program, program));
        assert!(is_program(Path::new("/here/target/release/spaceport (deleted)"), program), "built anew meanwhile");
        for other in ["/usr/bin/spaceport", "/here/target/release/spaceport2", "/here/target/release"] {
            assert!(!is_program(Path::new(other), program), "{other}");
        }
    }

    #[test]
    fn an_unrelated_server_is_not_taken_for_ours() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut place = place(&dir);
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let domain = server.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in server.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        let ready = json!({"pid": std::process::id(), "domain": domain}).to_string();
        fs::write(place.ready(), ready).unwrap();
        fs::write(&place.program, "").unwrap();
        assert!(running(&place).is_none(), "this process does not run that program");
        place.program = std::env::current_exe().unwrap();
        assert!(running(&place).is_some());
        assert!(matches!(take_turn(&place).unwrap(), Turn::Running(_)));
        fs::write(place.ready(), json!({"pid": 0, "domain": domain}).to_string()).unwrap();
        assert!(running(&place).is_none());
    }

    #[test]
    fn of_two_at_once_one_gets_the_turn() {
        let dir = tempfile::TempDir::new().unwrap();
        let Turn::Ours(lock) = take_turn(&place(&dir)).unwrap() else { panic!("nothing runs") };
        let other = fs::File::open(place(&dir).lock()).unwrap();
        assert!(matches!(other.try_lock(), Err(fs::TryLockError::WouldBlock)));
        drop(lock);
        assert!(matches!(take_turn(&place(&dir)).unwrap(), Turn::Ours(_)));
    }

    #[test]
    fn a_token_is_there_whole_and_for_its_owner_only() {
        let dir = tempfile::TempDir::new().unwrap();
        let place = place(&dir);
        // What an interrupted try left behind.
        fs::write(place.token().with_extension("part"), "hal").unwrap();
        for token in ["one", "two"] {
            write_whole(&place.token(), token).unwrap();
            assert_eq!(read_token(&place).unwrap(), token);
        }
        assert_eq!(fs::metadata(place.token()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
