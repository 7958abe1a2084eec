//! Keeps a plugin running: one task that starts it, waits for its description, asks for its health and starts it again.
//!
//! ```text
//!            describes itself              ends, hangs, talks nonsense
//! Starting ───────────────────▶ Up ───────────────────────────────┐
//!    ▲  └──────────────────────────────────────────────────────┐  │
//!    │                          ▲ │ says that it is unready    ▼  ▼
//!    └── after a pause ─────────│─┴────────────────────────▶  Down
//!                               └── ready again ────────────────┘
//! ```
//!
//! The task alone owns the process; everybody else reads [`State`] from a watch channel. Whatever the plugin does, the
//! task does one of two things: go on asking, or kill it and wait.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spaceport_backend_protocol::{Ask, Health};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::state::Fall;
use crate::{BackendName, Backoff, CallError, Client, State, Status, Up};

/// Longest call: a plugin that takes longer for a list or an answer on its health does not work.
const CALL: Duration = Duration::from_secs(10);
/// Longest time from the start of the program to its first answer.
const START: Duration = Duration::from_secs(30);
/// Time between two questions for its health: a crash is noticed at once anyway.
const HEALTH_EVERY: Duration = Duration::from_secs(2);
/// How long a plugin may take to end after `SIGTERM`; its instances live on, so there is little to do.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Time between two attempts to reach a plugin that has just been started.
const REACH_EVERY: Duration = Duration::from_millis(20);
/// How long it may take to learn that a plugin which broke off a call has in fact ended.
const LAST_LOOK: Duration = Duration::from_millis(100);
/// Bytes of a socket's path, as Linux has it: the last of 108 is zero.
const LONGEST_PATH: usize = 107;

/// What a backend is, for its supervisor.
#[derive(Debug, Clone)]
pub struct BackendConfig {
    /// Its name, for logs.
    pub name: BackendName,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where the program is to listen: an absolute path in a folder that is the host's alone.
    pub socket: PathBuf,
    /// The rows of hardware that it is asked for.
    pub ask: Ask,
    /// How long things may take.
    pub timings: Timings,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Longest call.
    pub call: Duration,
    /// Longest time from the start of the program to its first answer.
    pub start: Duration,
    /// Time between two questions for its health.
    pub health_every: Duration,
    /// Time to end by itself when told to.
    pub stop_grace: Duration,
    /// Pauses before it is started again.
    pub backoff: Backoff,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            call: CALL,
            start: START,
            health_every: HEALTH_EVERY,
            stop_grace: STOP_GRACE,
            backoff: Backoff::default(),
        }
    }
}

/// A plugin that is kept running. Dropping it stops the plugin too, without waiting for it.
pub struct Supervisor {
    name: BackendName,
    ask: watch::Sender<Ask>,
    state: watch::Receiver<State>,
    restarts: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Supervisor {
    /// Begins, on the current runtime. Returns at once.
    pub fn start(config: BackendConfig) -> Self {
        let (publisher, state) = watch::channel(State::Starting);
        let (name, restarts, stop) = (config.name.clone(), Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let (ask, asked) = watch::channel(config.ask.clone());
        let keeper = Keeper { config, ask: asked, state: publisher, restarts: restarts.clone() };
        tokio::spawn(keeper.run(stop.clone()));
        Self { name, ask, state, restarts, stop }
    }

    /// Its name.
    pub fn name(&self) -> &BackendName {
        &self.name
    }

    /// How it is now and from now on.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// How it is at this moment.
    pub fn status(&self) -> Status {
        let problem = self.state.borrow().problem();
        Status { name: self.name.clone(), problem, restarts: self.restarts.load(Ordering::Relaxed) }
    }

    /// Asks for these rows of hardware from now on.
    pub fn ask(&self, rows: Ask) {
        self.ask.send_if_modified(|asked| {
            let is_other = *asked != rows;
            *asked = rows;
            is_other
        });
    }

    /// Stops the plugin and waits until it has ended.
    pub async fn stop(&self) {
        self.stop.cancel();
        // It fails only if the task is gone already, with the runtime.
        let _ = self.state.clone().wait_for(|state| matches!(state, State::Stopped)).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The task's own.
struct Keeper {
    config: BackendConfig,
    /// The rows of hardware that the plugin is asked for.
    ask: watch::Receiver<Ask>,
    state: watch::Sender<State>,
    restarts: Arc<AtomicU64>,
}

impl Keeper {
    async fn run(self, stop: CancellationToken) {
        let timings = self.config.timings;
        let mut backoff = timings.backoff;
        loop {
            self.publish(State::Starting);
            let mut up_since = None;
            let fall = match self.begin().await {
                Err(fall) => fall,
                Ok(mut process) => tokio::select! {
                    biased;
                    () = stop.cancelled() => {
                        process.end(timings.stop_grace).await;
                        break;
                    }
                    fall = self.live(&mut process, &mut up_since) => {
                        process.end_by_force(Duration::ZERO).await;
                        fall
                    }
                },
            };
            let (next, pause) = backoff.failed(up_since.map_or(Duration::ZERO, |up: Instant| up.elapsed()));
            backoff = next;
            self.publish(State::down(fall, pause));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep(pause) => {}
            }
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        self.publish(State::Stopped);
    }

    async fn begin(&self) -> Result<Process, Fall> {
        let BackendConfig { name, command, socket, .. } = &self.config;
        let length = socket.as_os_str().len();
        if length > LONGEST_PATH {
            let reason = format!(
                "the path of its socket has {length} bytes and the system takes {LONGEST_PATH}: the data directory needs \
                 a shorter path"
            );
            return Err(Fall { reason, detail: Some(socket.display().to_string()) });
        }
        Process::start(name, command, socket).await.map_err(|error| Fall {
            reason: format!("its program cannot be started: {error}"),
            detail: command.first().cloned(),
        })
    }

    /// Talks to a plugin until that makes no sense any more; why.
    async fn live(&self, process: &mut Process, up_since: &mut Option<Instant>) -> Fall {
        let broken = tokio::select! {
            biased;
            fall = process.ended() => return fall,
            broken = self.converse(up_since) => broken,
        };
        // A plugin that has ended breaks off its calls first, and its end says more.
        timeout(LAST_LOOK, process.ended()).await.unwrap_or(Fall::from(broken))
    }

    async fn converse(&self, up_since: &mut Option<Instant>) -> String {
        let client = match self.reach().await {
            Ok(client) => client,
            Err(reason) => return reason,
        };
        let (mut ask, mut described) = (self.ask.clone(), None);
        loop {
            match self.look(&client, &mut described).await {
                Ok(()) if matches!(*self.state.borrow(), State::Up(_)) => {
                    up_since.get_or_insert_with(Instant::now);
                }
                Ok(()) => {}
                Err(error) => return error.to_string(),
            }
            tokio::select! {
                () = sleep(self.config.timings.health_every) => {}
                Ok(()) = ask.changed() => {}
            }
        }
    }

    /// The first answer of a plugin that was just started.
    async fn reach(&self) -> Result<Client, String> {
        let Timings { call, start, .. } = self.config.timings;
        let attempts = async {
            loop {
                match Client::connect(&self.config.socket, call).await {
                    Err(CallError::Unreachable { .. }) => sleep(REACH_EVERY).await,
                    outcome => return outcome.map_err(|error| error.to_string()),
                }
            }
        };
        let too_late = |_| Err(format!("it did not listen on its socket within {start:?}"));
        timeout(start, attempts).await.unwrap_or_else(too_late)
    }

    /// One question for its health, and for its description if it was not up or was `described` for other hardware.
    async fn look(&self, client: &Client, described: &mut Option<Ask>) -> Result<(), CallError> {
        match client.health().await? {
            Health::Ready => {
                let was_up = matches!(*self.state.borrow(), State::Up(_));
                let rows = self.ask.borrow().clone();
                if was_up && described.as_ref() == Some(&rows) {
                    return Ok(());
                }
                let description = client.describe(&rows).await?;
                let next = State::Up(Arc::new(Up { description, client: client.clone() }));
                match was_up {
                    true => drop(self.state.send_replace(next)),
                    false => self.publish(next),
                }
                *described = Some(rows);
            }
            Health::Unready { reason } => self.unready(reason.as_str()),
        }
        Ok(())
    }

    /// It answers and cannot work. Told once for each reason, however often it is asked.
    fn unready(&self, why: &str) {
        let next = State::down(Fall::from(why.to_owned()), self.config.timings.health_every);
        match &*self.state.borrow() {
            State::Down { reason, .. } if reason == why => {}
            _ => next.log(&self.config.name),
        }
        self.state.send_replace(next);
    }

    fn publish(&self, state: State) {
        state.log(&self.config.name);
        self.state.send_replace(state);
    }
}
