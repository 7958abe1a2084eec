//! From a component's bytes to a sealed artifact.
//!
//! Looked at first, without compiling: what it imports, and whether it is of a size that anybody would write. Then
//! compiled by a child process with limits on memory, CPU time and file size, since a compiler's work can be made as
//! large as one likes by a small input; this process only seals what came out.

mod child;
mod inspect;

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

pub use crate::compile::child::child_main;
pub use crate::compile::inspect::{Inspection, Interface, inspect};

use crate::artifacts::{ArtifactId, Artifacts, LoadError};

/// Wall time of a compilation beyond its CPU time: it may have to wait for a core, or for the disk.
const WAITING: Duration = Duration::from_secs(30);
/// Bytes of the child's words that are read.
const WORDS: u64 = 16 << 10;
/// Characters of those that go into an error.
const MESSAGE: usize = 2000;

/// A component is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// More bytes than are taken.
    #[error("the component has {size} bytes; at most {limit} are taken")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The most.
        limit: u64,
    },
    /// Not the binary form of a component.
    #[error("this is not a component: {0}")]
    NotAComponent(String),
    /// More of something than is taken.
    #[error("too many {what} ({count} > {limit})")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: u64,
        /// The most.
        limit: u64,
    },
    /// Imports that are not offered.
    #[error("these imports are not offered: {}", .0.join(", "))]
    Imports(Vec<String>),
    /// It exports nothing that can be called.
    #[error("the component exports neither wasi:http/incoming-handler@0.2 nor wasi:http/handler@0.3")]
    NoHandler,
    /// An import has another shape than what is offered.
    #[error("the component does not fit: {0}")]
    Link(String),
    /// The compiler does not take it.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// Compiling it takes more than a compilation may.
    #[error("compiling it takes more than {0}")]
    Limit(&'static str),
}

/// A component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The component is at fault: its author has to change it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The compiler could not be run.
    #[error("the compiler cannot be run: {0}")]
    Io(std::io::Error),
    /// What it wrote cannot be used.
    #[error("the compiled app cannot be used: {0}")]
    Load(LoadError),
}

// Not a source: its text is part of ours, and whoever prints the chain would say it twice.
impl From<std::io::Error> for CompileError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs the child process, one at a time on a small machine.
pub(crate) struct Compiler {
    command: Vec<OsString>,
    time: Duration,
    turns: Semaphore,
}

impl Compiler {
    pub(crate) fn new(command: Vec<OsString>, time: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { command, time, turns: Semaphore::new((cores / 4).max(1)) }
    }

    /// Compiles `component` to the sealed artifact `id`.
    pub(crate) async fn run(
        &self,
        component: &[u8],
        artifacts: &Artifacts,
        id: ArtifactId,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<(), CompileError> {
        let Ok(_turn) = self.turns.try_acquire() else {
            say("waiting for another compilation");
            let _turn = self.turns.acquire().await.map_err(std::io::Error::other)?;
            return self.compile(component, artifacts, id, say).await;
        };
        self.compile(component, artifacts, id, say).await
    }

    async fn compile(
        &self,
        component: &[u8],
        artifacts: &Artifacts,
        id: ArtifactId,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<(), CompileError> {
        if artifacts.has(id).await {
            return Ok(());
        }
        say(&format!("compiling {} KB", component.len() / 1000));
        let began = Instant::now();
        let part = artifacts.part(id);
        let outcome = self.child(component, &part).await;
        if outcome.is_err() {
            // What is left is swept at the next start if it cannot be removed now.
            let _ = tokio::fs::remove_file(&part).await;
        }
        outcome?;
        artifacts.seal(id).await.map_err(CompileError::Load)?;
        say(&format!("compiled in {:.1} s", began.elapsed().as_secs_f64()));
        Ok(())
    }

    async fn child(&self, component: &[u8], part: &Path) -> Result<(), CompileError> {
        let mut child = self.spawn(part)?;
        let work = async {
            let mut words = String::new();
            let mut stdin = child.stdin.take();
            let stderr = child.stderr.take();
            let feed = async {
                // A child that stops reading has something to say; its words and status tell what.
                if let Some(pipe) = &mut stdin {
                    let _ = pipe.write_all(component).await;
                }
                stdin = None;
            };
            let listen = async {
                if let Some(pipe) = stderr {
                    let mut raw = Vec::new();
                    let _ = pipe.take(WORDS).read_to_end(&mut raw).await;
                    words = String::from_utf8_lossy(&raw).trim().chars().take(MESSAGE).collect();
                }
            };
            tokio::join!(feed, listen);
            child.wait().await.map(|status| (status, words))
        };
        // The child is killed when it is dropped.
        let (status, words) = tokio::time::timeout(self.time.saturating_add(WAITING), work)
            .await
            .map_err(|_| Refusal::Limit("its time"))??;
        verdict(status, words)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that starts the compiler, with an environment of its own"
    )]
    fn spawn(&self, part: &Path) -> std::io::Result<Child> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| std::io::Error::other("no command"))?;
        Command::new(program)
            .args(arguments)
            .arg(self.time.as_secs().max(1).to_string())
            .arg(part)
            .env_clear()
            // Threads and allocator arenas count against the child's address space, whatever the machine's size.
            .env("RAYON_NUM_THREADS", child::threads().to_string())
            .env("MALLOC_ARENA_MAX", child::threads().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// What the child's end means.
fn verdict(status: ExitStatus, words: String) -> Result<(), CompileError> {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        return Ok(());
    }
    if status.code() == Some(child::REFUSED) {
        return Err(Refusal::Invalid(words).into());
    }
    let limit = match status.signal().and_then(rustix::process::Signal::from_named_raw) {
        Some(rustix::process::Signal::XCPU | rustix::process::Signal::KILL) => "its CPU time",
        Some(rustix::process::Signal::XFSZ) => "its file size",
        // An allocation that fails aborts; one inside a system call may crash instead.
        Some(rustix::process::Signal::ABORT | rustix::process::Signal::SEGV | rustix::process::Signal::BUS) => {
            "its memory"
        }
        _ => return Err(CompileError::Io(std::io::Error::other(format!("{status}: {words}")))),
    };
    Err(Refusal::Limit(limit).into())
}
