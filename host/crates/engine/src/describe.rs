//! Asking a plugin which `sdk:` kind it serves.
//!
//! A plugin is somebody else's code from its first instruction on, so it is asked as a Space would be run: in a store
//! with every limit, without a network, without room on disk and without a Space to ask about, and not for long.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use spaceport_core::egress::EgressPolicy;
use spaceport_core::id::{ID_BYTES, SpaceId};
use spaceport_core::limits::Limits;
use spaceport_core::manifest::Isolation;
use wasmtime_wasi_http::handler::ProxyPre;

use crate::artifacts::ArtifactId;
use crate::launch::{LaunchSpec, SdkContext, StartError};
use crate::log::GuestLog;
use crate::pool::Entry;
use crate::pool::control::InstanceControl;
use crate::pool::fault;
use crate::pool::shared::SpaceShared;
use crate::state::GuestState;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/sdk",
        inline: "package spaceport:engine;
            world described { export spaceport:sdk/kind@0.1.0; }",
        world: "spaceport:engine/described",
        exports: { default: async },
    });
}

/// How long starting the plugin and its answer may take: an interpreter starts in a tenth of it on a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);
/// Time of one vCPU whose fuel it may burn meanwhile. A plugin that loops should not hold up the start for longer.
const CPU: Duration = Duration::from_secs(3);
/// Bytes of memory: room for an interpreter, which has not read a repository yet.
const MEMORY: u64 = 256 << 20;

/// What a plugin says of itself, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The `sdk:` value of the Spaces it serves.
    pub sdk: String,
    /// The entry file of a Space whose README names none.
    pub app_file: String,
}

/// A plugin did not say what it is.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// It cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It has nothing to be asked by.
    #[error("it is no plugin: {0}")]
    NotAPlugin(String),
    /// It failed.
    #[error("it failed when it was asked what it serves: {0}")]
    Failed(String),
    /// It took too long.
    #[error("it did not say within {DEADLINE:?} what it serves")]
    TooSlow,
}

/// What is launched to be asked. `dir` is an empty directory: its `/app` and its `/tmp`, where nothing fits.
pub(crate) fn spec(artifact: ArtifactId, dir: &Path, fuel: impl Fn(f64, Duration) -> u64) -> LaunchSpec {
    let vcpu = 1.0;
    let limits = Limits {
        vcpu,
        memory: MEMORY,
        disk: 0,
        storage: None,
        inodes: 0,
        request_fuel: Some(fuel(vcpu, CPU)),
        first_byte: DEADLINE,
        idle_chunk: DEADLINE,
        stream: DEADLINE,
        queue: DEADLINE,
        cold_start: DEADLINE,
    };
    LaunchSpec {
        space: SpaceId::from_bytes([0; ID_BYTES]),
        label: "a plugin that is asked what it serves".to_owned(),
        revision: String::new(),
        artifact,
        env: Vec::new(),
        app: dir.to_owned(),
        tmp: dir.to_owned(),
        data: None,
        limits,
        egress: EgressPolicy { rules: Some(Vec::new()), ..EgressPolicy::default() },
        isolation: Isolation::Shared,
        log: Arc::new(Unheard),
        on_crash: Box::new(|_| {}),
        sdk: Some(SdkContext::default()),
    }
}

/// Asks. Runs on the data runtime, as guests do.
pub(crate) async fn ask(space: Arc<SpaceShared>) -> Result<Description, DescribeError> {
    let instance_pre = match &space.pre {
        ProxyPre::P2(pre) => pre.instance_pre().clone(),
        ProxyPre::P3(pre) => pre.instance_pre().clone(),
    };
    let pre =
        bindings::DescribedPre::new(instance_pre).map_err(|error| DescribeError::NotAPlugin(format!("{error:#}")))?;
    let entry = Entry::new(&space).map_err(|full| DescribeError::Failed(full.to_string()))?;
    let asked = tokio::time::timeout(DEADLINE, call(&space, &entry.control, &pre)).await;
    asked.unwrap_or(Err(DescribeError::TooSlow))
}

async fn call(
    space: &Arc<SpaceShared>,
    control: &Arc<InstanceControl>,
    pre: &bindings::DescribedPre<GuestState>,
) -> Result<Description, DescribeError> {
    let failed = |error: wasmtime::Error| DescribeError::Failed(fault::reason(&error));
    let mut store = GuestState::store(space, control).map_err(failed)?;
    let asked = async {
        let plugin = pre.instantiate_async(&mut store).await?;
        plugin.spaceport_sdk_kind().call_describe(&mut store).await
    };
    match asked.await {
        Ok(description) => Ok(Description { sdk: description.sdk, app_file: description.app_file }),
        Err(error) => Err(DescribeError::Failed(fault::of_store(&error, store.data()).to_string())),
    }
}

/// The log of a plugin that has no Space: what it prints is for nobody.
struct Unheard;

impl GuestLog for Unheard {
    fn write(&self, _text: &[u8]) {}
}
