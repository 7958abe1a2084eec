//! Who has which GPU, as the engine's list of containers says: this host's, and those of others on this machine.
//!
//! Invariant: a device has one owner. Whoever starts something with one has the machine's turn from the look at the list
//! until the container runs and is in the list itself; so two hosts never take the same.

use std::path::Path;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{KillContainerOptions, ListContainersOptions, RemoveContainerOptions};
use spaceport_backend_protocol::{ErrorCode, Gpu, InstanceId, Refusal};

use crate::devices::{EngineCan, Lease, LeaseError, LeaseLost};
use crate::names::{LABEL_DEVICES, LABEL_INSTANCE, LABEL_NAMESPACE};
use crate::plugin::Plugin;
use crate::program::say;
use crate::refusal::{of_engine, refuse};
use crate::turn::{COMMONS, Turn};

/// The file that is locked by whoever is starting something with a device.
const TURN: &str = "devices";

/// Devices for a container that is being started, and the turn to start it.
pub(crate) struct Claim {
    lease: Lease,
    _turn: Turn,
}

impl Claim {
    /// The devices.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The container runs.
    pub(crate) fn keep(self) -> Result<(), LeaseLost> {
        self.lease.keep()
    }
}

/// Takes devices for an instance that is about to be started, from what nobody has at this moment.
pub(crate) async fn claim(plugin: &Plugin, id: &InstanceId, gpu: &Gpu) -> Result<Claim, Refusal> {
    let turn = Turn::take(Path::new(COMMONS), TURN).await;
    let turn = turn.map_err(|words| refuse(ErrorCode::Unavailable, &words))?;
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    settle(plugin, &docker).await.map_err(|error| of_engine(&error))?;
    let lease = plugin.guard.devices.lease(id, gpu).map_err(|error| match error {
        LeaseError::Busy(words) => Refusal { error: ErrorCode::Busy, message: words },
        LeaseError::Never(words) => Refusal { error: ErrorCode::Failed, message: words },
    })?;
    Ok(Claim { lease, _turn: turn })
}

/// Which devices there are. Who has one that is gone cannot go on.
pub(crate) async fn find(plugin: &Plugin, docker: &Docker) -> Result<(), Error> {
    let info = docker.info().await?;
    let can = EngineCan {
        nvidia_runtime: info.runtimes.is_some_and(|runtimes| runtimes.contains_key("nvidia")),
        cdi: info.cdi_spec_dirs.is_some_and(|folders| !folders.is_empty()),
    };
    let (devices, before) = (plugin.guard.devices.clone(), plugin.guard.devices.notes());
    let lost = tokio::task::spawn_blocking(move || devices.look(can)).await.unwrap_or_default();
    for note in plugin.guard.devices.notes().iter().filter(|note| !before.contains(note)) {
        say(note);
    }
    for lost in lost {
        kill(plugin, docker, &lost.instance, &lost.to_string()).await;
    }
    Ok(())
}

/// Who has which: what the containers that run say.
pub(crate) async fn settle(plugin: &Plugin, docker: &Docker) -> Result<(), Error> {
    let mark = plugin.guard.devices.mark();
    let mut running = list(docker, false).await?;
    // Of two with one device the newer has to go.
    running.sort_by_key(|container| container.created);
    let running: Vec<(InstanceId, Vec<String>)> =
        running.iter().filter_map(|container| owner(plugin, container)).collect();
    for conflict in plugin.guard.devices.settle(mark, &running) {
        kill(plugin, docker, &conflict.instance, &conflict.to_string()).await;
    }
    Ok(())
}

/// Removes what a plugin before this one was about to start with a device: whether the engine still does so nobody knows,
/// and the device is free. To be called before anything is leased.
pub(crate) async fn sweep(plugin: &Plugin, docker: &Docker) -> Result<(), Error> {
    let is_left = |container: &ContainerSummary| {
        container.state == Some(ContainerSummaryStateEnum::CREATED) && is_own(plugin, container)
    };
    for container in list(docker, true).await?.iter().filter(|container| is_left(container)) {
        let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        docker.remove_container(container.id.as_deref().unwrap_or_default(), Some(options)).await?;
    }
    Ok(())
}

/// The containers that have devices, whosever they are.
async fn list(docker: &Docker, all: bool) -> Result<Vec<ContainerSummary>, Error> {
    let filters = [("label".to_owned(), vec![LABEL_DEVICES.to_owned()])].into();
    let options = ListContainersOptions { all, filters: Some(filters), ..ListContainersOptions::default() };
    docker.list_containers(Some(options)).await
}

fn owner(plugin: &Plugin, container: &ContainerSummary) -> Option<(InstanceId, Vec<String>)> {
    let ids = label(container, LABEL_DEVICES)?.split(',').map(str::to_owned).collect();
    // Another host's instance goes by the engine's id, which is nobody's name.
    let name = if is_own(plugin, container) { label(container, LABEL_INSTANCE) } else { container.id.as_deref() };
    Some((name?.parse().ok()?, ids))
}

fn is_own(plugin: &Plugin, container: &ContainerSummary) -> bool {
    label(container, LABEL_NAMESPACE) == Some(plugin.names.namespace())
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

/// Ends an instance. One of another host's, which has no such container here, is that host's to end.
async fn kill(plugin: &Plugin, docker: &Docker, id: &InstanceId, why: &str) {
    let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
    if docker.kill_container(&plugin.names.container(id), Some(options)).await.is_ok() {
        say(&format_args!("instance {id} was ended: {why}"));
    }
}
