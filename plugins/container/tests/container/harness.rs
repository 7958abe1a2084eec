//! A plugin of the tests' own, the image of the app that runs in it, and the Engine beside it.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, ListImagesOptions, RemoveContainerOptions, RemoveImageOptions,
};
use spaceport_backend_conformance::http;
use spaceport_backend_protocol::{
    Artifact, BuildEvent, BuildLimits, BuildRequest, Call, Egress, Hardware, Health, Instance, InstanceId,
    InstanceState, Instances, LogLine, Message, Recipe, Refusal, Removed, StartRequest, Stats, StopRequest, Variable,
    Version, decode, encode,
};
use spaceport_container::network::{Fence, NetworkConfig};
use tempfile::TempDir;

use crate::engine::Engine;

/// How long anything may take here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks at what nobody announces.
const LOOK: Duration = Duration::from_millis(50);
/// Plugins of this process so far.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A plugin that runs, with a namespace of its own.
pub(crate) struct Plugin {
    pub(crate) dir: TempDir,
    pub(crate) namespace: String,
    engine: Engine,
    arguments: Vec<String>,
    child: Child,
}

/// The socket of the plugin in this folder.
pub(crate) fn socket(dir: &Path) -> PathBuf {
    dir.join("socket")
}

impl Plugin {
    /// Starts one, unless no engine answers.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// Starts one with these arguments.
    pub(crate) fn with(arguments: &[&str]) -> Option<Self> {
        Some(Self::on(Engine::of_machine()?, arguments))
    }

    /// Starts one on an engine.
    pub(crate) fn on(engine: Engine, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("t{:x}x{number}", std::process::id());
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let child = spawn(&engine, dir.path(), &namespace, &arguments);
        let plugin = Self { dir, namespace, engine, arguments, child };
        plugin.is_there();
        plugin.is_ready();
        plugin
    }

    /// Whether the engine has its network, which then has its rules.
    pub(crate) fn has_network(&self) -> bool {
        let name = format!("spaceport-{}", self.namespace);
        let found = self.engine.ask(async |docker| docker.inspect_network(&name, None).await.is_ok());
        let table = format!("spaceport_sp_{}", self.namespace);
        let rules = Command::new("nft").args(["list", "table", "inet", &table]).output().unwrap();
        assert_eq!(rules.status.success(), found, "{}", String::from_utf8_lossy(&rules.stderr));
        found
    }

    /// Kills it as the system would, and starts the next.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it; until [`Plugin::start_again`] there is none.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the next.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.engine, self.dir.path(), &self.namespace, &self.arguments);
        self.is_there();
        self.is_ready();
    }

    /// Closes its standard input; how it ends.
    pub(crate) fn leave(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }

    fn is_there(&self) {
        eventually("the plugin listens", || std::os::unix::net::UnixStream::connect(self.socket()).ok());
    }

    /// Waits until it can do something.
    pub(crate) fn is_ready(&self) {
        let health = || self.call::<Health>(&Call::Health, b"").ok();
        eventually("the network rule has been tried", || (health() == Some(Health::Ready)).then_some(()));
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.dir.path())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// One call.
    pub(crate) fn call<T: Message>(&self, call: &Call, body: &[u8]) -> Result<T, Refusal> {
        let path = call.path(Version::CURRENT);
        let reply = http::call(&self.socket(), call.method(), &path, body, PATIENCE).unwrap();
        match reply.status {
            200 => Ok(decode(&reply.body).unwrap()),
            _ => Err(decode(&reply.body).unwrap()),
        }
    }

    /// The lines of a stream.
    pub(crate) fn stream<T: Message>(&self, call: &Call, body: &[u8]) -> impl Iterator<Item = T> + use<T> {
        let opened = http::open(&self.socket(), call.method(), &call.path(Version::CURRENT), body, PATIENCE).unwrap();
        assert_eq!(opened.status, 200);
        BufReader::new(opened.body()).split(b'\n').map(|line| decode(&line.unwrap()).unwrap())
    }

    /// Builds to the end: what it made or why not, and its log.
    pub(crate) fn build(&self, request: &BuildRequest) -> (BuildEvent, String) {
        let mut log = String::new();
        for event in self.stream::<BuildEvent>(&Call::Build, &encode(request)) {
            match event {
                BuildEvent::Log(line) => log += &format!("{}\n", line.text),
                end => return (end, log),
            }
        }
        panic!("the build has no end:\n{log}");
    }

    /// The image of the app.
    pub(crate) fn app(&self) -> Artifact {
        self.built("FROM scratch\nCOPY app /app\nCMD [\"/app\", \"serve\"]\n")
    }

    /// An image of this file, beside which lies the app.
    pub(crate) fn built(&self, dockerfile: &str) -> Artifact {
        let (end, log) = self.build(&self.docker_build(dockerfile));
        let BuildEvent::Built { artifact, .. } = end else { panic!("{end:?}\n{log}") };
        artifact
    }

    /// The request to build an image of this file, beside which lies the app. What an earlier run built is not known to be the
    /// same: a step that the engine remembers would not be tried.
    pub(crate) fn docker_build(&self, dockerfile: &str) -> BuildRequest {
        let files = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        fs::copy(app(), files.join("app")).unwrap();
        let mut app = fs::OpenOptions::new().append(true).open(files.join("app")).unwrap();
        write!(app, "{}", self.dir.path().display()).unwrap();
        fs::write(files.join("Dockerfile"), dockerfile).unwrap();
        build_request(Recipe::Docker, &files)
    }

    pub(crate) fn start_app(&self, request: &StartRequest) -> SocketAddr {
        let instance: Instance = self.call(&Call::Start, &encode(request)).unwrap();
        match instance.state {
            InstanceState::Running { address } => {
                eventually("the app answers", || self.get(address, "/").filter(|answer| answer == "hello"));
                address
            }
            state => panic!("{state:?}\n{}", self.log(&request.id)),
        }
    }

    /// What an app answers; `None` if it does not.
    pub(crate) fn get(&self, address: SocketAddr, target: &str) -> Option<String> {
        self.engine.within(|| get(address, target))
    }

    pub(crate) fn stop(&self, id: &InstanceId) -> Instance {
        self.call(&Call::Stop(id.clone()), &encode(&StopRequest { grace_ms: 1000 })).unwrap()
    }

    pub(crate) fn remove(&self, id: &InstanceId) {
        self.call::<Removed>(&Call::Remove(id.clone()), b"").unwrap();
    }

    pub(crate) fn stats(&self, id: &InstanceId) -> Stats {
        self.call(&Call::Stats(id.clone()), b"").unwrap()
    }

    pub(crate) fn list(&self) -> Vec<Instance> {
        self.call::<Instances>(&Call::List, b"").unwrap().instances
    }

    /// How an instance has ended, waited for.
    pub(crate) fn end_of(&self, id: &InstanceId) -> (Option<i32>, String) {
        eventually("it ends", || {
            let found = self.list().into_iter().find(|instance| instance.id == *id)?;
            match found.state {
                InstanceState::Exited { code, reason } => Some((code, reason.to_string())),
                InstanceState::Running { .. } => None,
            }
        })
    }

    /// All that an instance that has ended wrote.
    pub(crate) fn log(&self, id: &InstanceId) -> String {
        self.stream::<LogLine>(&Call::Logs(id.clone()), b"").map(|line| line.text + "\n").collect()
    }

    /// The container of an instance.
    pub(crate) fn container(&self, id: &InstanceId) -> ContainerInspectResponse {
        let name = format!("spaceport-{}-{id}", self.namespace);
        self.engine.ask(async |docker| docker.inspect_container(&name, None::<InspectContainerOptions>).await.unwrap())
    }

    /// How many containers there are.
    pub(crate) fn containers(&self) -> usize {
        let options = ListContainersOptions { all: true, filters: Some(self.filter()), ..Default::default() };
        self.engine.ask(async |docker| docker.list_containers(Some(options)).await.unwrap().len())
    }

    fn filter(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![format!("dev.spaceport.namespace={}", self.namespace)])])
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let filter = self.filter();
        let (network, bridge) = (format!("spaceport-{}", self.namespace), format!("sp-{}", self.namespace));
        let is_machines = self.engine.is_machines();
        self.engine.ask(async |docker| {
            let options = ListContainersOptions { all: true, filters: Some(filter.clone()), ..Default::default() };
            for container in docker.list_containers(Some(options)).await.unwrap_or_default() {
                let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
                let _ = docker.remove_container(&container.id.unwrap(), Some(options)).await;
            }
            let options = ListImagesOptions { filters: Some(filter), ..Default::default() };
            for image in docker.list_images(Some(options)).await.unwrap_or_default() {
                let options = RemoveImageOptions { force: true, ..Default::default() };
                let _ = docker.remove_image(&image.id, Some(options), None).await;
            }
            // What it has of the fence, and its part in the rule for builds.
            let config = NetworkConfig { name: network, bridge: bridge.parse().unwrap(), ..NetworkConfig::default() };
            if !is_machines {
                return;
            }
            let _ = Fence::new(docker.clone(), config, |_| ()).remove().await;
        });
    }
}

fn spawn(engine: &Engine, dir: &Path, namespace: &str, arguments: &Vec<String>) -> Child {
    engine
        .command(env!("CARGO_BIN_EXE_spaceport-container"))
        .arg("--socket")
        .arg(socket(dir))
        .args(["--namespace", namespace])
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The app, compiled once for all tests.
pub(crate) fn app() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/container/app/main.rs");
    let (program, is_new) = (dir.join("app"), |program: &Path| {
        let age = |file: &Path| fs::metadata(file).and_then(|found| found.modified()).ok();
        age(program) >= age(&source)
    });
    if is_new(&program) {
        return program;
    }
    let own = dir.join(format!("app-{}", std::process::id()));
    let mut rustc = Command::new(option_env!("RUSTC").unwrap_or("rustc"));
    rustc.args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"]);
    let output = rustc.arg(&own).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Another test may have been quicker; whoever is last wins, and all are the same.
    fs::rename(own, &program).unwrap();
    program
}

pub(crate) fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

pub(crate) fn variable(name: &str, value: &str) -> Variable {
    Variable { name: name.parse().unwrap(), value: value.parse().unwrap() }
}

fn egress() -> Egress {
    Egress { ports: vec![80, 443, 8080], allow: Vec::new() }
}

/// A row that is small enough for any machine.
pub(crate) fn hardware() -> Hardware {
    Hardware {
        name: "cpu-small".parse().unwrap(),
        cpu_milli: 500,
        memory_bytes: 64 << 20,
        disk_bytes: 1_000_000_000,
        gpu: None,
    }
}

pub(crate) fn start_request(name: &str, artifact: &Artifact) -> StartRequest {
    StartRequest {
        id: id(name),
        artifact: artifact.clone(),
        hardware: hardware(),
        variables: Vec::new(),
        port: 7860,
        data: None,
        egress: egress(),
    }
}

pub(crate) fn build_request(recipe: Recipe, files: &Path) -> BuildRequest {
    BuildRequest {
        id: id("build-1"),
        scope: id("ada"),
        recipe,
        files: files.to_str().unwrap().parse().unwrap(),
        variables: Vec::new(),
        secrets: Vec::new(),
        clean: false,
        egress: egress(),
        limits: BuildLimits { seconds: 600, log_bytes: 1 << 20, disk_bytes: 4_000_000_000 },
    }
}

/// What an app answers; `None` if it does not.
pub(crate) fn get(address: SocketAddr, target: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: app\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
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
