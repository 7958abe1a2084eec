//! The program of a plugin: one process group, which never outlives its supervisor.
//!
//! A plugin notices the end of the host, however sudden, by the end of its standard input. One that does not heed it is
//! found by the socket in its environment and killed before the next is started, so that two never work at once. The
//! kernel's own signal at a parent's death is no help here: it is tied to the thread that forked, and those of a runtime
//! come and go.

mod leftovers;
mod stderr;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use spaceport_backend_protocol::{SOCKET_ARGUMENT, SOCKET_VARIABLE};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::BackendName;
use crate::state::Fall;
use stderr::Stderr;

/// How long the last words of a program that has ended may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long the kernel may take to take a killed process away.
const GONE: Duration = Duration::from_secs(2);
/// All that a plugin gets of the host's environment: where programs are, what files it may use, and how the container
/// engine and the network are reached. Never a secret of the host's.
const PASSED_ON: [&str; 17] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A running program. Dropping it kills its whole group.
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    /// Open as long as the host lives.
    _stdin: Option<ChildStdin>,
    stderr: Stderr,
}

impl Process {
    /// Starts a program that is to listen on this socket, once whatever an earlier host left behind is gone.
    pub(crate) async fn start(name: &BackendName, command: &[String], socket: &Path) -> io::Result<Self> {
        let place = socket.to_owned();
        let left = tokio::task::spawn_blocking(move || {
            let left = leftovers::kill(&place);
            remove(&place).map(|()| left)
        });
        let left = left.await.map_err(io::Error::other)??;
        if left > 0 {
            tracing::warn!(backend = %name, processes = left, "what was left of an earlier start was killed");
        }
        let mut child = spawn(command, socket)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let stderr = child.stderr.take().map_or_else(Stderr::none, |stderr| Stderr::listen(name.clone(), stderr));
        Ok(Self { group, _stdin: child.stdin.take(), stderr, child })
    }

    /// Waits for its end; how it ended, with its last words. May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> Fall {
        let status = self.child.wait().await;
        // Helpers that it started have nobody left to work for.
        self.kill();
        // Helpers that left the group may keep the pipe open.
        let _ = timeout(LAST_WORDS, self.stderr.closed()).await;
        let reason = match status {
            Ok(status) => in_words(status),
            Err(error) => format!("it cannot be waited for: {error}"),
        };
        Fall { reason, detail: self.stderr.last_line().map(String::from) }
    }

    /// Asks it to end, and makes it end after the grace.
    pub(crate) async fn end(self, grace: Duration) {
        self.signal(Signal::TERM);
        self.end_by_force(grace).await;
    }

    /// Makes it end after the grace.
    pub(crate) async fn end_by_force(mut self, grace: Duration) {
        if timeout(grace, self.child.wait()).await.is_err() {
            self.kill();
            // Only one that waits for a broken disk is still there then.
            let _ = timeout(GONE, self.child.wait()).await;
        }
        self.kill();
    }

    /// Ends the group, which may take a moment.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        if self.child.id().is_none() {
            // It was waited for. Its number is free as soon as nobody of its group is left.
            self.group = None;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended in this moment.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where plugins are started")]
fn spawn(command: &[String], socket: &Path) -> io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments).arg(SOCKET_ARGUMENT).arg(socket);
    command.env_clear().envs(environment()).env(SOCKET_VARIABLE, socket);
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn()
}

#[expect(clippy::disallowed_methods, reason = "where programs and the container engine are is the machine's to say")]
fn environment() -> Vec<(&'static str, OsString)> {
    PASSED_ON.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect()
}

/// Removes the socket of an earlier plugin, so that whatever answers there is the new one.
fn remove(socket: &Path) -> io::Result<()> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}
