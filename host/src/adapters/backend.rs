//! The wasm engine as a backend: builds are compilations, launches are pools of instances.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spaceport_control::ports::{
    Artifact, Backend, Body, BuildRequest, LaunchError, LaunchRequest, LogSink, PluginStore, Upstream, Usage,
};
use spaceport_core::fault::Fault;
use spaceport_core::lifecycle::{BuildFailure, FailureKind};
use spaceport_core::plugin::PluginKind;
use spaceport_core::space::Sdk;
use spaceport_engine::{ArtifactId, CompileError, Engine, GuestLog, LaunchSpec, Running, SdkContext, StartError};

use super::plugins::{Plugin, Plugins};

/// How the artifact of a plugin's Spaces is recorded, before the plugin's word: whatever version of it this host has.
const PLUGIN_ARTIFACT: &str = "plugin:";

/// Builds and runs app Spaces, static Spaces and those of the operator's plugins.
pub(crate) struct EngineBackend {
    engine: Arc<Engine>,
    plugins: Plugins,
}

impl EngineBackend {
    /// Prepares the embedded plugin and those of a folder. `empty` is where an empty directory is made.
    pub(crate) async fn new(engine: Arc<Engine>, plugins: &Path, empty: &Path) -> Result<Self, CompileError> {
        let plugins = Plugins::load(engine.clone(), plugins, empty).await?;
        Ok(Self { engine, plugins })
    }
}

impl Backend for EngineBackend {
    fn sdks(&self) -> Vec<Sdk> {
        self.plugins.all().iter().map(|plugin| plugin.sdk).chain([Sdk::Wasm]).collect()
    }

    fn plugins(&self) -> Vec<PluginKind> {
        self.plugins.all().iter().filter_map(|plugin| plugin.kind()).cloned().collect()
    }

    fn plugin_store(&self) -> Option<Arc<dyn PluginStore>> {
        Some(Arc::new(self.plugins.clone()))
    }

    fn build(&self, request: BuildRequest) -> BoxFuture<'static, Result<Artifact, BuildFailure>> {
        let engine = self.engine.clone();
        async move {
            match request.manifest.sdk.is_plugin() {
                true => check_entry(&request),
                false => build_component(&engine, &request).await,
            }
        }
        .boxed()
    }

    fn launch(&self, request: LaunchRequest) -> BoxFuture<'static, Result<Arc<dyn Upstream>, LaunchError>> {
        let (engine, plugins) = (self.engine.clone(), self.plugins.clone());
        async move {
            let running = start(&engine, &request, plugins.of(request.manifest.sdk).as_deref()).await?;
            Ok(Arc::new(EngineUpstream(running)) as Arc<dyn Upstream>)
        }
        .boxed()
    }
}

/// The build of a plugin's Space: the plugin is there, so is the entry file it starts from.
fn check_entry(request: &BuildRequest) -> Result<Artifact, BuildFailure> {
    let entry = &request.manifest.app_file;
    if !request.app.dir.is_file(entry) {
        return Err(missing(entry));
    }
    Ok(Artifact(format!("{PLUGIN_ARTIFACT}{}", request.manifest.sdk.as_str())))
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

/// Starts a release, whose kind this plugin serves if one does. Its component is compiled anew if the recorded artifact
/// was made by another version of this host, is damaged or gone.
async fn start(engine: &Engine, request: &LaunchRequest, plugin: Option<&Plugin>) -> Result<Arc<Running>, LaunchError> {
    let recorded = match plugin {
        Some(plugin) => Some(plugin.artifact),
        None => request.artifact.0.parse().ok(),
    };
    if let Some(artifact) = recorded {
        match engine.launch(spec(request, artifact)).await {
            Err(StartError::Recompile(error)) => {
                tracing::info!(space = %request.path, %error, "compiling again: the artifact is not usable");
            }
            outcome => return outcome.map_err(start_error),
        }
    }
    let artifact = match plugin {
        Some(plugin) => plugin.compile_again(engine).await.map_err(LaunchError::host)?,
        None => compile_again(engine, request).await?,
    };
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
    let unreadable = |error| LaunchError::host(format!("{entry}: cannot be read: {error}"));
    let component = request.app.dir.read(entry).map_err(unreadable)?;
    engine.compile(&component, &|_| {}).await.map_err(|error| match error {
        CompileError::Refused(refusal) => LaunchError::app(format!("{entry}: {refusal}")),
        error => LaunchError::host(format!("{entry}: {error}")),
    })
}

fn spec(request: &LaunchRequest, artifact: ArtifactId) -> LaunchSpec {
    let sdk = request.manifest.sdk.is_plugin().then(|| SdkContext {
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
