//! A backend plugin as a backend of the control plane: its builds, its instances, and the way to them.
//!
//! Whether the plugin answers at the moment is no reason to send a Space elsewhere: what it said it runs, and before it has
//! said anything what containers are for, is asked of it, and waits for it for a while.

mod messages;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spaceport_backend::protocol::{
    Artifact as Image, BuildEvent, Description, Fault as Blamed, InstanceId, LogLine, Retain,
};
use spaceport_backend::{BuildError, Instances, Pace, Running, StartError, State, Supervisor, Witness};
use spaceport_control::ports::{Artifact, Backend, BuildRequest, LaunchError, LaunchRequest, LogSink, Upstream};
use spaceport_core::hardware::{Catalogue, Hardware};
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{BuildFailure, FailureKind};
use spaceport_core::space::Sdk;
use tokio::sync::watch;

pub(crate) use messages::ask as hardware_to_ask;

use messages::Given;
use upstream::ContainerUpstream;

/// How an image's name is recorded.
const IMAGE: &str = "container:";
/// The kinds that take a container, unless the backend says that it runs fewer.
const SDKS: [Sdk; 2] = [Sdk::Docker, Sdk::Gradio];
/// The word for web sites, which are built and never run.
const SITES: &str = "static";
/// Seconds that images which no release needs are kept: who pushes again within a week builds on what is there.
const IMAGE_AGE: u64 = 7 * 24 * 60 * 60;
/// Bytes that they may have together.
const IMAGE_BYTES: u64 = 50_000_000_000;

/// Builds and runs Spaces in containers.
pub(crate) struct ContainerBackend {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    instances: Instances,
    state: watch::Receiver<State>,
    supervisor: Arc<Supervisor>,
    /// What the backend said last of what it can do; it may be down since.
    known: Mutex<Option<Description>>,
}

impl ContainerBackend {
    /// Over a plugin that is kept running. `key` tells this host's instances from others'.
    pub(crate) fn new(supervisor: Arc<Supervisor>, key: [u8; 32]) -> Self {
        let shared = Shared {
            name: supervisor.name().to_string(),
            instances: Instances::new(&supervisor, key, Pace::default()),
            state: supervisor.watch(),
            supervisor,
            known: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Backend for ContainerBackend {
    fn sdks(&self) -> Vec<Sdk> {
        match self.shared.known() {
            Some(known) => SDKS.into_iter().filter(|sdk| has(&known, sdk.as_str())).collect(),
            None => SDKS.to_vec(),
        }
    }

    fn program(&self) -> Option<String> {
        Some(self.shared.name.clone())
    }

    fn refuses(&self, row: &Hardware) -> Option<String> {
        let flavor = row.name.as_str();
        let Some(known) = self.shared.known() else {
            return row.gpu.is_some().then(|| self.shared.not_answering("it has not said yet what it offers"));
        };
        let row = known.flavors.iter().find(|row| row.name.as_str() == flavor);
        match row {
            Some(row) => row.refusal.as_ref().map(|why| format!("{flavor} cannot be had: {why}")),
            None => Some(format!("{flavor} is not offered by the container backend {}", self.shared.name)),
        }
    }

    fn offer(&self, catalogue: &Catalogue) {
        self.shared.supervisor.ask(messages::ask(catalogue));
    }

    fn builds_sites(&self) -> bool {
        self.shared.known().is_none_or(|known| has(&known, SITES))
    }

    fn retain(&self, needed: Vec<Artifact>) -> BoxFuture<'static, ()> {
        let shared = self.shared.clone();
        async move {
            let needed = needed.iter().filter_map(|artifact| image(&artifact.0)).collect();
            let request = Retain { needed, seconds: IMAGE_AGE, bytes: IMAGE_BYTES };
            match shared.instances.retain(&request).await {
                Ok(0) => {}
                Ok(missing) => tracing::info!(
                    backend = shared.name,
                    missing,
                    "images are to be built again when they are launched"
                ),
                Err(error) => tracing::debug!(backend = shared.name, error, "images that nobody needs stay for now"),
            }
        }
        .boxed()
    }

    fn build(&self, request: BuildRequest) -> BoxFuture<'static, Result<Artifact, BuildFailure>> {
        let shared = self.shared.clone();
        async move { shared.build(&request).await }.boxed()
    }

    fn launch(&self, request: LaunchRequest) -> BoxFuture<'static, Result<Arc<dyn Upstream>, LaunchError>> {
        let shared = self.shared.clone();
        async move { shared.launch(request).await }.boxed()
    }
}

impl Shared {
    fn known(&self) -> Option<Description> {
        if let State::Up(up) = &*self.state.borrow() {
            *self.known.lock() = Some(up.description.clone());
        }
        self.known.lock().clone()
    }

    fn not_answering(&self, why: &str) -> String {
        format!("the container backend {} is not answering: {why}", self.name)
    }

    async fn build(&self, request: &BuildRequest) -> Result<Artifact, BuildFailure> {
        let given = Given::of_build(request);
        let asked = messages::build(build_id(request.space), &request.manifest, &given)
            .map_err(|message| BuildFailure { kind: FailureKind::ConfigError, message })?;
        let log = request.log.clone();
        match self.instances.build(&asked, move |line| write(&*log, line)).await {
            Ok(BuildEvent::Built { artifact, .. }) => Ok(Artifact(format!("{IMAGE}{artifact}"))),
            // Where the files are, whoever asked for them knows.
            Ok(_) => Ok(Artifact(String::new())),
            Err(BuildError::NotAnswering(why)) => {
                Err(BuildFailure { kind: FailureKind::NoBackend, message: self.not_answering(&why) })
            }
            Err(BuildError::Failed { fault, message }) => {
                let kind = match fault {
                    Blamed::Owner => FailureKind::BuildError,
                    Blamed::Platform => FailureKind::Host,
                };
                Err(BuildFailure { kind, message })
            }
        }
    }

    async fn launch(self: Arc<Self>, request: LaunchRequest) -> Result<Arc<dyn Upstream>, LaunchError> {
        let running = match self.start(&request, image(&request.artifact.0)).await {
            // The image is gone: made again from the same files it is the same app.
            Err(StartError::NoArtifact) => {
                let built = self.build_again(&request).await?;
                self.start(&request, Some(built)).await
            }
            started => started,
        };
        let running = running.map_err(|error| self.launch_error(error))?;
        if running.was_running() {
            request.log.write(b"===== It has run on =====\n");
        }
        let upstream = ContainerUpstream::new(running, &request, self.state.clone());
        upstream.ready().await.map_err(LaunchError::app)?;
        Ok(Arc::new(upstream))
    }

    async fn start(&self, request: &LaunchRequest, image: Option<Image>) -> Result<Running, StartError> {
        let image = image.ok_or(StartError::NoArtifact)?;
        let row = &request.hardware;
        let hardware = messages::hardware(row);
        let hardware =
            hardware.ok_or_else(|| StartError::Refused(format!("no backend can be told of {}", row.name)))?;
        let witness = Arc::new(LaunchWitness { log: request.log.clone(), on_crash: request.on_crash.clone() });
        let order = messages::order(request, image, hardware, witness).map_err(StartError::Refused)?;
        self.instances.start(order).await
    }

    async fn build_again(&self, request: &LaunchRequest) -> Result<Image, LaunchError> {
        request.log.write(b"===== Its image is gone and is built again =====\n");
        let given = Given::of_launch(request);
        let asked = messages::build(build_id(request.space), &request.manifest, &given).map_err(LaunchError::app)?;
        let log = request.log.clone();
        match self.instances.build(&asked, move |line| write(&*log, line)).await {
            Ok(BuildEvent::Built { artifact, .. }) => Ok(artifact),
            Ok(_) => Err(LaunchError::host("the build has made no image")),
            Err(BuildError::NotAnswering(why)) => Err(LaunchError::host(self.not_answering(&why))),
            Err(BuildError::Failed { fault: Blamed::Owner, message }) => Err(LaunchError::app(message)),
            Err(BuildError::Failed { fault: Blamed::Platform, message }) => Err(LaunchError::host(message)),
        }
    }

    fn launch_error(&self, error: StartError) -> LaunchError {
        match error {
            StartError::NotAnswering(why) => LaunchError::host(self.not_answering(&why)),
            // The owner reads meanwhile what is waited for.
            StartError::Taken(why) => LaunchError::taken(format!("Waiting for hardware: {why}")),
            StartError::NoArtifact => LaunchError::host("its image is gone and could not be built again"),
            StartError::Refused(why) => LaunchError::host(format!("the container could not be started: {why}")),
            StartError::Ended(why) => LaunchError::app(why),
        }
    }
}

/// What an image's recorded name says; `None` if it is none.
fn image(artifact: &str) -> Option<Image> {
    artifact.strip_prefix(IMAGE)?.parse().ok()
}

fn has(known: &Description, word: &str) -> bool {
    known.sdks.iter().any(|sdk| sdk.as_str() == word)
}

/// A name for a build, another each time: a plugin may still be ending the last one.
fn build_id(space: SpaceId) -> InstanceId {
    static BUILDS: AtomicU64 = AtomicU64::new(0);
    let (run, number) = (std::process::id(), BUILDS.fetch_add(1, Ordering::Relaxed));
    format!("build-{space}-{run}-{number}").parse().expect("lower-case letters, digits and hyphens")
}

fn write(log: &dyn LogSink, line: &LogLine) {
    let mut text = Vec::with_capacity(line.text.len() + 1);
    text.extend_from_slice(line.text.as_bytes());
    text.push(b'\n');
    log.write(&text);
}

/// Tells the control plane what becomes of a launch.
struct LaunchWitness {
    log: Arc<dyn LogSink>,
    on_crash: Arc<dyn Fn(String) + Send + Sync>,
}

impl Witness for LaunchWitness {
    fn wrote(&self, line: &LogLine) {
        write(&*self.log, line);
    }

    fn ended(&self, reason: String) {
        (self.on_crash)(reason);
    }
}
