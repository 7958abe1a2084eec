//! The configured backend plugins: started with the host, known to the control plane, stopped last.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use futures_util::future::join_all;
use spaceport_backend::protocol::{Ask, Gpu, Hardware, Word, limits};
use spaceport_backend::{BackendConfig, Status, Supervisor, Timings};
use spaceport_control::ports::{BackendPlugin, BackendPlugins};
use spaceport_core::hardware::{Catalogue, Gpu as CatalogueGpu, Hardware as Row};
use spaceport_db::create_private_dir;

use crate::config::Config;

/// Where the sockets of backend plugins are, below the data directory.
const SOCKETS: &str = "backends";

/// Backend plugins that are kept running.
pub(super) struct Backends(Vec<Supervisor>);

impl Backends {
    /// Starts those that are switched on. Waits for none of them: the host serves without.
    pub(super) fn start(data: &Path, config: &Config) -> anyhow::Result<Self> {
        let sockets = data.join(SOCKETS);
        let mut supervisors = Vec::new();
        for backend in config.backends.iter().filter(|backend| backend.enabled) {
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

fn plugin(status: Status) -> BackendPlugin {
    BackendPlugin { name: status.name.to_string(), problem: status.problem, restarts: status.restarts }
}

/// The catalogue as the protocol has it. A row whose name no backend could be told is offered by none.
fn ask(catalogue: &Catalogue) -> Ask {
    let mut rows = Vec::new();
    for row in &catalogue.hardware {
        match hardware(row) {
            Some(hardware) if rows.len() < limits::FLAVORS => rows.push(hardware),
            _ => tracing::warn!(flavor = row.name, "no backend is asked for this hardware: its row cannot be told"),
        }
    }
    Ask { hardware: rows }
}

fn hardware(row: &Row) -> Option<Hardware> {
    let gpu = match &row.gpu {
        None => None,
        Some(CatalogueGpu { kind, count, memory }) => {
            Some(Gpu { kind: word(kind)?, count: *count, memory_bytes: number(memory.0) })
        }
    };
    let name = word(&row.name)?;
    // A fraction of a CPU below a thousandth is none, and the cast saturates.
    let cpu_milli = number((row.vcpu * 1000.0).ceil() as u64);
    Some(Hardware { name, cpu_milli, memory_bytes: number(row.memory.0), disk_bytes: number(row.disk.0), gpu })
}

fn word(text: &str) -> Option<Word> {
    text.parse().ok()
}

fn number(number: u64) -> u64 {
    number.min(limits::NUMBER)
}

#[cfg(test)]
mod tests {
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
