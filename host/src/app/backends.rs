//! The configured backend plugins: started with the host, known to the control plane, stopped last.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use futures_util::future::join_all;
use spaceport_backend::protocol::{Ask, limits};
use spaceport_backend::{BackendConfig, Status, Supervisor, Timings};
use spaceport_control::ports::{Backend, BackendPlugin, BackendPlugins};
use spaceport_core::hardware::Catalogue;
use spaceport_db::{KeyStore, create_private_dir};

use super::docker;
use crate::adapters::{ContainerBackend, told_hardware};
use crate::config::{Backend as Configured, Config};

/// What the key is for that tells this host's instances from others'.
const INSTANCES: &str = "container instances";
/// The name of the backend that comes with the host, unless the file has one of this name.
const BUILT_IN: &str = "container";
/// Where the sockets of backend plugins are, below the data directory.
const SOCKETS: &str = "backends";

/// Backend plugins that are kept running.
pub(super) struct Backends(Vec<Supervisor>);

impl Backends {
    /// Starts those that are switched on. Waits for none of them: the host serves without.
    pub(super) fn start(data: &Path, config: &Config) -> anyhow::Result<Self> {
        let sockets = data.join(SOCKETS);
        let mut supervisors = Vec::new();
        let built_in = built_in(config)?;
        for backend in config.backends.iter().chain(&built_in).filter(|backend| backend.enabled) {
            create_private_dir(&sockets).with_context(|| format!("create {}", sockets.display()))?;
            supervisors.push(Supervisor::start(BackendConfig {
                name: backend.name.clone(),
                command: backend.command.clone(),
                socket: sockets.join(format!("{}.sock", backend.name)),
                ask: ask(&config.catalogue),
                timings: Timings::default(),
            }));
        }
        Ok(Self(supervisors))
    }

    /// The same as backends of the control plane, in the order of the file.
    pub(super) fn containers(&self, config: &Config, keys: &KeyStore) -> Vec<Arc<dyn Backend>> {
        let key = *keys.derive(INSTANCES).as_bytes();
        let backend = |supervisor| ContainerBackend::new(supervisor, config.catalogue.clone(), key);
        self.0.iter().map(|supervisor| Arc::new(backend(supervisor)) as Arc<dyn Backend>).collect()
    }

    /// How they are, whenever it is asked.
    pub(super) fn statuses(self: &Arc<Self>) -> BackendPlugins {
        let backends = self.clone();
        Arc::new(move || backends.0.iter().map(|supervisor| plugin(supervisor.status())).collect())
    }

    /// Stops them and waits until they have ended.
    pub(super) async fn stop(&self) {
        join_all(self.0.iter().map(Supervisor::stop)).await;
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

/// The catalogue as the protocol has it. A row whose name no backend could be told is offered by none.
fn ask(catalogue: &Catalogue) -> Ask {
    let mut rows = Vec::new();
    for row in &catalogue.hardware {
        match told_hardware(row) {
            Some(hardware) if rows.len() < limits::FLAVORS => rows.push(hardware),
            _ => tracing::warn!(flavor = row.name, "no backend is asked for this hardware: its row cannot be told"),
        }
    }
    Ask { hardware: rows }
}

#[cfg(test)]
mod tests {
    use spaceport_core::hardware::Hardware as Row;
    use spaceport_core::limits::Bytes;

    use super::*;

    #[test]
    fn every_row_of_the_built_in_catalogue_can_be_told() {
        let catalogue = Catalogue::default();
        let ask = ask(&catalogue);
        assert_eq!(ask.hardware.len(), catalogue.hardware.len());
        let (row, told) = (&catalogue.hardware[0], &ask.hardware[0]);
        assert_eq!((told.name.as_str(), told.memory_bytes), (row.name.as_str(), row.memory.0));
        assert!(ask.hardware.iter().any(|row| row.gpu.is_some()));
    }

    #[test]
    fn a_row_that_cannot_be_told_is_left_out() {
        let mut catalogue = Catalogue::default();
        let row = Row { name: "cpu tiny".into(), memory: Bytes(u64::MAX), vcpu: 0.25, ..catalogue.hardware[0].clone() };
        let named = Row { name: "cpu-tiny".into(), ..row.clone() };
        catalogue.hardware = vec![row, named];
        let told = ask(&catalogue).hardware;
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].cpu_milli, told[0].memory_bytes), (250, limits::NUMBER));
    }
}
