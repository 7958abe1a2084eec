//! The fake plugin, and a folder in which it is told how to be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spaceport_backend::protocol::{Ask, Hardware};
use spaceport_backend::{BackendConfig, Backoff, State, Supervisor, Timings, Up};
use tempfile::TempDir;
use tokio::sync::watch;

/// Longest wait for anything, on a machine busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(10);
/// The instances it has.
pub(crate) const INSTANCES: [&str; 2] = ["space-1", "space-2"];

/// A folder with the socket and the file that says how the plugin is.
pub(crate) struct Place {
    path: PathBuf,
    /// Removes it; another process may have made it.
    _dir: Option<TempDir>,
}

impl Place {
    pub(crate) fn new(mode: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let place = Self { path: dir.path().to_owned(), _dir: Some(dir) };
        place.turn(mode);
        place
    }

    /// One that another process has made.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, _dir: None }
    }

    /// From now on the plugin is like that.
    pub(crate) fn turn(&self, mode: &str) {
        let next = self.path.join("next");
        std::fs::write(&next, mode).unwrap();
        std::fs::rename(&next, self.mode_file()).unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join("plugin.sock")
    }

    fn mode_file(&self) -> PathBuf {
        self.path.join("mode")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The program and its arguments.
    pub(crate) fn command(&self) -> Vec<String> {
        let mut command = vec![env!("CARGO_BIN_EXE_fake-backend").to_owned()];
        command.extend(["--mode-file".to_owned(), self.mode_file().to_str().unwrap().to_owned()]);
        command.extend(INSTANCES.iter().flat_map(|id| ["--instance".to_owned(), (*id).to_owned()]));
        command
    }

    pub(crate) fn config(&self) -> BackendConfig {
        let timings = Timings {
            call: Duration::from_secs(2),
            start: PATIENCE,
            health_every: Duration::from_millis(20),
            stop_grace: PATIENCE,
            backoff: Backoff {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(40),
                ..Backoff::default()
            },
        };
        let (name, command) = ("fake".parse().unwrap(), self.command());
        BackendConfig { name, command, socket: self.socket(), ask: ask(), timings }
    }

    pub(crate) fn start(&self) -> Supervisor {
        Supervisor::start(self.config())
    }
}

/// Two rows, one of which nobody can offer.
pub(crate) fn ask() -> Ask {
    let row = |name: &str| Hardware {
        name: name.parse().unwrap(),
        cpu_milli: 2000,
        memory_bytes: 1 << 30,
        disk_bytes: 1 << 30,
        gpu: None,
    };
    Ask { hardware: vec![row("cpu-basic"), row("gpu-huge")] }
}

/// Waits until the state is what is wanted.
#[track_caller]
pub(crate) fn reaches<T>(
    state: &mut watch::Receiver<State>,
    wanted: impl Fn(&State) -> Option<T>,
) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        let wait = async {
            loop {
                if let Some(found) = wanted(&state.borrow_and_update()) {
                    return found;
                }
                state.changed().await.unwrap();
            }
        };
        let found = tokio::time::timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("{place}: it remains {:?}", *state.borrow()))
    }
}

pub(crate) fn up(state: &State) -> Option<std::sync::Arc<Up>> {
    match state {
        State::Up(up) => Some(up.clone()),
        _ => None,
    }
}

/// Down for a reason that has this in it.
pub(crate) fn down(part: &str) -> impl Fn(&State) -> Option<String> + '_ {
    move |state| match state {
        State::Down { reason, .. } if reason.contains(part) => Some(reason.clone()),
        _ => None,
    }
}

/// The processes that were started to listen on this socket.
pub(crate) fn processes(socket: &Path) -> Vec<i32> {
    let mark = format!("SPACEPORT_BACKEND_SOCKET={}", socket.display());
    let has_mark = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has_mark).collect()
}

/// Waits for something that nobody announces.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(LOOK);
    }
}
