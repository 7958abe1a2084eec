//! Which instances there are, read from the Engine.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use bollard::Docker;
use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummaryStateEnum, EndpointSettings,
};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptions};
use spaceport_backend_protocol::{ErrorCode, Instance, InstanceId, InstanceState, Instances, Refusal, limits};

use super::{ends, label};
use crate::names::{LABEL_ARTIFACT, LABEL_INSTANCE, LABEL_PORT};
use crate::plugin::Plugin;
use crate::refusal::{is_missing, of_engine, refuse};

/// Every instance.
pub(crate) async fn list(plugin: &Plugin) -> Result<Instances, Refusal> {
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let options =
        ListContainersOptions { all: true, filters: Some(plugin.names.filter()), ..ListContainersOptions::default() };
    let found = docker.list_containers(Some(options)).await.map_err(|error| of_engine(&error))?;
    let mut instances = Vec::new();
    for summary in found.into_iter().take(limits::INSTANCES) {
        let labels = summary.labels.unwrap_or_default();
        let read = |name: &str| labels.get(name);
        let (Some(id), Some(artifact)) = (
            read(LABEL_INSTANCE).and_then(|id| id.parse::<InstanceId>().ok()),
            read(LABEL_ARTIFACT).and_then(|artifact| artifact.parse().ok()),
        ) else {
            continue;
        };
        let networks = summary.network_settings.and_then(|settings| settings.networks);
        let address = address(plugin, networks.as_ref(), read(LABEL_PORT).map(String::as_str));
        let state = match (summary.state, address) {
            (Some(ContainerSummaryStateEnum::RUNNING), Some(address)) => InstanceState::Running { address },
            _ => match looked_at(plugin, &docker, &id).await? {
                Some(state) => state,
                None => continue,
            },
        };
        instances.push(Instance { id, artifact, state });
    }
    Ok(Instances { instances })
}

/// How an instance is whose summary does not say enough; `None` if it is gone by now.
async fn looked_at(plugin: &Plugin, docker: &Docker, id: &InstanceId) -> Result<Option<InstanceState>, Refusal> {
    let name = plugin.names.container(id);
    match docker.inspect_container(&name, None::<InspectContainerOptions>).await {
        Ok(container) => state(plugin, docker, id, &container).await,
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(of_engine(&error)),
    }
}

/// The instance that a container is.
pub(super) async fn instance(
    plugin: &Plugin,
    id: &InstanceId,
    container: &ContainerInspectResponse,
) -> Result<Instance, Refusal> {
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let artifact = label(container, LABEL_ARTIFACT).and_then(|artifact| artifact.parse().ok());
    let artifact = artifact.ok_or_else(|| refuse(ErrorCode::Failed, &format!("instance {id} has lost its labels")))?;
    match state(plugin, &docker, id, container).await? {
        Some(state) => Ok(Instance { id: id.clone(), artifact, state }),
        None => Err(refuse(ErrorCode::NoSuchInstance, &format!("instance {id} is being removed"))),
    }
}

async fn state(
    plugin: &Plugin,
    docker: &Docker,
    id: &InstanceId,
    container: &ContainerInspectResponse,
) -> Result<Option<InstanceState>, Refusal> {
    use ContainerStateStatusEnum as Status;
    let status = container.state.as_ref().and_then(|state| state.status);
    Ok(match status {
        Some(Status::REMOVING) => None,
        Some(Status::RUNNING | Status::PAUSED | Status::RESTARTING | Status::STOPPING) => {
            let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
            let address = address(plugin, networks, label(container, LABEL_PORT));
            let words = || refuse(ErrorCode::Failed, &format!("instance {id} runs and has no address"));
            Some(InstanceState::Running { address: address.ok_or_else(words)? })
        }
        _ => Some(ends::end(plugin, docker, id, container).await),
    })
}

fn address(
    plugin: &Plugin,
    networks: Option<&HashMap<String, EndpointSettings>>,
    port: Option<&str>,
) -> Option<SocketAddr> {
    let ip: IpAddr = networks?.get(&plugin.names.network())?.ip_address.as_ref()?.parse().ok()?;
    let port: u16 = port?.parse().ok()?;
    (port != 0 && !ip.is_unspecified()).then_some(SocketAddr::new(ip, port))
}
