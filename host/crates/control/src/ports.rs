//! The needs of this crate as traits: what can build and run a Space, and what answers its requests.
//!
//! [`Backend`] and [`Upstream`] are implemented by the wasm engine (joined in the host's adapters) and, in tests, by a
//! fake. [`Clock`] is real or manual.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cap_std::fs::Dir;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use spaceport_core::egress::EgressPolicy;
use spaceport_core::fault::Fault;
use spaceport_core::hardware::{Catalogue, Hardware};
use spaceport_core::id::{DeliveryId, SpaceId};
use spaceport_core::lifecycle::{Blame, BuildFailure, InstanceId, Millis};
use spaceport_core::limits::Limits;
use spaceport_core::manifest::Manifest;
use spaceport_core::name::SpacePath;
use spaceport_core::plugin::{PluginKind, PluginWord};
use spaceport_core::revision::Oid;
use spaceport_core::space::Sdk;

pub use crate::checkouts::FileList;
use spaceport_git::CheckedOutFile;

/// The body of a request to a Space, or of its answer. An error in the middle must break the stream, never end it.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A backend that is a program of its own, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendPlugin {
    /// What the operator calls it.
    pub name: String,
    /// Why it does not answer, in words for owners of Spaces too; `None`: it answers.
    pub problem: Option<String>,
    /// How often its program was started again since the host started.
    pub restarts: u64,
}

/// How the configured backend plugins are now.
pub type BackendPlugins = Arc<dyn Fn() -> Vec<BackendPlugin> + Send + Sync>;

/// Where components are kept that serve kinds of Spaces.
pub trait PluginStore: Send + Sync + 'static {
    /// Keeps a component, which serves its kind from now on: in place of another one of that kind, if there is one. What
    /// that has launched runs on until it is stopped.
    fn install(&self, component: Bytes) -> BoxFuture<'static, Result<PluginKind, PluginError>>;

    /// Gives up the component that serves a kind.
    fn remove(&self, word: PluginWord) -> BoxFuture<'static, Result<(), PluginError>>;
}

/// Why a plugin was not taken in, or not given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// Its component is none that this host takes.
    #[error("{0}")]
    Refused(String),
    /// It cannot be beside what is there.
    #[error("{0}")]
    Conflict(String),
    /// Through no fault of its own.
    #[error("{0}")]
    Host(String),
}

/// What can build and run Spaces of some kinds.
pub trait Backend: Send + Sync + 'static {
    /// The kinds it builds and runs.
    fn sdks(&self) -> Vec<Sdk>;

    /// The [`BackendPlugin`] that it speaks for, by name, if it speaks for one.
    fn program(&self) -> Option<String> {
        None
    }

    /// What the plugins behind those of its kinds that not every host has say of themselves.
    fn plugins(&self) -> Vec<PluginKind> {
        Vec::new()
    }

    /// Where those plugins are kept, if some can be taken in while the host runs.
    fn plugin_store(&self) -> Option<Arc<dyn PluginStore>> {
        None
    }

    /// Why a flavor can never be had here, in a sentence for who asks for it; `None`: it can, though not always at once.
    fn refuses(&self, _row: &Hardware) -> Option<String> {
        None
    }

    /// Told of the rows that Spaces can be given, at the start and whenever they change.
    fn offer(&self, _catalogue: &Catalogue) {}

    /// Whether it can build the files of web sites by their owners' commands.
    fn builds_sites(&self) -> bool {
        false
    }

    /// Keeps what these artifacts need; what it has made besides may go.
    fn retain(&self, _needed: Vec<Artifact>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }

    /// Turns a checked-out revision into an artifact, or fills `request.site` by the README's command. Lines for the owner
    /// go to `request.log`.
    fn build(&self, request: BuildRequest) -> BoxFuture<'static, Result<Artifact, BuildFailure>>;

    /// Starts a release. Ready to be called when this returns; whether it answers well is for a probe to see.
    fn launch(&self, request: LaunchRequest) -> BoxFuture<'static, Result<Arc<dyn Upstream>, LaunchError>>;
}

/// Sends messages to webhooks: out of this host, under the rules that hold for guests.
pub trait SendWebhook: Send + Sync + 'static {
    /// Sends one message, in bounded time; the status of the answer, or why there is none, in words for the owner.
    fn send(&self, request: WebhookRequest) -> BoxFuture<'static, Result<u16, String>>;
}

/// A message to a webhook.
#[derive(Clone)]
pub struct WebhookRequest {
    /// By which the receiver knows a message that it was sent before.
    pub id: DeliveryId,
    /// Where to.
    pub url: String,
    /// By which the receiver knows it.
    pub secret: Option<String>,
    /// Its JSON.
    pub body: Bytes,
}

/// One running release, as the edge calls it.
pub trait Upstream: Send + Sync + 'static {
    /// Answers one request. The URI is in origin form, `Host` and the forwarded headers are set. Dropping the future or
    /// the returned body tells the guest's side that the client is gone. A body that is silent for longer than the limits
    /// allow breaks off by itself: nobody else watches for that. A request that asks for an upgrade may be answered with
    /// 101; what the connection goes on with is then in the answer's extensions, as hyper puts it there.
    fn call(&self, request: http::Request<Body>) -> BoxFuture<'static, Result<http::Response<Body>, Fault>>;

    /// What it has used since it was launched.
    fn usage(&self) -> Usage;

    /// Lets requests in flight end (at most `grace`), then ends everything.
    fn stop(&self, grace: Duration) -> BoxFuture<'static, ()>;

    /// The host stops. What can outlive it goes on running, for the next host to find; everything else is stopped.
    fn leave(&self, grace: Duration) -> BoxFuture<'static, ()> {
        self.stop(grace)
    }
}

/// What an upstream has used since its launch; all but the gauges only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Fuel, in wasmtime's units.
    pub fuel: u64,
    /// Guest time on a CPU.
    pub cpu: Duration,
    /// Gauge: bytes its instances hold, as counted against the hardware's memory.
    pub memory_bytes: u64,
    /// Gauge: live instances.
    pub instances: u64,
    /// Instances started.
    pub cold_starts: u64,
    /// Time those starts took together.
    pub cold_start_time: Duration,
}

/// An app of a Space cannot be started.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct LaunchError {
    /// Why, in a sentence for the owner.
    pub message: String,
    /// What can be done about it.
    pub cause: Cause,
}

/// Why an app cannot be started, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The app, or what its owner has set, is at fault.
    App,
    /// This host is at fault.
    Host,
    /// Nobody is: another Space has what this one needs. Asked again, it may be had.
    Taken,
}

impl LaunchError {
    /// The app, or what its owner has set, is at fault.
    pub fn app(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: Cause::App }
    }

    /// This host is at fault.
    pub fn host(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: Cause::Host }
    }

    /// What it needs is another Space's for now.
    pub fn taken(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: Cause::Taken }
    }

    /// Whose fault it is.
    pub(crate) fn blame(&self) -> Blame {
        match self.cause {
            Cause::App => Blame::App,
            Cause::Host | Cause::Taken => Blame::Host,
        }
    }
}

/// A folder handed to a guest: for the host as a capability, for the guest's file system as a path.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where it is on disk.
    pub path: PathBuf,
    /// The same as a capability: nothing outside it can be reached through it.
    pub dir: Arc<Dir>,
}

/// What the backend calls the result of a build; opaque to this crate, durable in the release record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact(pub String);

/// One build.
pub struct BuildRequest {
    /// The Space.
    pub space: SpaceId,
    /// Its path, for the log.
    pub path: SpacePath,
    /// What is built.
    pub revision: Oid,
    /// The revision's configuration.
    pub manifest: Manifest,
    /// The revision's files.
    pub app: Mount,
    /// An empty folder for the web site that the README's command makes of them, if that is what is built.
    pub site: Option<PathBuf>,
    /// The owner's variables, which the artifact may hold.
    pub variables: Vec<(String, String)>,
    /// The owner's secrets, which it must not hold; empty where nothing runs that could need them.
    pub secrets: Vec<(String, String)>,
    /// Where the build may connect.
    pub egress: EgressPolicy,
    /// Use nothing kept from earlier builds.
    pub clean: bool,
    /// The build log.
    pub log: Arc<dyn LogSink>,
}

/// One launch. Cheap to clone, beside its environment.
#[derive(Clone)]
pub struct LaunchRequest {
    /// The Space.
    pub space: SpaceId,
    /// Its path.
    pub path: SpacePath,
    /// The launch's number.
    pub instance: InstanceId,
    /// What is launched.
    pub revision: Oid,
    /// The revision's configuration.
    pub manifest: Manifest,
    /// What the build made.
    pub artifact: Artifact,
    /// The environment, in the order to be set: platform names, variables, secrets.
    pub env: Vec<(String, String)>,
    /// For a container, should its image have to be built again: the owner's variables.
    pub variables: Vec<(String, String)>,
    /// Likewise the owner's secrets.
    pub secrets: Vec<(String, String)>,
    /// For a plugin: what the pages are given; in static Spaces `window.huggingface.variables` holds it.
    pub page_variables: Vec<(String, String)>,
    /// The repository, read-only, at `/app`.
    pub app: Mount,
    /// For a plugin: every file of the revision by its path.
    pub files: Arc<BTreeMap<String, CheckedOutFile>>,
    /// At `/tmp`.
    pub tmp: Mount,
    /// At `/data`, with a storage tier.
    pub data: Option<Mount>,
    /// What it runs on.
    pub hardware: Hardware,
    /// What it may use.
    pub limits: Limits,
    /// Where it may connect.
    pub egress: EgressPolicy,
    /// The run log.
    pub log: Arc<dyn LogSink>,
    /// For a container that may have outlived the host: when the last line of the run log was stored.
    pub logged_until: Option<Millis>,
    /// To be called when the instance can answer no more, whoever asks, with the reason in a sentence for the owner: the
    /// Space is started again, with pauses that grow. A request that fails is no reason.
    pub on_crash: Arc<dyn Fn(String) + Send + Sync>,
}

/// What looks for secrets in texts.
pub trait SecretScanner: Send + Sync + 'static {
    /// Looks through texts, one after the other, within limits of its own. It tells how far it came.
    fn scan(&self, texts: Vec<ScanText>) -> BoxFuture<'static, ScanReport>;
}

/// A text to be looked through. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanText {
    /// The path of its file.
    pub path: String,
    /// What is in it.
    pub text: Arc<str>,
}

/// What was found in texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Where secrets are, as the scanner says.
    pub matches: Vec<SecretMatch>,
    /// How many of the texts were looked through, from the first on.
    pub scanned: usize,
}

/// Where a secret is, as a scanner says; unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMatch {
    /// In which of the texts.
    pub text: usize,
    /// What kind of secret.
    pub rule: String,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Where lines of a log go. Never blocks and never fails: what cannot be kept is counted and dropped.
pub trait LogSink: Send + Sync + 'static {
    /// Appends text; may hold several lines or part of one.
    fn write(&self, text: &[u8]);
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Millis;
}
