//! The configured backend plugins: started with the host, known to the control plane, stopped last.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use futures_util::future::join_all;
use spaceport_backend::{BackendConfig, Status, Supervisor, Timings};
use spaceport_control::ports::{Backend, BackendPlugin, BackendPlugins};
use spaceport_db::{KeyStore, create_private_dir};

use super::docker;
use crate::adapters::{ContainerBackend, hardware_to_ask};
use crate::config::{Backend as Configured, Config};

/// What the key is for that tells this host's instances from others'.
const INSTANCES: &str = "container instances";
/// The name of the backend that comes with the host, unless the file has one of this name.
const BUILT_IN: &str = "container";
/// Where the sockets of backend plugins are, below the data directory.
const SOCKETS: &str = "backends";

/// Backend plugins that are kept running.
pub(super) struct Backends(Vec<Arc<Supervisor>>);

impl Backends {
    /// Starts those that are switched on. Waits for none of them: the host serves without.
    pub(super) fn start(data: &Path, config: &Config) -> anyhow::Result<Self> {
        let sockets = data.join(SOCKETS);
        let mut supervisors = Vec::new();
        let built_in = built_in(config)?;
        for backend in config.backends.iter().chain(&built_in).filter(|backend| backend.enabled) {
            create_private_dir(&sockets).with_context(|| format!("create {}", sockets.display()))?;
            supervisors.push(Arc::new(Supervisor::start(BackendConfig {
                name: backend.name.clone(),
                command: backend.command.clone(),
                socket: sockets.join(format!("{}.sock", backend.name)),
                ask: hardware_to_ask(&config.catalogue),
                timings: Timings::default(),
            })));
        }
        Ok(Self(supervisors))
    }

    /// The same as backends of the control plane, in the order of the file.
    pub(super) fn containers(&self, keys: &KeyStore) -> Vec<Arc<dyn Backend>> {
        let key = *keys.derive(INSTANCES).as_bytes();
        let backend = |supervisor: &Arc<Supervisor>| ContainerBackend::new(supervisor.clone(), key);
        self.0.iter().map(|supervisor| Arc::new(backend(supervisor)) as Arc<dyn Backend>).collect()
    }

    /// How they are, whenever it is asked.
    pub(super) fn statuses(self: &Arc<Self>) -> BackendPlugins {
        let backends = self.clone();
        Arc::new(move || backends.0.iter().map(|supervisor| plugin(supervisor.status())).collect())
    }

    /// Stops them and waits until they have ended.
    pub(super) async fn stop(&self) {
        join_all(self.0.iter().map(|supervisor| supervisor.stop())).await;
    }
}

/// The backend that comes with the host: a program beside this one, where a container engine answers or the file says so.
fn built_in(config: &Config) -> anyhow::Result<Option<Configured>> {
    let is_named = config.backends.iter().any(|backend| backend.name.as_str() == BUILT_IN);
    if is_named || config.containers.enabled == Some(false) {
        return Ok(None);
    }
    let program = docker::program();
    let is_wanted = match (config.containers.enabled, &program, docker::answer()) {
        (Some(true), Some(_), _) => true,
        (Some(true), None, _) => {
            anyhow::bail!("[containers] is enabled, but there is no {} beside this program", docker::PROGRAM)
        }
        (_, None, _) => false,
        (_, Some(_), Ok(())) => true,
        (_, Some(_), Err(why)) => {
            tracing::info!(why, "no containers: no container engine answers");
            false
        }
    };
    let Some(program) = program.filter(|_| is_wanted) else { return Ok(None) };
    let program = program.to_str().context("the path of this program is not UTF-8")?.to_owned();
    let command = std::iter::once(program).chain(config.containers.arguments(&config.egress_allow)).collect();
    let name = BUILT_IN.parse().context("name the backend that comes with the host")?;
    Ok(Some(Configured { name, command, enabled: true }))
}

fn plugin(status: Status) -> BackendPlugin {
    BackendPlugin { name: status.name.to_string(), problem: status.problem, restarts: status.restarts }
}
