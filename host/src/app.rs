//! The wiring: from a configuration to a host that answers, and down again.
//!
//! Sockets are bound first and listened on before anything works, so that a port that is taken is a start-up error and
//! nobody who connects early is refused. Going down runs the other way: no new connections, requests in flight end, then
//! instances, then backend plugins, then the database.

mod addresses;
mod backends;
mod docker;
mod listen;
mod ssh;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context;
use spaceport_control::clock::SystemClock;
use spaceport_control::fleet::{Fleet, FleetConfig, FleetParts};
use spaceport_control::ports::{Backend, Clock};
use spaceport_control::routes::RouteTable;
use spaceport_control::service::{Addresses, Control, ControlParts};
use spaceport_core::egress::EgressPolicy;
use spaceport_db::{Db, KeyStore, OnDamage, OpenReport, Options, create_private_dir};
use spaceport_engine::cap::http_out::own_addresses;
use spaceport_engine::{Engine, EngineConfig};
use spaceport_git::Repos;
use spaceport_web::edge::config::EdgeConfig;
use spaceport_web::edge::tls::Tls;
use spaceport_web::edge::{Edge, server};
use spaceport_web::outgoing::WebhookSender;
use spaceport_web::{AppState, admin, hub_router};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::adapters::{EngineBackend, EngineScanner, FleetPlatform};
use crate::cli::COMPILE_WORKER;
use crate::config::{Config, HOST_RESERVE};
use crate::ready::Ready;

use backends::Backends;
pub use listen::Listeners;
use ssh::Ssh;

/// The database, below the data directory.
pub(crate) const STORE: &str = "store";
/// The keys, unless the configuration moves them.
pub(crate) const KEYS: &str = "keys";
/// The socket for the shell.
pub(crate) const ADMIN_SOCKET: &str = "admin.sock";
/// Bare repositories.
const REPOS: &str = "repos";
/// The operator's plugins.
const PLUGINS: &str = "plugins";
/// Where a plugin is while it is asked what it serves: among the `/tmp` of guests, which the fleet sweeps when it starts.
const EMPTY: &str = "tmp/plugins";
/// Compiled components.
const ARTIFACTS: &str = "artifacts";
/// Permission bits by which others get into a directory.
const OTHERS: u32 = 0o077;
/// This very program, even if its file has been replaced by a newer one meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Longest build, from its turn to its end.
const BUILD_DEADLINE: Duration = Duration::from_secs(600);
/// How long requests in flight may go on in an instance that is replaced or put to sleep.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long instances may take to end once the last connection has.
const LAST_GRACE: Duration = Duration::from_secs(2);
/// How long requests to the admin listeners may go on once visitors' have ended: each takes milliseconds.
const ADMIN_GRACE: Duration = Duration::from_millis(500);
/// Longest way down: what requests in flight are given (`spaceport_web::edge::config::DRAIN`), and a second for the rest.
/// Whatever is left then is cut off; all that was acknowledged is on disk.
const SHUTDOWN: Duration = Duration::from_secs(11);

/// What the host is started with.
pub struct AppConfig {
    /// The data directory.
    pub data: PathBuf,
    /// The operator's configuration, with what the command line changed.
    pub config: Config,
    /// Start with what can be read of a damaged database.
    pub accept_loss: bool,
    /// The runtime that serves requests and runs guests.
    pub data_runtime: Handle,
    /// Panics so far, counted by the hook that whoever starts the process has set.
    pub panics: Arc<AtomicU64>,
}

/// A host that answers.
pub struct App {
    fleet: Fleet,
    backends: Arc<Backends>,
    stop: CancellationToken,
    edge: JoinHandle<server::Drained>,
    admin: JoinHandle<()>,
    ssh: Option<Ssh>,
    ready: Ready,
    socket: PathBuf,
}

impl App {
    /// Brings everything up. Runs on the control runtime.
    pub async fn start(app: AppConfig, mut listeners: Listeners) -> anyhow::Result<Self> {
        let AppConfig { data, config, accept_loss, data_runtime, panics } = app;
        let addresses = addresses::public(&config, listeners.port());
        addresses::warn_of_shared_site(&addresses);
        let parts = Parts::open(&data, &config, &addresses, accept_loss, data_runtime.clone()).await?;
        let edge = Edge::new(
            edge_config(&config, &addresses)?,
            parts.routes.clone(),
            Arc::new(FleetPlatform::new(parts.control.clone())),
            parts.clock.clone(),
        );
        let stop = CancellationToken::new();
        let ready = Ready {
            hub: addresses.hub_url(),
            domain: addresses.hub.clone(),
            pid: std::process::id(),
            admin: listeners.admin_address(),
            ssh: listeners.ssh_address(),
        };
        let socket = data.join(ADMIN_SOCKET);
        let admin = listeners.serve_admin(
            &socket,
            admin::admin_socket_router(parts.control.clone()),
            admin::metrics_router(parts.control.clone(), panics),
            stop.clone(),
        )?;
        let ssh = Ssh::start(&parts.keys, listeners.take_ssh()?, &parts.control, &stop)?;
        let door = ssh.as_ref().map(|ssh| ssh.door.clone());
        if let Some(link) = parts.control.first_link().context("look for users")? {
            tracing::info!(link, "nobody has an account here: whoever opens this link makes the first administrator");
        }
        let state = AppState::new(parts.control).with_rate_limits(config.rates).with_ssh(door);
        let state = state.with_sign_up(config.sign_up);
        let (hub, control_runtime) = (hub_router(state), Handle::current());
        let shutdown = stop.clone();
        let edge = data_runtime.spawn(async move {
            let listeners = listeners.into_public()?;
            Ok(server::serve(listeners, hub, control_runtime, edge, shutdown.cancelled_owned()).await)
        });
        let edge = tokio::spawn(async move {
            match edge.await {
                Ok(Ok(drained)) => drained,
                Ok(Err(error)) => fatal(&error),
                Err(error) => fatal(&error.into()),
            }
        });
        Ok(Self { fleet: parts.fleet, backends: parts.backends, stop, edge, admin, ssh, ready, socket })
    }

    /// Says in a file that the host answers, and where.
    pub fn write_ready_file(&self, file: &Path) -> anyhow::Result<()> {
        self.ready.write(file)
    }

    /// Where the hub is, for people.
    pub fn hub_url(&self) -> &str {
        &self.ready.hub
    }

    /// Lets requests in flight end, then everything else.
    pub async fn shut_down(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let Self { fleet, backends, edge, mut admin, ssh, socket, .. } = self;
        let end = async {
            let drained = edge.await.context("serve requests")?;
            if tokio::time::timeout(ADMIN_GRACE, &mut admin).await.is_err() {
                // Its connections end with the runtime.
                admin.abort();
            }
            if let Some(ssh) = ssh {
                ssh.end().await;
            }
            fleet.shutdown(LAST_GRACE).await;
            backends.stop().await;
            anyhow::Ok(drained.cut)
        };
        match tokio::time::timeout(SHUTDOWN, end).await {
            Ok(cut) => tracing::info!(cut = cut?, "stopped"),
            Err(_) => tracing::warn!(seconds = SHUTDOWN.as_secs(), "stopped without waiting for the rest"),
        }
        // Left behind it would only make the shell try a host that is gone.
        let _ = std::fs::remove_file(&socket);
        Ok(())
    }
}

/// What is opened before anything is served.
struct Parts {
    keys: KeyStore,
    control: Control,
    fleet: Fleet,
    backends: Arc<Backends>,
    routes: Arc<RouteTable>,
    clock: Arc<dyn Clock>,
}

impl Parts {
    async fn open(
        data: &Path,
        config: &Config,
        addresses: &Addresses,
        accept_loss: bool,
        data_runtime: Handle,
    ) -> anyhow::Result<Self> {
        prepare_data_dir(data)?;
        let keys = KeyStore::open(&keys_dir(data, config)).context("open the keys")?;
        let (db, report) =
            Db::open(&data.join(STORE), &keys, open_options(accept_loss)).context("open the database")?;
        tell(&report);
        let (db, clock) = (Arc::new(db), Arc::new(SystemClock::new()) as Arc<dyn Clock>);
        let repos = Arc::new(Repos::open(&data.join(REPOS)).await.context("open the repositories")?);
        let engine = engine(data, config, &keys, data_runtime)?;
        let scanner = EngineScanner::new(engine.clone()).await.context("prepare the scanner for secrets")?;
        let backend = backend(data, engine).await?;
        let backends = Arc::new(Backends::start(data, config)?);
        let mut running: Vec<Arc<dyn Backend>> = vec![Arc::new(backend)];
        running.extend(backends.containers(&keys));
        let routes = Arc::new(RouteTable::default());
        let fleet = Fleet::start(
            fleet_config(data, config, addresses, keys.clone()),
            FleetParts {
                db: db.clone(),
                repos: repos.clone(),
                backends: running,
                backend_plugins: backends.statuses(),
                clock: clock.clone(),
                routes: routes.clone(),
            },
        )
        .await
        .context("bring the Spaces up")?;
        let parts = ControlParts { db, repos, keys: keys.clone(), fleet: fleet.clone(), clock: clock.clone() };
        let control = Control::new(parts).with_scanner(Arc::new(scanner));
        control.start_webhooks(Arc::new(WebhookSender::new(control.egress().clone())));
        Ok(Self { keys, control, fleet, backends, routes, clock })
    }
}

/// Where the keys are.
fn keys_dir(data: &Path, config: &Config) -> PathBuf {
    config.keys.clone().unwrap_or_else(|| data.join(KEYS))
}

fn prepare_data_dir(data: &Path) -> anyhow::Result<()> {
    create_private_dir(data).with_context(|| format!("create the data directory {}", data.display()))?;
    let metadata = std::fs::metadata(data).with_context(|| format!("examine {}", data.display()))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        let mode = format!("{mode:04o}");
        tracing::warn!(data = %data.display(), mode, "others can get into the data directory: run chmod 700 on it");
    }
    Ok(())
}

fn open_options(accept_loss: bool) -> Options {
    if !accept_loss {
        return Options::default();
    }
    tracing::warn!("told to accept loss: whatever of the database's journal cannot be read is given up");
    Options { on_damage: OnDamage::KeepReadable, ..Options::default() }
}

/// What opening the database found, for the operator.
fn tell(report: &OpenReport) {
    for warning in report.warnings() {
        tracing::warn!("{warning}");
    }
    tracing::info!(batch = report.last, rows = report.rows, index = ?report.index, "database open");
}

fn engine(data: &Path, config: &Config, keys: &KeyStore, data_runtime: Handle) -> anyhow::Result<Arc<Engine>> {
    let node_memory = config.limits.node_memory.map_or_else(machine_memory, |memory| memory.0);
    let engine = Engine::new(EngineConfig {
        artifacts: data.join(ARTIFACTS),
        seal_key: *keys.artifact_key().as_bytes(),
        compile_command: compile_command(),
        component_bytes: config.limits.component.0,
        compile_time: config.limits.compile,
        node_memory,
        data_runtime,
    })?;
    Ok(engine)
}

/// What compiles a component, in a process of its own.
pub(crate) fn compile_command() -> Vec<OsString> {
    vec![THIS_PROGRAM.into(), COMPILE_WORKER.into()]
}

async fn backend(data: &Path, engine: Arc<Engine>) -> anyhow::Result<EngineBackend> {
    EngineBackend::new(engine, &data.join(PLUGINS), &data.join(EMPTY)).await.context("prepare the static-site plugin")
}

/// The machine's memory, less what the system and the host itself need.
fn machine_memory() -> u64 {
    let info = rustix::system::sysinfo();
    let total = u64::from(info.mem_unit).saturating_mul(info.totalram);
    total.saturating_sub(HOST_RESERVE.0).max(HOST_RESERVE.0 / 4)
}

fn fleet_config(data: &Path, config: &Config, addresses: &Addresses, keys: KeyStore) -> FleetConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    FleetConfig {
        data: data.to_owned(),
        keys,
        catalogue: config.catalogue.clone(),
        addresses: addresses.clone(),
        limits: config.limits.clone(),
        egress: EgressPolicy {
            rules: None,
            operator_allow: config.egress_allow.clone(),
            own_addresses: own_addresses(),
        },
        free_sleep_after: Some(config.sleep_after),
        expose_static_secrets: config.expose_secrets,
        build_workers: (cores / 2).max(1),
        build_deadline: BUILD_DEADLINE.max(config.limits.compile * 2),
        stop_grace: STOP_GRACE,
    }
}

fn edge_config(config: &Config, addresses: &Addresses) -> anyhow::Result<EdgeConfig> {
    let mut edge = EdgeConfig::new(&addresses.hub);
    edge.spaces_domain.clone_from(&addresses.spaces);
    edge.public_scheme = addresses::edge_scheme(config.http.public_scheme);
    edge.trusted_proxies.clone_from(&config.http.trusted_proxies);
    edge.max_request_body = config.limits.request_body.0;
    edge.cache_bytes = config.cache.0;
    edge.deadlines = config.visitors.deadlines;
    if let Some(connections) = config.visitors.connections {
        edge.max_connections = connections;
    }
    edge.max_connections_per_ip = config.visitors.connections_per_client;
    edge.tls = config.tls.clone().map(Tls::open).transpose().context("use the certificate of [tls]")?;
    Ok(edge)
}

/// The edge cannot go on, so the host cannot either.
fn fatal(error: &anyhow::Error) -> ! {
    // Past the log, whose own thread would not come to write it any more.
    let _ = writeln!(std::io::stderr(), "error: the edge ended: {error:#}");
    std::process::exit(1)
}
