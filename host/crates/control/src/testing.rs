//! What tests of this crate share: a clock that is moved by hand, a backend that runs nothing, and a fleet over a real
//! database and real repositories.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use spaceport_core::egress::EgressPolicy;
use spaceport_core::fault::Fault;
use spaceport_core::hardware::{Catalogue, DEFAULT_FLAVOR, Hardware};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::{BuildFailure, FailureKind, Millis};
use spaceport_core::limits::OperatorLimits;
use spaceport_core::name::Subdomain;
use spaceport_core::plugin::PluginKind;
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::{Sdk, SleepAfter, Space, Visibility};
use spaceport_core::stage::Stage;
use spaceport_db::{Db, KeyStore, Options};
use spaceport_git::{Author, Change, CommitSpec, FileMode, RepoPath, Repos};
use tokio::sync::Semaphore;

use crate::fleet::{Fleet, FleetConfig, FleetError, FleetParts, FleetView};
use crate::ports::{
    Artifact, Backend, BackendPlugin, Body, BuildRequest, Clock, LaunchError, LaunchRequest, LogSink, Upstream, Usage,
};
use crate::routes::{RouteSlot, RouteTable, RouteTarget};
use crate::service::Addresses;

/// How long a test waits for what must happen: far longer than it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// When tests begin.
const NOON: Millis = 1_800_000_000_000;

/// A clock that is moved by hand.
pub(crate) struct ManualClock(pub(crate) AtomicU64);

impl ManualClock {
    pub(crate) fn new(now: Millis) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now)))
    }

    pub(crate) fn advance(&self, by: Millis) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
}

/// Names with their values.
type Pairs = Vec<(String, String)>;

/// A backend that runs nothing. The text of the app file says how an app behaves: `unbuildable`, `unstartable` and
/// `mute` fail at build, launch and probe, `without a host` at build through the host; anything else answers with that text.
pub(crate) struct FakeBackend {
    /// Builds of components take a permit each; tests hold them back.
    pub(crate) build_gate: Semaphore,
    /// Launches take a permit each.
    pub(crate) launch_gate: Semaphore,
    pub(crate) launches: AtomicU64,
    pub(crate) running: Arc<AtomicU64>,
    /// What was launched last.
    pub(crate) last: Mutex<Option<Launched>>,
    /// The backends beside it that are programs of their own.
    pub(crate) beside: Mutex<Vec<BackendPlugin>>,
    /// Whether it runs containers too, and builds web sites; and the hardware that it refuses, with its words.
    pub(crate) containers: Mutex<Option<Vec<(&'static str, &'static str)>>>,
    /// What was built last was given: variables, then secrets.
    pub(crate) given: Mutex<(Pairs, Pairs)>,
    /// Free GPUs: a launch on hardware with one takes one.
    pub(crate) gpus: Arc<AtomicU64>,
    /// Instances that the host has let run on.
    pub(crate) left: Arc<AtomicU64>,
    plugins: Vec<PluginKind>,
}

/// What a test may want to know of a launch.
#[derive(Clone)]
pub(crate) struct Launched {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) page_variables: BTreeMap<String, String>,
    pub(crate) tmp: std::path::PathBuf,
    pub(crate) data: Option<std::path::PathBuf>,
    pub(crate) files: usize,
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) on_crash: Arc<dyn Fn(String) + Send + Sync>,
}

struct FakeUpstream {
    answer: String,
    running: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
    /// Whether it runs on without the host.
    outlives: bool,
    calls: AtomicU64,
    is_stopped: Arc<AtomicBool>,
    /// Where its GPU goes back to, if it has one.
    gpu: Option<Arc<AtomicU64>>,
}

impl FakeBackend {
    fn new(plugins: Vec<PluginKind>) -> Arc<Self> {
        Arc::new(Self {
            build_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            launch_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            launches: AtomicU64::new(0),
            running: Arc::default(),
            last: Mutex::default(),
            beside: Mutex::default(),
            containers: Mutex::default(),
            given: Mutex::default(),
            gpus: Arc::default(),
            left: Arc::default(),
            plugins,
        })
    }

    pub(crate) fn last(&self) -> Launched {
        self.last.lock().clone().expect("something was launched")
    }
}

/// A fleet's view of the backend; the test keeps the other.
struct Shared(Arc<FakeBackend>);

impl Backend for Shared {
    fn sdks(&self) -> Vec<Sdk> {
        let plugins = self.0.plugins.iter().map(|kind| Sdk::Plugin(kind.word));
        let containers = self.0.containers.lock().as_ref().map(|_| [Sdk::Docker, Sdk::Gradio]);
        [Sdk::Static, Sdk::Wasm].into_iter().chain(plugins).chain(containers.into_iter().flatten()).collect()
    }

    fn refuses(&self, row: &Hardware) -> Option<String> {
        let containers = self.0.containers.lock();
        let refused = containers.iter().flatten().find(|(name, _)| *name == row.name);
        refused.map(|(_, words)| (*words).to_owned())
    }

    fn builds_sites(&self) -> bool {
        self.0.containers.lock().is_some()
    }

    fn plugins(&self) -> Vec<PluginKind> {
        self.0.plugins.clone()
    }

    fn build(&self, request: BuildRequest) -> BoxFuture<'static, Result<Artifact, BuildFailure>> {
        let backend = self.0.clone();
        async move {
            if request.manifest.sdk == Sdk::Wasm {
                backend.build_gate.acquire().await.unwrap().forget();
            }
            request.log.write(b"compiling\n");
            if let (Some(site), Some(command)) = (&request.site, &request.manifest.app_build_command) {
                let source = request.app.dir.read_to_string("source.txt").unwrap();
                if command != "forget" {
                    std::fs::create_dir(site.join("dist")).unwrap();
                    std::fs::write(site.join("dist/index.html"), format!("{command} {source}")).unwrap();
                }
                return Ok(Artifact(String::new()));
            }
            for (_, secret) in &request.secrets {
                request.log.write(format!("the secret is {secret}\n").as_bytes());
            }
            *backend.given.lock() = (request.variables, request.secrets);
            let text = request.app.dir.read_to_string(&request.manifest.app_file).unwrap();
            match text.as_str() {
                "unbuildable" => {
                    Err(BuildFailure { kind: FailureKind::BuildError, message: "it is unbuildable".into() })
                }
                "without a host" => Err(BuildFailure { kind: FailureKind::Host, message: "no compiler".into() }),
                _ => Ok(Artifact(text)),
            }
        }
        .boxed()
    }

    fn launch(&self, request: LaunchRequest) -> BoxFuture<'static, Result<Arc<dyn Upstream>, LaunchError>> {
        let backend = self.0.clone();
        async move {
            backend.launches.fetch_add(1, Ordering::SeqCst);
            backend.launch_gate.acquire().await.unwrap().forget();
            if request.artifact.0 == "unstartable" {
                return Err(LaunchError::app("it is unstartable"));
            }
            let gpu = request.hardware.name.starts_with("t4-").then(|| backend.gpus.clone());
            let take = |gpus: &Arc<AtomicU64>| {
                gpus.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(1)).is_err()
            };
            if gpu.as_ref().is_some_and(take) {
                return Err(LaunchError::taken("no t4 is free"));
            }
            let is_stopped = Arc::<AtomicBool>::default();
            *backend.last.lock() = Some(Launched {
                env: request.env.into_iter().collect(),
                page_variables: request.page_variables.into_iter().collect(),
                tmp: request.tmp.path,
                data: request.data.map(|data| data.path),
                files: request.files.len(),
                log: request.log,
                on_crash: request.on_crash,
            });
            backend.running.fetch_add(1, Ordering::SeqCst);
            let (running, left) = (backend.running.clone(), backend.left.clone());
            let answer = match request.artifact.0 {
                site if site.starts_with("site:") => {
                    request.app.dir.read_to_string(&request.manifest.app_file).unwrap()
                }
                artifact => artifact,
            };
            let outlives = request.manifest.sdk.is_container();
            let upstream = FakeUpstream { answer, running, left, outlives, calls: AtomicU64::new(0), is_stopped, gpu };
            Ok(Arc::new(upstream) as Arc<dyn Upstream>)
        }
        .boxed()
    }
}

impl Upstream for FakeUpstream {
    fn call(&self, _request: http::Request<Body>) -> BoxFuture<'static, Result<http::Response<Body>, Fault>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.clone();
        let is_stopped = self.is_stopped.load(Ordering::SeqCst);
        async move {
            match answer.as_str() {
                _ if is_stopped => Err(Fault::Stopped),
                "mute" => Err(Fault::GuestNoResponse),
                _ => {
                    let body = Full::new(Bytes::from(answer)).map_err(|never| match never {}).boxed_unsync();
                    Ok(http::Response::new(body))
                }
            }
        }
        .boxed()
    }

    fn usage(&self) -> Usage {
        let instances = u64::from(!self.is_stopped.load(Ordering::SeqCst));
        Usage { fuel: self.calls.load(Ordering::SeqCst), instances, ..Usage::default() }
    }

    fn stop(&self, _grace: Duration) -> BoxFuture<'static, ()> {
        if !self.is_stopped.swap(true, Ordering::SeqCst) {
            self.running.fetch_sub(1, Ordering::SeqCst);
            if let Some(gpus) = &self.gpu {
                gpus.fetch_add(1, Ordering::SeqCst);
            }
        }
        async {}.boxed()
    }

    fn leave(&self, grace: Duration) -> BoxFuture<'static, ()> {
        if !self.outlives {
            return self.stop(grace);
        }
        self.left.fetch_add(1, Ordering::SeqCst);
        async {}.boxed()
    }
}

/// A fleet over a real database and real repositories in a temporary directory.
pub(crate) struct World {
    pub(crate) temp: Arc<tempfile::TempDir>,
    pub(crate) db: Arc<Db>,
    pub(crate) keys: KeyStore,
    pub(crate) repos: Arc<Repos>,
    pub(crate) backend: Arc<FakeBackend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) fleet: Fleet,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A host with another configuration.
    pub(crate) async fn with(configure: impl FnOnce(&mut FleetConfig)) -> Self {
        let temp = Arc::new(tempfile::tempdir().unwrap());
        let keys = KeyStore::open(&temp.path().join("keys")).unwrap();
        let (db, _) = Db::open(&temp.path().join("store"), &keys, Options::default()).unwrap();
        let repos = Arc::new(Repos::open(&temp.path().join("repos")).await.unwrap());
        let mut config = config(temp.path(), &keys);
        configure(&mut config);
        Self::begin(temp, Arc::new(db), config, repos, ManualClock::new(NOON), plugins()).await.unwrap()
    }

    /// The same host, started again, whatever became of the fleet before.
    pub(crate) async fn start_again(&self) -> Self {
        self.try_start_again().await.unwrap()
    }

    pub(crate) async fn try_start_again(&self) -> Result<Self, FleetError> {
        let config = config(self.temp.path(), &self.keys);
        let (temp, repos, clock) = (self.temp.clone(), self.repos.clone(), self.clock.clone());
        Self::begin(temp, self.db.clone(), config, repos, clock, plugins()).await
    }

    /// The same, and the operator has removed the plugins.
    pub(crate) async fn start_again_without_plugins(&self) -> Self {
        let config = config(self.temp.path(), &self.keys);
        let (temp, repos, clock) = (self.temp.clone(), self.repos.clone(), self.clock.clone());
        Self::begin(temp, self.db.clone(), config, repos, clock, Vec::new()).await.unwrap()
    }

    async fn begin(
        temp: Arc<tempfile::TempDir>,
        db: Arc<Db>,
        config: FleetConfig,
        repos: Arc<Repos>,
        clock: Arc<ManualClock>,
        plugins: Vec<PluginKind>,
    ) -> Result<Self, FleetError> {
        let keys = config.keys.clone();
        let (backend, routes) = (FakeBackend::new(plugins), Arc::<RouteTable>::default());
        let parts = FleetParts {
            db: db.clone(),
            repos: repos.clone(),
            backends: vec![Arc::new(Shared(backend.clone()))],
            backend_plugins: Arc::new({
                let backend = backend.clone();
                move || backend.beside.lock().clone()
            }),
            clock: clock.clone(),
            routes: routes.clone(),
        };
        let fleet = Fleet::start(config, parts).await?;
        Ok(Self { temp, db, keys, repos, backend, clock, routes, fleet })
    }

    /// A Space with a first commit, as the operation that creates one makes it.
    pub(crate) async fn create(&self, name: &str, files: &[(&str, &str)]) -> Space {
        let space = self.store(name).await;
        self.fleet.add(&space).await.unwrap();
        self.push(&space, files).await;
        space
    }

    /// A Space that the fleet does not know yet.
    pub(crate) async fn store(&self, name: &str) -> Space {
        let space = space(name);
        self.repos.create(space.id).await.unwrap();
        let mut batch = self.db.batch();
        batch.insert_space(&self.db, &space);
        self.db.commit(batch).await.unwrap();
        space
    }

    /// Commits and tells the fleet.
    pub(crate) async fn push(&self, space: &Space, files: &[(&str, &str)]) -> Oid {
        let head = self.commit(space, files).await;
        self.fleet.pushed(space.id, head).await.unwrap();
        head
    }

    pub(crate) async fn commit(&self, space: &Space, files: &[(&str, &str)]) -> Oid {
        let put = |(path, content): &(&str, &str)| Change::Put {
            path: RepoPath::parse(path).unwrap(),
            mode: FileMode::Regular,
            content: Bytes::copy_from_slice(content.as_bytes()),
        };
        let spec = CommitSpec {
            branch: DEPLOY_BRANCH.into(),
            parent: None,
            author: Author { name: "ada".into(), email: "ada@localhost".into(), at: NOON },
            message: "a change".into(),
            changes: files.iter().map(put).collect(),
        };
        self.repos.repo(space.id).commit(spec).await.unwrap()
    }

    /// Stores changed settings and tells the fleet.
    pub(crate) async fn change(&self, space: &mut Space, change: impl FnOnce(&mut Space)) {
        change(space);
        let mut batch = self.db.batch();
        batch.update_space(&self.db, space);
        self.db.commit(batch).await.unwrap();
        self.fleet.settings_changed(space).await.unwrap();
    }

    /// Waits until the view is as wanted.
    #[track_caller]
    pub(crate) fn until(
        &self,
        space: &Space,
        what: &'static str,
        wanted: impl Fn(&FleetView) -> bool,
    ) -> impl Future<Output = FleetView> {
        let views = self.fleet.watch(space.id);
        let caller = std::panic::Location::caller();
        async move {
            let mut views = views.expect("the Space exists");
            let found = tokio::time::timeout(PATIENCE, views.wait_for(|view| wanted(view)))
                .await
                .map(|view| view.unwrap().clone());
            found.unwrap_or_else(|_| panic!("{caller}: {what} was not reached, it is {:?}", views.borrow()))
        }
    }

    /// Waits for a stage in which nothing but it is pending.
    #[track_caller]
    pub(crate) fn reaches(&self, space: &Space, stage: Stage) -> impl Future<Output = FleetView> {
        self.until(space, stage.as_str(), move |view| view.stage == stage)
    }

    /// Waits until the newest commit answers.
    #[track_caller]
    pub(crate) fn serves(&self, space: &Space, revision: Oid) -> impl Future<Output = FleetView> {
        self.until(space, "serving", move |view| {
            view.stage == Stage::Running && view.state.served_revision() == Some(revision)
        })
    }

    pub(crate) fn slot(&self, host: &str) -> Arc<RouteSlot> {
        self.routes.slot(host).expect("the host is routed")
    }

    /// What a visitor gets at a host name from what is live there.
    pub(crate) async fn get(&self, host: &str) -> Result<String, String> {
        let upstream = match &self.slot(host).entry.load().target {
            RouteTarget::Live { upstream, .. } => upstream.clone(),
            RouteTarget::Asleep => return Err("asleep".into()),
            RouteTarget::Unavailable { stage, .. } => return Err(stage.as_str().into()),
        };
        let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let response = upstream.call(http::Request::new(body)).await.map_err(|fault| fault.to_string())?;
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Waits for something that no view tells.
    #[track_caller]
    pub(crate) fn eventually(what: &'static str, holds: impl Fn() -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let wait = async {
                while !holds() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{caller}: {what} did not happen"));
        }
    }
}

fn config(data: &std::path::Path, keys: &KeyStore) -> FleetConfig {
    let mut catalogue = Catalogue::default();
    let paid = catalogue.flavor("cpu-upgrade").unwrap().clone();
    catalogue.set_hardware(Hardware { name: "paid".into(), ..paid });
    FleetConfig {
        data: data.to_owned(),
        keys: keys.clone(),
        catalogue,
        addresses: Addresses { scheme: "http".into(), hub: "localhost:7860".into(), spaces: "localhost:7860".into() },
        limits: OperatorLimits::default(),
        egress: EgressPolicy::default(),
        free_sleep_after: Some(Duration::from_secs(3600)),
        expose_static_secrets: true,
        build_workers: 1,
        build_deadline: Duration::from_secs(60),
        stop_grace: Duration::from_secs(1),
    }
}

/// The plugins of a test's host: one of the kind `slides`.
fn plugins() -> Vec<PluginKind> {
    vec![PluginKind::new("slides", "deck.md").unwrap()]
}

/// The README of an app of a kind.
pub(crate) fn readme(sdk: &str) -> String {
    format!("---\nsdk: {sdk}\n---\n")
}

/// A Space of ada's that is stored nowhere yet.
pub(crate) fn space(name: &str) -> Space {
    let path: spaceport_core::name::SpacePath = format!("ada/{name}").parse().unwrap();
    Space {
        id: SpaceId::from_bytes(rand::random()),
        subdomain: Subdomain::derive(&path),
        path,
        owner: AccountId::from_bytes([1; 12]),
        creator: AccountId::from_bytes([1; 12]),
        created_at: NOON,
        updated_at: NOON,
        visibility: Visibility::Public,
        sdk: Sdk::Wasm,
        hardware: DEFAULT_FLAVOR.into(),
        storage: None,
        sleep_after: SleepAfter::HostDefault,
        variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        preview: None,
    }
}
