//! An engine in a temporary directory, and Spaces launched on it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use spaceport_core::egress::EgressPolicy;
use spaceport_core::fault::Fault;
use spaceport_core::id::SpaceId;
use spaceport_core::limits::{COMPONENT, Limits};
use spaceport_core::manifest::Isolation;
use spaceport_engine::{ArtifactId, Body, Engine, EngineConfig, GuestLog, LaunchSpec, Running};
use tokio::runtime::Handle;

/// Set for the process that compiles: this very program.
const COMPILE: &str = "SPACEPORT_TEST_COMPILE";
/// Bytes of the node in tests.
pub(crate) const NODE_MEMORY: u64 = 4 << 30;

/// The body of the compiling process. Without its variable it only shows that it is not one.
#[test]
fn a_test_process_compiles_only_when_told_to() {
    if std::env::var_os(COMPILE).is_some() {
        let ok = spaceport_engine::compile::child_main() == std::process::ExitCode::SUCCESS;
        std::process::exit(if ok { 0 } else { 3 });
    }
    assert!(std::env::var_os(COMPILE).is_none());
}

/// An engine and its directory.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) dir: tempfile::TempDir,
}

/// A Space and its log.
pub(crate) struct Space {
    pub(crate) running: Arc<Running>,
    pub(crate) log: Arc<Log>,
}

#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<u8>>);

impl GuestLog for Log {
    fn write(&self, text: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(text);
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// The file of a test guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    guest_file(&format!("test/{name}.wasm"))
}

/// A file among the built guests.
pub(crate) fn guest_file(path: &str) -> Vec<u8> {
    let dir = PathBuf::from(std::env::var_os("SPACEPORT_GUESTS").expect("cargo sets it, see .cargo/config.toml"));
    let file = dir.join(path);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests` first", file.display()))
}

pub(crate) fn limits() -> Limits {
    Limits {
        vcpu: 64.0,
        memory: 1 << 30,
        disk: 64 << 20,
        storage: None,
        inodes: 1000,
        request_fuel: None,
        first_byte: Duration::from_secs(10),
        idle_chunk: Duration::from_secs(10),
        stream: Duration::from_secs(60),
        queue: Duration::from_secs(5),
        cold_start: Duration::from_secs(10),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_memory(NODE_MEMORY)
    }

    pub(crate) fn with_memory(node_memory: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { engine: Self::engine(dir.path().join("artifacts"), node_memory, [7; 32]), dir }
    }

    pub(crate) fn engine(artifacts: PathBuf, node_memory: u64, seal_key: [u8; 32]) -> Arc<Engine> {
        let exe = std::env::current_exe().unwrap();
        let test = "harness::a_test_process_compiles_only_when_told_to";
        let mut compile_command: Vec<OsString> = vec!["/usr/bin/env".into(), format!("{COMPILE}=1").into(), exe.into()];
        compile_command.extend(["--exact", "--nocapture", test].map(OsString::from));
        Engine::new(EngineConfig {
            artifacts,
            seal_key,
            compile_command,
            component_bytes: COMPONENT.0,
            compile_time: Duration::from_secs(20),
            node_memory,
            data_runtime: Handle::current(),
        })
        .unwrap()
    }

    pub(crate) async fn compile(&self, name: &str) -> ArtifactId {
        self.engine.compile(&guest(name), &|_| {}).await.unwrap()
    }

    pub(crate) async fn launch(&self, name: &str) -> Space {
        self.launch_with(name, |_| {}).await
    }

    pub(crate) async fn launch_with(&self, name: &str, change: impl FnOnce(&mut LaunchSpec)) -> Space {
        let artifact = self.compile(name).await;
        let log = Arc::new(Log::default());
        let mut spec = self.spec(artifact, log.clone());
        change(&mut spec);
        Space { running: self.engine.launch(spec).await.unwrap(), log }
    }

    pub(crate) fn spec(&self, artifact: ArtifactId, log: Arc<dyn GuestLog>) -> LaunchSpec {
        let dir = |name: &str| {
            let path = self.dir.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        LaunchSpec {
            space: SpaceId::from_bytes([1; 12]),
            label: "owner/name".into(),
            revision: "0".repeat(40),
            artifact,
            env: vec![("SPACE_ID".into(), "owner/name".into())],
            app: dir("app"),
            tmp: dir("tmp"),
            data: None,
            limits: limits(),
            egress: EgressPolicy::default(),
            isolation: Isolation::Shared,
            log,
            on_crash: Box::new(|_| {}),
            sdk: None,
        }
    }
}

pub(crate) fn request(path: &str) -> http::Request<Full<Bytes>> {
    http::Request::get(path).header("host", "owner-name.localhost").body(Full::default()).unwrap()
}

impl Space {
    /// The head of the answer.
    pub(crate) async fn head(&self, path: &str) -> Result<http::Response<Body>, Fault> {
        self.running.call(request(path)).await
    }

    /// The whole answer.
    pub(crate) async fn get(&self, path: &str) -> Result<String, Fault> {
        let body = self.head(path).await?.into_body().collect().await.expect("the body is whole").to_bytes();
        Ok(String::from_utf8(body.into()).unwrap())
    }

    /// Waits until no instance is left, or tells what is.
    pub(crate) async fn empties(&self) {
        eventually("the instances end", || self.running.usage().instances == 0).await;
    }
}

/// Waits for something that must become true soon.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}
