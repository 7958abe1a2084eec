//! The wasm engine as a backend: builds are compilations, launches are pools of instances.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spaceport_control::ports::{
    Artifact, Backend, Body, BuildRequest, LaunchError, LaunchRequest, LogSink, Upstream, Usage,
};
use spaceport_core::fault::Fault;
use spaceport_core::lifecycle::{BuildFailure, FailureKind};
use spaceport_core::space::Sdk;
use spaceport_engine::{ArtifactId, CompileError, Engine, GuestLog, LaunchSpec, Running, SdkContext, StartError};

/// The component that serves static Spaces, built from `plugins/static-site`.
const STATIC_SITE: &[u8] = include_bytes!(env!("SPACEPORT_STATIC_SITE"));
/// The artifact of every static Space: the plugin of whatever version this host has.
const STATIC_ARTIFACT: &str = "static-site";

/// Builds and runs static and app Spaces.
pub(crate) struct EngineBackend {
    engine: Arc<Engine>,
    static_site: ArtifactId,
}

impl EngineBackend {
    /// Prepares the embedded plugin, which compiles it the first time this host starts.
    pub(crate) async fn new(engine: Arc<Engine>) -> Result<Self, CompileError> {
        let static_site = engine.compile(STATIC_SITE, &|line| tracing::debug!(line, "static-site plugin")).await?;
        Ok(Self { engine, static_site })
    }
}

impl Backend for EngineBackend {
    fn sdks(&self) -> Vec<Sdk> {
        vec![Sdk::Static, Sdk::Wasm]
    }

    fn build(&self, request: BuildRequest) -> BoxFuture<'static, Result<Artifact, BuildFailure>> {
        let engine = self.engine.clone();
        async move {
            match request.manifest.sdk {
                Sdk::Static => build_static(&request),
                _ => build_component(&engine, &request).await,
            }
        }
        .boxed()
    }

    fn launch(&self, request: LaunchRequest) -> BoxFuture<'static, Result<Arc<dyn Upstream>, LaunchError>> {
        let (engine, static_site) = (self.engine.clone(), self.static_site);
        async move {
            let running = start(&engine, &request, static_site).await?;
            Ok(Arc::new(EngineUpstream(running)) as Arc<dyn Upstream>)
        }
        .boxed()
    }
}

fn build_static(request: &BuildRequest) -> Result<Artifact, BuildFailure> {
    let entry = &request.manifest.app_file;
    if !request.app.dir.is_file(entry) {
        return Err(missing(entry));
    }
    Ok(Artifact(STATIC_ARTIFACT.to_owned()))
}

async fn build_component(engine: &Engine, request: &BuildRequest) -> Result<Artifact, BuildFailure> {
    let entry = &request.manifest.app_file;
    let component = match request.app.dir.read(entry) {
        Ok(component) => component,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing(entry)),
        Err(error) => return Err(broken(format!("{entry} cannot be read: {error}"))),
    };
    let log = request.log.clone();
    let say = move |line: &str| log.write(format!("{line}\n").as_bytes());
    match engine.compile(&component, &say).await {
        Ok(artifact) => Ok(Artifact(artifact.to_string())),
        Err(CompileError::Refused(refusal)) => Err(broken(format!("{entry}: {refusal}"))),
        Err(error) => {
            tracing::error!(space = %request.path, %error, "a component could not be compiled");
            let message = format!("{entry} could not be compiled, through no fault of its own: {error}");
            Err(BuildFailure { kind: FailureKind::Host, message })
        }
    }
}

/// Starts a release. Its component is compiled anew if the recorded artifact was made by another version of this host,
/// is damaged or gone.
async fn start(engine: &Engine, request: &LaunchRequest, static_site: ArtifactId) -> Result<Arc<Running>, LaunchError> {
    let recorded = match request.artifact.0.as_str() {
        STATIC_ARTIFACT => Some(static_site),
        recorded => recorded.parse().ok(),
    };
    if let Some(artifact) = recorded {
        match engine.launch(spec(request, artifact)).await {
            Err(StartError::Recompile(error)) => {
                tracing::info!(space = %request.path, %error, "compiling again: the artifact is not usable");
            }
            outcome => return outcome.map_err(start_error),
        }
    }
    let artifact = compile_again(engine, request).await?;
    engine.launch(spec(request, artifact)).await.map_err(start_error)
}

fn start_error(error: StartError) -> LaunchError {
    match error {
        StartError::Refused(_) => LaunchError::app(error.to_string()),
        StartError::Recompile(_) | StartError::Files(_) => LaunchError::host(error.to_string()),
    }
}

async fn compile_again(engine: &Engine, request: &LaunchRequest) -> Result<ArtifactId, LaunchError> {
    let entry = &request.manifest.app_file;
    let component = match request.artifact.0.as_str() {
        STATIC_ARTIFACT => STATIC_SITE.to_vec(),
        _ => {
            let unreadable = |error| LaunchError::host(format!("{entry}: cannot be read: {error}"));
            request.app.dir.read(entry).map_err(unreadable)?
        }
    };
    engine.compile(&component, &|_| {}).await.map_err(|error| match error {
        CompileError::Refused(refusal) => LaunchError::app(format!("{entry}: {refusal}")),
        error => LaunchError::host(format!("{entry}: {error}")),
    })
}

fn spec(request: &LaunchRequest, artifact: ArtifactId) -> LaunchSpec {
    let sdk = (request.manifest.sdk == Sdk::Static).then(|| SdkContext {
        app_file: request.manifest.app_file.clone(),
        custom_headers: request.manifest.custom_headers.clone(),
        page_variables: request.page_variables.clone(),
        revision: request.revision.to_string(),
        files: request
            .files
            .iter()
            .map(|(path, file)| (path.clone(), (file.size, file.oid.to_string())))
            .collect::<BTreeMap<_, _>>(),
    });
    LaunchSpec {
        space: request.space,
        label: request.path.to_string(),
        revision: request.revision.to_string(),
        artifact,
        env: request.env.clone(),
        app: request.app.path.clone(),
        tmp: request.tmp.path.clone(),
        data: request.data.as_ref().map(|data| data.path.clone()),
        limits: request.limits.clone(),
        egress: request.egress.clone(),
        isolation: request.manifest.wasm.isolation,
        log: Arc::new(RunLog(request.log.clone())),
        on_crash: on_crash(request),
        sdk,
    }
}

fn on_crash(request: &LaunchRequest) -> Box<dyn Fn(&Fault) + Send + Sync> {
    let report = request.on_crash.clone();
    Box::new(move |fault| report(format!("no instance starts any more: {fault}")))
}

fn missing(entry: &str) -> BuildFailure {
    let message =
        format!("{entry} is not in the repository: commit it, or name another file as app_file in the README");
    BuildFailure { kind: FailureKind::NoAppFile, message }
}

fn broken(message: String) -> BuildFailure {
    BuildFailure { kind: FailureKind::BuildError, message }
}

/// The control plane's log as the engine's.
struct RunLog(Arc<dyn LogSink>);

impl GuestLog for RunLog {
    fn write(&self, text: &[u8]) {
        self.0.write(text);
    }
}

/// A running release as the edge calls it.
struct EngineUpstream(Arc<Running>);

impl Upstream for EngineUpstream {
    fn call(&self, request: http::Request<Body>) -> BoxFuture<'static, Result<http::Response<Body>, Fault>> {
        let running = self.0.clone();
        async move { running.call(request).await }.boxed()
    }

    fn usage(&self) -> Usage {
        usage(&self.0)
    }

    fn stop(&self, grace: Duration) -> BoxFuture<'static, ()> {
        let running = self.0.clone();
        async move { running.stop(grace).await }.boxed()
    }
}

fn usage(running: &Running) -> Usage {
    let usage = running.usage();
    Usage {
        fuel: usage.fuel,
        cpu: usage.cpu,
        memory_bytes: usage.memory_bytes,
        instances: usage.instances,
        cold_starts: usage.cold_starts,
        cold_start_time: usage.cold_start_time,
    }
}
