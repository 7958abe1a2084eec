//! GPUs: which there are, who has which, and how a container gets its own.
//!
//! They are found by NVIDIA's management library, in the files by which vendors describe devices to container engines
//! (CDI), and in the configuration ([`found`]). Invariant: a device has one owner at the most ([`leases`]). No file says who
//! has which: that is written on the containers themselves, and read from the engine's list of them whenever it may have
//! changed behind our back ([`Devices::settle`]), so nothing can disagree with what runs. A lease belongs to its
//! container's start until that has succeeded, and is given back by dropping it.

mod cdi;
mod declared;
mod found;
mod leases;
mod nvml;
mod request;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use bollard::models::HostConfig;
use parking_lot::Mutex;
use spaceport_backend_protocol::{self as protocol, Gpu, InstanceId, Line, Word};

pub use declared::Declared;
pub use leases::{Conflict, Mark};
pub use request::without_gpu;

use found::{Device, Findings};
use leases::{Leases, Shortage};

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicesConfig {
    /// Whether to ask NVIDIA's management library.
    pub nvml: bool,
    /// Folders with descriptions of devices for container engines.
    pub cdi_folders: Vec<PathBuf>,
    /// What the operator declares.
    pub declared: Vec<Declared>,
}

/// What the engine can hand to a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineCan {
    /// It has NVIDIA's runtime.
    pub nvidia_runtime: bool,
    /// It reads descriptions of CDI.
    pub cdi: bool,
}

/// The devices of this machine and their owners.
#[derive(Debug, Clone)]
pub struct Devices {
    config: Arc<DevicesConfig>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    findings: Findings,
    leases: Leases,
}

/// Devices that are one instance's alone. Dropped without [`Lease::keep`], they are free again.
#[derive(Debug)]
#[must_use = "a lease that is dropped is given back"]
pub struct Lease {
    devices: Vec<Device>,
    number: u64,
    state: Arc<Mutex<State>>,
}

/// Why there is no lease, in a sentence for who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Others have them for now: what is waited for.
    #[error("{0}")]
    Busy(Line),
    /// It can never be had here.
    #[error("{0}")]
    Never(Line),
}

/// The start took so long that the engine's list says another container has the device: this one must not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another container has the same device")]
pub struct LeaseLost;

/// A device that is not there any more and had an owner, which cannot work without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its device {device} is not there any more")]
pub struct Lost {
    /// The device.
    pub device: Word,
    /// Who had it.
    pub instance: InstanceId,
}

impl Default for DevicesConfig {
    fn default() -> Self {
        let cdi_folders = ["/etc/cdi", "/var/run/cdi"].map(PathBuf::from).into();
        Self { nvml: true, cdi_folders, declared: Vec::new() }
    }
}

impl Devices {
    /// Devices that nobody has looked for yet.
    pub fn new(config: DevicesConfig) -> Self {
        Self { config: Arc::new(config), state: Arc::default() }
    }

    /// Looks what there is now, and returns what has been lost. Blocks: the management library may load a driver. To be
    /// repeated every minute or so, since devices come and go.
    pub fn look(&self, engine: EngineCan) -> Vec<Lost> {
        let config = &self.config;
        let nvml = if config.nvml { nvml::look() } else { Ok(Vec::new()) };
        let cdi = cdi::look(&config.cdi_folders);
        let exists = |path: &std::path::Path| path.exists();
        let mut state = self.state.lock();
        let before = std::mem::take(&mut state.findings);
        state.findings = Findings::of(nvml, cdi, &config.declared, engine, before, exists);
        let there: HashSet<Word> = state.findings.devices.iter().map(|device| device.id.clone()).collect();
        let held = state.leases.owners();
        let lost = held.filter(|(device, _)| !there.contains(*device));
        lost.map(|(device, instance)| Lost { device: device.clone(), instance: instance.clone() }).collect()
    }

    /// What to tell the operator of the last look, a sentence each: devices that cannot be used, and why.
    pub fn notes(&self) -> Vec<String> {
        self.state.lock().findings.notes.clone()
    }

    /// The devices, as the host is told.
    pub fn list(&self) -> Vec<protocol::Device> {
        self.state.lock().findings.devices.iter().map(Device::described).collect()
    }

    /// Whether such hardware can ever be had here.
    pub fn offers(&self, wanted: &Gpu) -> Result<(), Line> {
        let state = self.state.lock();
        match Leases::default().choose(&state.findings.devices, wanted) {
            Ok(_) => Ok(()),
            Err(shortage) => Err(state.findings.explain(&shortage)),
        }
    }

    /// Takes devices for an instance that is about to be started.
    pub fn lease(&self, instance: &InstanceId, wanted: &Gpu) -> Result<Lease, LeaseError> {
        let mut state = self.state.lock();
        let State { findings, leases } = &mut *state;
        match leases.lease(&findings.devices, instance, wanted) {
            Ok((number, ids)) => {
                let devices = findings.devices.iter().filter(|device| ids.contains(&device.id)).cloned().collect();
                Ok(Lease { devices, number, state: Arc::clone(&self.state) })
            }
            Err(shortage @ Shortage::Busy { .. }) => Err(LeaseError::Busy(findings.explain(&shortage))),
            Err(shortage @ Shortage::Never { .. }) => Err(LeaseError::Never(findings.explain(&shortage))),
        }
    }

    /// An instance has ended: what it had is free.
    pub fn release(&self, instance: &InstanceId) {
        self.state.lock().leases.release(instance);
    }

    /// To be taken before the engine is asked what runs.
    pub fn mark(&self) -> Mark {
        self.state.lock().leases.mark()
    }

    /// Takes over what the engine's list says, asked for after the mark was taken: the instances that run, each with the ids
    /// that are written on its container. Whatever changed since the mark is newer than the list and stays. Returns who
    /// has to be stopped, since another has its device.
    pub fn settle(&self, mark: Mark, running: &[(InstanceId, Vec<String>)]) -> Vec<Conflict> {
        let words = |ids: &[String]| ids.iter().filter_map(|id| id.parse().ok()).collect();
        let running: Vec<(InstanceId, Vec<Word>)> = running.iter().map(|(id, ids)| (id.clone(), words(ids))).collect();
        self.state.lock().leases.settle(mark, &running)
    }
}

impl Lease {
    /// The ids, to be written on the container.
    pub fn ids(&self) -> Vec<String> {
        self.devices.iter().map(|device| device.id.to_string()).collect()
    }

    /// Gives a container these devices and no others.
    pub fn apply(&self, host: &mut HostConfig, env: &mut Vec<String>) {
        request::apply(&self.devices, host, env);
    }

    /// The container runs: from now on the devices are its, until [`Devices::release`] or until it is not listed any more.
    pub fn keep(self) -> Result<(), LeaseLost> {
        let ids: Vec<Word> = self.devices.iter().map(|device| device.id.clone()).collect();
        match self.state.lock().leases.keep(self.number, &ids) {
            true => Ok(()),
            false => Err(LeaseLost),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One that was kept is not a start's any more, and stays.
        self.state.lock().leases.give_back(self.number);
    }
}

#[cfg(test)]
mod tests;
