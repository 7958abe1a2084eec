//! A server in process on a port of its own, over a real database and real repositories, with the users `ada`, `bob` and
//! `eve`, who has added no key; and the programs that speak to it.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use spaceport_control::clock::SystemClock;
use spaceport_control::fleet::{Fleet, FleetConfig, FleetParts};
use spaceport_control::service::{Addresses, Control, ControlParts, NewSpace, NewToken, NewUser};
use spaceport_core::egress::EgressPolicy;
use spaceport_core::hardware::Catalogue;
use spaceport_core::limits::OperatorLimits;
use spaceport_core::permission::{Actor, TokenRole};
use spaceport_core::space::{Sdk, Space, Visibility};
use spaceport_db::{Db, KeyStore, Options};
use spaceport_git::Repos;
use spaceport_ssh::{HOST_KEY_FILE, HostKey, serve};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything: the machine may be compiling beside us.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

pub(crate) struct Host {
    pub(crate) control: Control,
    pub(crate) key: HostKey,
    pub(crate) address: SocketAddr,
    pub(crate) ada: Actor,
    pub(crate) stop: CancellationToken,
    pub(crate) server: JoinHandle<()>,
    folder: TempDir,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) is_ok: bool,
    pub(crate) text: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.is_ok, "{}", self.text);
        self.text
    }

    #[track_caller]
    pub(crate) fn refused(self, words: &[&str]) -> String {
        assert!(!self.is_ok, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in: {}", self.text);
        }
        self.text
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = control(folder.path()).await;
        let (ada, bob) = (user(&control, "ada").await, user(&control, "bob").await);
        let key = host_key(&folder.path().join("keys")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, control.clone(), key.clone(), stop.clone()));
        let host = Self { control, key, address, ada, stop, server, folder };
        std::fs::write(host.path("known_hosts"), format!("[127.0.0.1]:{} {}\n", address.port(), host.key.public()))
            .unwrap();
        for (name, actor) in [("ada", Some(&host.ada)), ("bob", Some(&bob)), ("eve", None)] {
            let text = host.make_key(name, &["-t", "ed25519"]).await;
            if let Some(actor) = actor {
                host.control.add_ssh_key(actor, name, &text).await.unwrap();
            }
        }
        host
    }

    /// The same with a static Space of ada's, and a clone of it.
    pub(crate) async fn with_clone(name: &str) -> (Self, PathBuf) {
        let host = Self::start().await;
        host.create(name, Visibility::Public).await;
        let clone = host.path("clone");
        host.git("ada", Path::new("/"), &["clone", "--quiet", &host.url(name), clone.to_str().unwrap()]).await.ok();
        (host, clone)
    }

    pub(crate) async fn create(&self, name: &str, visibility: Visibility) -> Space {
        let new = NewSpace {
            owner: None,
            name: name.parse().unwrap(),
            sdk: Sdk::Static,
            visibility,
            hardware: None,
            storage: None,
            sleep_after: None,
            variables: Vec::new(),
            secrets: Vec::new(),
            license: None,
        };
        self.control.create_space(&self.ada, new).await.unwrap().value
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("ssh://git@{}/spaces/ada/{name}", self.address)
    }

    /// Makes a pair of keys; the public half.
    pub(crate) async fn make_key(&self, name: &str, kind: &[&str]) -> String {
        let file = self.path(name);
        let comment = format!("{name}@test");
        let args = ["-q", "-N", "", "-C", &comment, "-f", file.to_str().unwrap()];
        said(program("ssh-keygen").args(kind).args(args)).await.ok();
        std::fs::read_to_string(file.with_extension("pub")).unwrap()
    }

    /// The ssh of a user who has these keys, by their names.
    fn options(&self, keys: &[&str]) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.path("known_hosts").display());
        let fixed = ["-F", "none", "-o", &known, "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"];
        let mut options: Vec<String> = fixed.map(str::to_owned).into();
        options.extend(["-o", "IdentityAgent=none"].map(str::to_owned));
        for key in keys {
            options.extend(["-i".to_owned(), self.path(key).display().to_string()]);
        }
        options
    }

    /// ssh, yet to be run.
    pub(crate) fn ssh(&self, keys: &[&str], args: &[&str]) -> Command {
        let mut command = program("ssh");
        command.args(self.options(keys)).args(["-p", &self.address.port().to_string()]).args(args);
        command
    }

    /// git of a user, yet to be run, with a configuration that is its own.
    pub(crate) fn git_command(&self, user: &str, dir: &Path, args: &[&str]) -> Command {
        let mut command = program("git");
        command
            .args(args)
            .current_dir(dir)
            .env("HOME", self.folder.path())
            .env("GIT_SSH_COMMAND", format!("ssh {}", self.options(&[user]).join(" ")))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
        }
        command
    }

    pub(crate) async fn git(&self, user: &str, dir: &Path, args: &[&str]) -> Said {
        said(&mut self.git_command(user, dir, args)).await
    }

    /// Writes a file and commits it.
    pub(crate) async fn commit(&self, clone: &Path, path: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(clone.join(path), content).unwrap();
        self.git("ada", clone, &["add", "-A"]).await.ok();
        self.git("ada", clone, &["commit", "--quiet", "-m", "change"]).await.ok();
        self.git("ada", clone, &["rev-parse", "HEAD"]).await.ok().trim().to_owned()
    }

    pub(crate) async fn push(&self, clone: &Path, args: &[&str]) -> Said {
        self.git("ada", clone, &[&["push", "origin"], args].concat()).await
    }

    /// Where a branch is, as the server has it.
    pub(crate) async fn head(&self, name: &str, branch: &str) -> Option<String> {
        let listed =
            self.git("ada", Path::new("/"), &["ls-remote", &self.url(name), &format!("refs/heads/{branch}")]).await;
        listed.ok().split_whitespace().next().map(str::to_owned)
    }

    /// What is on disk of pushes that are not over.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("repos")];
        while let Some(folder) = folders.pop() {
            // A folder that has just gone is none.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("incoming-") || name.starts_with("tmp_") || name.ends_with(".lock") {
                    found.push(name);
                } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
            }
        }
        found
    }

    /// Processes that work in the repositories.
    pub(crate) fn workers(&self) -> usize {
        let repositories = self.path("repos").canonicalize().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let places = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
        places.filter(|place| place.starts_with(&repositories)).count()
    }

    pub(crate) async fn nothing_is_left(&self) {
        until("nothing is left", || self.leftovers().is_empty() && self.workers() == 0).await;
    }

    /// A connection, without anything that speaks the protocol.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Waits until this holds.
pub(crate) async fn until(what: &'static str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waited).await.is_ok(), "{what}: not in time");
}

/// Reads to the end of a stream, which comes by itself; an error is an end, too.
pub(crate) async fn to_the_end(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    assert!(ended.is_ok(), "it goes on: {read:?}");
    read
}

/// A program with pipes, ended with the test.
pub(crate) fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

pub(crate) async fn said(command: &mut Command) -> Said {
    let output = tokio::time::timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{command:?} does not end")).unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Said { is_ok: output.status.success(), text }
}

pub(crate) fn program(name: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the clients under test are programs")]
    Command::new(name)
}

/// The host's key among these keys, as the program reads it.
pub(crate) fn host_key(keys: &Path) -> Result<HostKey, Box<dyn std::error::Error>> {
    let text = KeyStore::open(keys)?.key_file(HOST_KEY_FILE, HostKey::generate)?;
    Ok(HostKey::parse(&text)?)
}

async fn user(control: &Control, name: &str) -> Actor {
    let accounts = control.accounts();
    accounts.create_user(NewUser { name: name.parse().unwrap(), is_admin: false, password: None }).await.unwrap();
    let new = NewToken { user: name.parse().unwrap(), role: TokenRole::Write, label: "test".into() };
    let token = accounts.create_token(new).await.unwrap();
    Actor::User(accounts.authenticate(token.expose()).unwrap().unwrap().user)
}

async fn control(dir: &Path) -> Control {
    let keys = KeyStore::open(&dir.join("keys")).unwrap();
    let db = Arc::new(Db::open(&dir.join("store"), &keys, Options::default()).unwrap().0);
    let repos = Arc::new(Repos::open(&dir.join("repos")).await.unwrap());
    let clock = Arc::new(SystemClock::new());
    let config = FleetConfig {
        data: dir.to_owned(),
        keys: keys.clone(),
        catalogue: Catalogue::default(),
        addresses: Addresses { scheme: "http".into(), hub: "hub.test".into(), spaces: "spaces.test".into() },
        limits: OperatorLimits::default(),
        egress: EgressPolicy::default(),
        free_sleep_after: None,
        expose_static_secrets: true,
        build_workers: 1,
        build_deadline: PATIENCE,
        stop_grace: Duration::ZERO,
    };
    let parts = FleetParts {
        db: db.clone(),
        repos: repos.clone(),
        backends: Vec::new(),
        backend_plugins: Arc::new(Vec::new),
        clock: clock.clone(),
        routes: Arc::default(),
    };
    let fleet = Fleet::start(config, parts).await.unwrap();
    Control::new(ControlParts { db, repos, keys, fleet, clock })
}
