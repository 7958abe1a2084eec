//! A hub in process for tests: real database, real git, a real fleet over a backend that does nothing.

pub(crate) mod browser;
mod scanner;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use spaceport_control::clock::SystemClock;
use spaceport_control::fleet::{Fleet, FleetConfig, FleetParts};
use spaceport_control::ports::{
    self, Artifact, Backend, BackendPlugin, BuildRequest, LaunchError, LaunchRequest, PluginError, PluginStore,
    Upstream, Usage,
};
use spaceport_control::routes::RouteTable;
use spaceport_control::service::{Addresses, Control, ControlParts, NewSpace, NewToken, NewUser};
use spaceport_core::egress::EgressPolicy;
use spaceport_core::fault::Fault;
use spaceport_core::hardware::Catalogue;
use spaceport_core::lifecycle::BuildFailure;
use spaceport_core::limits::OperatorLimits;
use spaceport_core::permission::{Actor, TokenRole};
use spaceport_core::plugin::{PluginKind, PluginWord};
use spaceport_core::space::{Sdk, Visibility};
use spaceport_db::{Db, KeyStore, Options};
use spaceport_git::Repos;
use tempfile::TempDir;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tower::ServiceExt;

use crate::router::{AppState, hub_router};

/// Longest wait for a stage.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A hub with the user `ada`, her token with the role `write`, and a token of `bob`.
pub(crate) struct TestHub {
    pub(crate) control: Control,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) router: Router,
    pub(crate) ada: String,
    pub(crate) bob: String,
    /// What the app that was launched last finds in its environment.
    pub(crate) env: Arc<parking_lot::Mutex<Vec<(String, String)>>>,
    /// Backends that are programs of their own.
    pub(crate) programs: Arc<parking_lot::Mutex<Vec<BackendPlugin>>>,
    /// Builds take it for a moment.
    builds: Arc<Mutex<()>>,
    _dir: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn read(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Status and `X-Error-Code`.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.header("x-error-code").unwrap_or_default())
    }
}

impl TestHub {
    pub(crate) async fn start() -> Self {
        Self::start_at("hub.test").await
    }

    /// One that is reached at this authority.
    pub(crate) async fn start_at(authority: &str) -> Self {
        Self::start_with("http", authority).await
    }

    /// The same with another scheme.
    pub(crate) async fn start_with(scheme: &str, authority: &str) -> Self {
        Self::begin(scheme, authority, EgressPolicy::default()).await
    }

    /// One that may send to addresses that others may not.
    pub(crate) async fn with_egress(egress: EgressPolicy) -> Self {
        Self::begin("http", "hub.test", egress).await
    }

    async fn begin(scheme: &str, authority: &str, egress: EgressPolicy) -> Self {
        let hub = Self::without_users(scheme, authority, egress).await;
        let (ada, bob) = (user(&hub.control, "ada").await, user(&hub.control, "bob").await);
        Self { ada, bob, ..hub }
    }

    /// One on which nobody has an account.
    pub(crate) async fn empty() -> Self {
        Self::without_users("http", "hub.test", EgressPolicy::default()).await
    }

    async fn without_users(scheme: &str, authority: &str, egress: EgressPolicy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let builds = Arc::new(Mutex::new(()));
        let routes = Arc::<RouteTable>::default();
        let idle = Idle {
            builds: builds.clone(),
            env: Arc::default(),
            programs: Arc::default(),
            installed: Installed::default(),
        };
        let (env, programs) = (idle.env.clone(), idle.programs.clone());
        let addresses = Addresses { scheme: scheme.into(), hub: authority.into(), spaces: "spaces.test".into() };
        let control = control(dir.path(), (addresses, egress), idle, routes.clone()).await;
        let router = hub_router(AppState::new(control.clone()));
        let (ada, bob) = (String::new(), String::new());
        Self { control, routes, router, ada, bob, env, programs, builds, _dir: dir }
    }

    /// The same where people make accounts for themselves.
    pub(crate) fn with_sign_up(self) -> Self {
        let router = hub_router(AppState::new(self.control.clone()).with_sign_up(true));
        Self { router, ..self }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// A request of ada's.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(request(method, path, Some(&self.ada), body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Creates a Space of ada's.
    pub(crate) async fn create(&self, name: &str, sdk: &str) {
        let body = serde_json::json!({ "name": name, "organization": null, "type": "space", "sdk": sdk });
        self.post("/api/repos/create", body).await.expect(200);
    }

    /// Commits files to a Space of ada's.
    pub(crate) async fn commit(&self, name: &str, files: &[(&str, &str)]) -> Answer {
        self.commit_with(name, serde_json::json!({ "summary": "change" }), files).await
    }

    /// The same to another revision than `main`, with a query behind it.
    pub(crate) async fn commit_to(&self, name: &str, revision: &str, files: &[(&str, &str)]) -> Answer {
        self.commit_at(name, revision, serde_json::json!({ "summary": "change" }), files).await
    }

    pub(crate) async fn commit_with(&self, name: &str, header: Value, files: &[(&str, &str)]) -> Answer {
        self.commit_at(name, "main", header, files).await
    }

    async fn commit_at(&self, name: &str, revision: &str, header: Value, files: &[(&str, &str)]) -> Answer {
        let mut lines = serde_json::json!({ "key": "header", "value": header }).to_string() + "\n";
        for (path, content) in files {
            let value = serde_json::json!({ "path": path, "content": content, "encoding": "utf-8" });
            lines += &(serde_json::json!({ "key": "file", "value": value }).to_string() + "\n");
        }
        let request = Request::post(format!("/api/spaces/ada/{name}/commit/{revision}"))
            .header("authorization", format!("Bearer {}", self.ada))
            .body(Body::from(lines))
            .unwrap();
        self.send(request).await
    }

    /// Where everything of the hub is on disk.
    pub(crate) fn data(&self) -> &Path {
        self._dir.path()
    }

    /// A user who signs in by password alone.
    pub(crate) async fn set_password(&self, name: &str, password: &str) {
        let new = NewUser { name: name.parse().unwrap(), is_admin: false, password: Some(password.into()) };
        self.control.accounts().create_user(new).await.unwrap();
    }

    /// The token of an administrator of this host.
    pub(crate) async fn administrator(&self, name: &str) -> String {
        let new = NewUser { name: name.parse().unwrap(), is_admin: true, password: None };
        self.control.accounts().create_user(new).await.unwrap();
        let new = NewToken { user: name.parse().unwrap(), role: TokenRole::Admin, label: "test".into() };
        self.control.accounts().create_token(new).await.unwrap().expose().to_owned()
    }

    /// Creates a Space of a user who signs in by password; its path.
    pub(crate) async fn own_space(&self, user: &str, password: &str, name: &str) -> String {
        let user = self.control.git_sign_in(user, password, [127, 0, 0, 1].into()).await.unwrap().unwrap();
        let new = NewSpace {
            owner: None,
            name: name.parse().unwrap(),
            sdk: Sdk::Static,
            visibility: Visibility::Public,
            hardware: None,
            storage: None,
            sleep_after: None,
            variables: Vec::new(),
            secrets: Vec::new(),
            license: None,
        };
        self.control.create_space(&Actor::User(user), new).await.unwrap().value.path.to_string()
    }

    /// Lets no build go on until the guard is dropped.
    pub(crate) fn hold_builds(&self) -> OwnedMutexGuard<()> {
        self.builds.clone().try_lock_owned().expect("no build is under way")
    }

    /// Waits until a Space of ada's is in a stage.
    pub(crate) async fn reaches(&self, name: &str, stage: &str) {
        let actor = Actor::User(self.control.accounts().authenticate(&self.ada).unwrap().unwrap().user);
        let path = format!("ada/{name}").parse().unwrap();
        let mut changes = self.control.changes(&actor, &path).unwrap();
        let mut seen = Vec::new();
        let reached = async {
            loop {
                changes.mark_unchanged();
                let runtime = self.control.runtime(&actor, &path).unwrap();
                if runtime.stage.as_str() == stage {
                    return;
                }
                seen.push((runtime.stage, runtime.error_message));
                changes.changed().await.unwrap();
            }
        };
        let result = tokio::time::timeout(PATIENCE, reached).await;
        assert!(result.is_ok(), "{name} did not reach {stage}; it was {seen:?}");
    }
}

pub(crate) fn request(method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    request.body(body).unwrap()
}

async fn user(control: &Control, name: &str) -> String {
    let new = NewUser { name: name.parse().unwrap(), is_admin: false, password: None };
    control.accounts().create_user(new).await.unwrap();
    let new = NewToken { user: name.parse().unwrap(), role: TokenRole::Write, label: "test".into() };
    control.accounts().create_token(new).await.unwrap().expose().to_owned()
}

async fn control(
    dir: &Path,
    (addresses, egress): (Addresses, EgressPolicy),
    idle: Idle,
    routes: Arc<RouteTable>,
) -> Control {
    let keys = KeyStore::open(&dir.join("keys")).unwrap();
    let (db, _) = Db::open(&dir.join("store"), &keys, Options::default()).unwrap();
    let db = Arc::new(db);
    let repos = Arc::new(Repos::open(&dir.join("repos")).await.unwrap());
    let clock = Arc::new(SystemClock::new());
    let config = FleetConfig {
        data: dir.to_owned(),
        keys: keys.clone(),
        catalogue: Catalogue::default(),
        addresses,
        limits: OperatorLimits::default(),
        egress,
        free_sleep_after: Some(Duration::from_secs(172_800)),
        expose_static_secrets: true,
        build_workers: 2,
        build_deadline: PATIENCE,
        stop_grace: Duration::from_millis(100),
    };
    let parts = FleetParts {
        db: db.clone(),
        repos: repos.clone(),
        backend_plugins: Arc::new({
            let programs = idle.programs.clone();
            move || programs.lock().clone()
        }),
        backends: vec![Arc::new(idle)],
        clock: clock.clone(),
        routes,
    };
    let fleet = Fleet::start(config, parts).await.unwrap();
    Control::new(ControlParts { db, repos, keys, fleet, clock }).with_scanner(Arc::new(scanner::Marked))
}

/// Builds anything that may be built, and answers every request with a word.
struct Idle {
    builds: Arc<Mutex<()>>,
    env: Arc<parking_lot::Mutex<Vec<(String, String)>>>,
    programs: Arc<parking_lot::Mutex<Vec<BackendPlugin>>>,
    installed: Installed,
}

/// Takes as a component whatever is the `sdk:` word of a plugin.
#[derive(Clone, Default)]
struct Installed(Arc<parking_lot::Mutex<Vec<PluginKind>>>);

struct Word;

impl PluginStore for Installed {
    fn install(&self, component: Bytes) -> BoxFuture<'static, Result<PluginKind, PluginError>> {
        let kinds = self.0.clone();
        Box::pin(async move {
            let kind = PluginKind::new(&String::from_utf8_lossy(&component), "index.md");
            let kind = kind.map_err(|error| PluginError::Refused(error.to_string()))?;
            let mut kinds = kinds.lock();
            kinds.retain(|there| there.word != kind.word);
            kinds.push(kind.clone());
            Ok(kind)
        })
    }

    fn remove(&self, word: PluginWord) -> BoxFuture<'static, Result<(), PluginError>> {
        self.0.lock().retain(|kind| kind.word != word);
        Box::pin(async { Ok(()) })
    }
}

impl Backend for Idle {
    fn sdks(&self) -> Vec<Sdk> {
        let installed = self.plugins().into_iter().map(|kind| Sdk::Plugin(kind.word));
        [Sdk::Static, Sdk::Wasm].into_iter().chain(installed).collect()
    }

    fn plugins(&self) -> Vec<PluginKind> {
        self.installed.0.lock().clone()
    }

    fn plugin_store(&self) -> Option<Arc<dyn PluginStore>> {
        Some(Arc::new(self.installed.clone()))
    }

    fn build(&self, request: BuildRequest) -> BoxFuture<'static, Result<Artifact, BuildFailure>> {
        let builds = self.builds.clone();
        Box::pin(async move {
            let _turn = builds.lock().await;
            request.log.write(b"built it\n");
            Ok(Artifact("artifact".into()))
        })
    }

    fn launch(&self, request: LaunchRequest) -> BoxFuture<'static, Result<Arc<dyn Upstream>, LaunchError>> {
        request.log.write(b"hello from the app\n");
        *self.env.lock() = request.env;
        Box::pin(async { Ok(Arc::new(Word) as Arc<dyn Upstream>) })
    }
}

impl Upstream for Word {
    fn call(&self, _request: Request<ports::Body>) -> BoxFuture<'static, Result<http::Response<ports::Body>, Fault>> {
        let body = Full::new(Bytes::from_static(b"hello")).map_err(|never| match never {}).boxed_unsync();
        Box::pin(async { Ok(http::Response::new(body)) })
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn stop(&self, _grace: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}
