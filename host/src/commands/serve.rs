//! `spaceport serve`: runs the host until it is told to stop.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, AppConfig, Listeners};
use crate::cli::ServeArgs;
use crate::config::{Config, Overrides};
use crate::telemetry;

/// The configuration file, below the data directory.
const CONFIG_FILE: &str = "spaceport.toml";
/// Threads that serve requests and run guests beside one for each core: one that waits for a slow disk must not leave a
/// core without work. Each more would cost wake-ups that a busy host has no use for.
const SPARE_DATA_THREADS: usize = 1;
/// Threads of the control plane: API, builds and supervisors wait far more than they work.
const CONTROL_THREADS: usize = 2;
/// How much less the data runtime's threads insist on a core, so that the control plane answers beside busy guests.
const DATA_NICE: i32 = 5;
/// Threads for blocking file calls of guests; beyond these they wait.
const BLOCKING_THREADS: usize = 64;

/// Runs the host.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let (config, effective) = configuration(args)?;
    if args.print_config {
        return write!(std::io::stdout(), "{effective}").context("write to standard output");
    }
    let _log = telemetry::start(args.log.as_ref())?;
    raise_descriptor_limit();
    let listeners = Listeners::bind(&config)?;
    let control = runtime("control", CONTROL_THREADS, 0)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let data = runtime("data", cores + SPARE_DATA_THREADS, DATA_NICE)?;
    let place = std::path::absolute(&args.data).context("find the data directory")?;
    let (accept_loss, data_runtime) = (args.accept_loss, data.handle().clone());
    let app = AppConfig { data: place, config, accept_loss, data_runtime, panics: telemetry::count_panics() };
    let outcome = control.block_on(async {
        let mut stop = StopSignals::listen()?;
        // A task of its own: much of it blocks, and a signal is to be heard meanwhile.
        let starting = tokio::spawn(App::start(app, listeners));
        let app = tokio::select! {
            started = starting => started.context("start the host")??,
            () = stop.received() => {
                // As safe as being killed: whatever a start changes, the next one finds whole or makes again.
                tracing::info!("stopped before it was ready");
                return Ok(());
            }
        };
        tracing::info!(hub = app.hub_url(), "ready");
        if let Some(file) = &args.ready_file {
            app.write_ready_file(file)?;
        }
        stop.received().await;
        tracing::info!("stopping: requests in flight may end");
        tokio::select! {
            done = app.shut_down() => done,
            () = stop.received() => Ok(()),
        }
    });
    // Whatever still runs is cut off; all that was acknowledged is on disk.
    data.shutdown_background();
    control.shutdown_background();
    outcome
}

/// The file's configuration with what the command line changes, and the text of the effective one.
fn configuration(args: &ServeArgs) -> anyhow::Result<(Config, String)> {
    let (file, must_exist) = match &args.config {
        Some(file) => (file.clone(), true),
        None => (args.data.join(CONFIG_FILE), false),
    };
    read(&file, must_exist, &Overrides { listen: args.listen, domain: args.domain.clone() })
}

fn read(file: &Path, must_exist: bool, overrides: &Overrides) -> anyhow::Result<(Config, String)> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => String::new(),
        other => other.with_context(|| format!("read the configuration file {}", file.display()))?,
    };
    Config::read(&text, overrides).with_context(|| format!("the configuration file {} has mistakes", file.display()))
}

fn runtime(name: &str, threads: usize, nice: i32) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).max_blocking_threads(BLOCKING_THREADS).thread_name(format!("spaceport-{name}"));
    builder.on_thread_start(move || {
        if nice != 0 {
            // Best effort: without it the system shares its cores evenly.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), nice);
        }
    });
    builder.enable_all().build().with_context(|| format!("start the {name} runtime"))
}

/// As many open files as the system lets this process have: connections and loaded components hold one each.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// SIGTERM and Ctrl-C. The second one ends a drain at once.
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
