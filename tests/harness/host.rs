//! A real host: the release binary in a process of its own, on a free port, with a data directory that goes with it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::disk::Disk;
use crate::space::{Files, TestSpace};
use crate::wait;

/// The account the tests act as.
pub const USER: &str = "ada";
/// How long a host may take until it answers: the machine may be compiling beside us.
const START: Duration = Duration::from_secs(60);
/// How long a host may take to drain: its 10 s, and a little for what comes after.
const STOP: Duration = Duration::from_secs(12);

/// The settings every test host starts from: more rows than a real one, small enough to reach their limits.
const BASE_CONFIG: &str = r#"
[ssh]
listen = "127.0.0.1:0"

# Who wants containers says so: each host that has them takes a network of the engine's.
[containers]
enabled = false

[[hardware]]
name = "test-half"
vcpu = 0.5
memory = "64MiB"
disk = "1MiB"

[[hardware]]
name = "test-small"
vcpu = 2
memory = "64MiB"
disk = "1MiB"

[[storage]]
name = "test-tiny"
size = "64KiB"
price_per_month = 0.0
"#;

/// A running host.
pub struct TestHost {
    process: Option<Child>,
    disk: Option<Disk>,
    dir: TempDir,
    ready: Value,
    token: String,
}

/// What a host says in its log when it can answer.
const SAYS_READY: &str = r#""message":"ready""#;

impl TestHost {
    /// A host with the tests' settings.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// A host with further configuration.
    #[track_caller]
    pub fn start_with(config: &str) -> Self {
        Self::start_as(config, &[], |_| None)
    }

    /// A host whose data directory is on a disk of its own, made for the place it is told.
    #[track_caller]
    pub fn start_on(config: &str, disk: impl FnOnce(&Path) -> Disk) -> Self {
        Self::start_as(config, &[], |place| Some(disk(place)))
    }

    /// A host that finds these files in its data directory.
    #[track_caller]
    pub fn start_with_data(files: &[(&str, &[u8])]) -> Self {
        Self::start_as("", files, |_| None)
    }

    #[track_caller]
    fn start_as(config: &str, files: &[(&str, &[u8])], disk: impl FnOnce(&Path) -> Option<Disk>) -> Self {
        let mut host = Self::prepare(config, disk);
        host.run(&["user", "create", USER, "--admin"]);
        let token = host.run(&["token", "create", "--user", USER, "--role", "admin", "--name", "tests"]);
        token.trim().clone_into(&mut host.token);
        for (path, content) in files {
            host.put_data(path, content);
        }
        host.boot();
        host
    }

    /// A host as its operator starts it the first time: nobody has an account.
    #[track_caller]
    pub fn start_without_users() -> Self {
        let mut host = Self::prepare("", |_| None);
        host.boot();
        host
    }

    #[track_caller]
    fn prepare(config: &str, disk: impl FnOnce(&Path) -> Option<Disk>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("spaceport.toml"), format!("{config}\n{BASE_CONFIG}")).unwrap();
        let disk = disk(&dir.path().join("data"));
        Self { process: None, disk, dir, ready: Value::Null, token: String::new() }
    }

    /// Puts a file into the data directory, where the host reads some when it is started.
    pub fn put_data(&self, path: &str, content: &[u8]) {
        let file = self.data().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    /// Starts the process again after [`TestHost::kill`] or [`TestHost::stop`].
    #[track_caller]
    pub fn boot(&mut self) {
        self.boot_at("127.0.0.1:0");
    }

    /// The same at the address it had before, so that it is known by the same names.
    #[track_caller]
    pub fn boot_as_before(&mut self) {
        let address = self.address().to_string();
        self.boot_at(&address);
    }

    #[track_caller]
    fn boot_at(&mut self, listen: &str) {
        let ready = self.dir.path().join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let said_before = self.log().len();
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let process = self
            .command()
            .args(["serve", "--listen", listen, "--data"])
            .arg(self.place())
            .arg("--config")
            .arg(self.dir.path().join("spaceport.toml"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let found = wait::until(START, || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert!(ended.is_none(), "the host ended at once: {ended:?}\n{}", self.log());
            // Log lines are written a little later than they are said: what comes before this one can be read then.
            let has_said_so = self.log().get(said_before..).is_some_and(|said| said.contains(SAYS_READY));
            if has_said_so { std::fs::read(&ready).ok() } else { None }
        });
        let found = found.unwrap_or_else(|| panic!("the host was not ready in time\n{}", self.log()));
        self.ready = serde_json::from_slice(&found).unwrap();
    }

    /// Runs a command of the binary on the data directory; returns what it printed.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        output_of(self.command(), args, &self.place())
    }

    /// The binary, for which the data directory is at its place.
    fn command(&self) -> Command {
        let Some(disk) = &self.disk else { return Command::new(binary()) };
        let mut command = disk.command();
        command.arg(binary());
        command
    }

    /// Takes the power from the process and its disk; [`TestHost::boot`] finds what has come to be on it.
    #[track_caller]
    pub fn cut_power(&mut self) {
        self.kill();
        let disk = self.disk.take().expect("a host with a disk of its own");
        self.disk = Some(disk.after_power_cut());
    }

    /// The disk that [`TestHost::start_on`] was given.
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("a host with a disk of its own")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM; returns the exit code.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        self.terminate();
        self.wait_for_exit()
    }

    /// Sends SIGTERM and returns at once.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits until the process has ended; returns the exit code.
    #[track_caller]
    pub fn wait_for_exit(&mut self) -> i32 {
        let mut process = self.process.take().unwrap();
        let status = wait::until(STOP, || process.try_wait().unwrap());
        let Some(status) = status else {
            process.kill().unwrap();
            panic!("the host did not drain in time\n{}", self.log());
        };
        status.code().unwrap_or(-1)
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        u32::try_from(self.ready["pid"].as_u64().unwrap()).unwrap()
    }

    /// `http://localhost:PORT`, as clients are told.
    pub fn hub(&self) -> String {
        self.ready["hub"].as_str().unwrap().to_owned()
    }

    /// The address of a page.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.hub())
    }

    /// `localhost:PORT`.
    pub fn domain(&self) -> String {
        self.ready["domain"].as_str().unwrap().to_owned()
    }

    /// The socket.
    pub fn address(&self) -> SocketAddr {
        let (_, port) = self.domain().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    }

    /// The admin listener's socket.
    pub fn admin(&self) -> SocketAddr {
        self.ready["admin"].as_str().unwrap().parse().unwrap()
    }

    /// A token of [`USER`].
    pub fn token(&self) -> &str {
        &self.token
    }

    /// An account with a password; it has no token.
    #[track_caller]
    pub fn add_user(&self, name: &str, password: &str) {
        let mut command = self.command();
        command.args(["user", "create", name, "--password-stdin", "--data"]).arg(self.place());
        let mut process = command.stdin(Stdio::piped()).spawn().unwrap();
        writeln!(process.stdin.take().unwrap(), "{password}").unwrap();
        assert!(process.wait().unwrap().success(), "{name} was not created");
    }

    /// A client of the hub with [`USER`]'s token.
    pub fn client(&self) -> Client {
        Client::new(self.address(), Some(self.token.clone()))
    }

    /// A visitor without a token.
    pub fn visitor(&self) -> Client {
        Client::new(self.address(), None)
    }

    /// A request at a host name whose answer has begun, and goes on for as long as the stream is kept.
    #[track_caller]
    pub fn open_stream(&self, authority: &str, path: &str) -> TcpStream {
        let mut stream = self.send_head(self.address(), authority, path, "\r\n");
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0, "{authority}{path}: closed");
        stream
    }

    /// A connection on which the head of a `GET` was sent, up to `end`.
    #[track_caller]
    pub fn send_head(&self, address: SocketAddr, authority: &str, path: &str, end: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n{end}").as_bytes()).unwrap();
        stream
    }

    /// A figure of the admin listener's metrics, by its name with its labels.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let text = Client::new(self.admin(), None).get("admin", "/metrics").text();
        let figure = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        figure.and_then(|figure| figure.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    /// Files and sockets that the process has open.
    #[track_caller]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// The data directory, as the test finds it.
    pub fn data(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.place(), Disk::seen)
    }

    /// The data directory, as the host finds it.
    fn place(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A folder of the test's own, gone with the host.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// What the host has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Creates a Space and pushes its files in one commit.
    #[track_caller]
    pub fn push(&self, name: &str, files: Files) -> TestSpace<'_> {
        let space = TestSpace::create(self, name, files.sdk());
        space.push(files);
        space
    }

    /// A Space that runs this test guest, up and running.
    #[track_caller]
    pub fn run_guest(&self, name: &str, guest: &str, front_matter: &str) -> TestSpace<'_> {
        let space = self.push(name, Files::guest(guest, front_matter));
        space.reaches("RUNNING");
        space
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("host.log")
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.kill();
        let log = self.log();
        // A panic in the host is a bug of ours even if the test did not notice.
        let panicked = log.lines().find(|line| line.contains("panicked at"));
        if std::thread::panicking() {
            eprintln!("--- what the host warned of, and the end of its log");
            log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).for_each(|l| eprintln!("{l}"));
            let tail: Vec<_> = log.lines().rev().take(60).collect();
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        } else if let Some(line) = panicked {
            panic!("the host panicked: {line}");
        }
    }
}

/// The release binary.
pub fn binary() -> PathBuf {
    match std::env::var_os("SPACEPORT_BIN") {
        Some(binary) => binary.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/spaceport"),
    }
}

/// Runs a command of the binary on a data directory; returns what it printed.
#[track_caller]
pub fn run(args: &[&str], data: &Path) -> String {
    output_of(Command::new(binary()), args, data)
}

#[track_caller]
fn output_of(mut command: Command, args: &[&str], data: &Path) -> String {
    let output = command.args(args).arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
