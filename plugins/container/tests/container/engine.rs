//! The Engine beside the plugin: the machine's, or one of the test's own that it may stop and start.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::eventually;

/// Where the machine's listens.
const MACHINES: &str = "/var/run/docker.sock";
/// Must be there: set where the tests have to be run.
const NEEDED: &str = "SPACEPORT_NEEDS_DOCKER";
/// The program of an engine of one's own.
const PROGRAM: &str = "dockerd";

/// An Engine, as the tests look at it.
pub(crate) struct Engine {
    runtime: Runtime,
    docker: Docker,
    socket: PathBuf,
    /// The process whose network and mounts it is in, if it is not the machine's.
    inside: Option<u32>,
}

/// An engine of the test's own, in a network of its own, so that no other is touched.
pub(crate) struct Own {
    dir: TempDir,
    holder: Child,
    stdin: Option<ChildStdin>,
    arguments: Vec<String>,
    engine: Option<Child>,
}

/// What is not there: a line that says so, or a failure where it has to be there.
fn skipped(what: &str) {
    assert!(std::env::var_os(NEEDED).is_none(), "{NEEDED} is set, and {what}");
    eprintln!("skipped: {what}");
}

impl Engine {
    /// The machine's, unless none answers.
    pub(crate) fn of_machine() -> Option<Self> {
        match Self::at(MACHINES.into(), None) {
            Ok(engine) => Some(engine),
            Err(error) => {
                skipped(&format!("no container engine answers here ({error})"));
                None
            }
        }
    }

    fn at(socket: PathBuf, inside: Option<u32>) -> Result<Self, String> {
        let runtime = Runtime::new().unwrap();
        let docker = runtime.block_on(async {
            let docker = Docker::connect_with_unix(&socket.to_string_lossy(), 60, bollard::API_DEFAULT_VERSION)?;
            docker.negotiate_version().await
        });
        Ok(Self { docker: docker.map_err(|error| error.to_string())?, runtime, socket, inside })
    }

    /// Something asked of the Engine itself.
    pub(crate) fn ask<T>(&self, question: impl AsyncFnOnce(&Docker) -> T) -> T {
        self.runtime.block_on(question(&self.docker))
    }

    pub(crate) fn is_machines(&self) -> bool {
        self.inside.is_none()
    }

    /// A program that works with this engine, beside it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let Some(pid) = self.inside else { return Command::new(program) };
        let mut command = beside(pid, program);
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command
    }

    /// Does something in the network of the engine.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Some(pid) = self.inside else { return work() };
        thread::scope(|scope| {
            let within = move || {
                let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            };
            scope.spawn(within).join().unwrap()
        })
    }
}

/// A program in the network and among the mounts of a process.
fn beside(pid: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--net", "--mount", "--", program]);
    command
}

impl Own {
    /// Starts one on a machine that has a way to everywhere, where that can be done.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        Self::with(
            "ip link add out type veth peer name far && ip link set far up && ip link set out up && ip route add default dev out",
            arguments,
        )
    }

    /// Starts one on a machine that has no way to anywhere.
    pub(crate) fn offline() -> Option<Self> {
        Self::with("true", &[])
    }

    fn with(way: &str, arguments: &[&str]) -> Option<Self> {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success());
        if !rustix::process::geteuid().is_root() || ![PROGRAM, "nsenter", "unshare", "nft"].into_iter().all(has) {
            skipped("an engine of one's own needs root and the programs dockerd, nsenter, unshare and nft");
            return None;
        }
        let mut holder = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--",
                "sh",
                "-c",
                &format!("ip link set lo up && {way} && echo ready && read _"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, mut line) = (holder.stdin.take(), String::new());
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "a network of its own");
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let mut own = Self { dir: tempfile::tempdir().unwrap(), holder, stdin, arguments, engine: None };
        own.begin();
        Some(own)
    }

    /// Starts it after [`Own::end`].
    pub(crate) fn begin(&mut self) {
        let path = |name: &str| self.dir.path().join(name);
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        let host = format!("unix://{}", path("sock").display());
        let engine = beside(self.holder.id(), PROGRAM)
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .args(["--host", &host, "--containerd-namespace", "own", "--containerd-plugins-namespace", "own-plugins"])
            .args(&self.arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.engine = Some(engine);
        eventually("the engine answers", || {
            let engine = Engine::at(path("sock"), None).ok()?;
            engine.ask(async |docker| docker.ping().await).ok()
        });
    }

    /// Ends it: asks it to, or not.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.signal(signal);
        self.engine.take().unwrap().wait().unwrap();
        if signal == Signal::KILL {
            // Its own helper goes with it. Where nobody has asked yet how that ended, its number is still in use, and the
            // next engine would wait for it; a service manager sees to that.
            let _ = std::fs::remove_file(self.dir.path().join("exec/containerd/containerd.pid"));
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.engine.as_ref().unwrap());
        kill_process(pid, signal).unwrap();
    }

    /// As the tests look at it.
    pub(crate) fn engine(&self) -> Engine {
        Engine::at(self.socket(), Some(self.holder.id())).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if thread::panicking() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("engine-{}.log", std::process::id()));
            let _ = std::fs::copy(self.dir.path().join("log"), &kept);
            eprintln!("the engine's log: {}", kept.display());
        }
        if let Some(mut engine) = self.engine.take() {
            let pid = Pid::from_child(&engine);
            let _ = kill_process(pid, Signal::CONT);
            // An engine that keeps containers alive while it is away leaves them when it ends.
            if let Ok(engine) = Engine::at(self.socket(), None) {
                engine.ask(clear);
            }
            let _ = kill_process(pid, Signal::TERM);
            let _ = engine.wait();
        }
        drop(self.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Removes every container.
async fn clear(docker: &Docker) {
    let options = ListContainersOptions { all: true, ..Default::default() };
    for container in docker.list_containers(Some(options)).await.unwrap_or_default() {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        let _ = docker.remove_container(&container.id.unwrap(), Some(options)).await;
    }
}
