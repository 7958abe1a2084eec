//! Instances: one container each, whose name is the instance's. The Engine has every name once, so there are never two,
//! whatever is repeated or interrupted.

mod ends;
mod inside;
mod list;
mod logs;
mod remove;
mod spec;
mod start;
mod words;

pub(crate) use ends::Ends;
pub(crate) use inside::{exec, stats};
pub(crate) use list::list;
pub(crate) use logs::logs;
pub(crate) use remove::{remove, stop};
pub(crate) use start::start;
pub(crate) use words::{Over, Unit, size};

use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::InspectContainerOptions;
use spaceport_backend_protocol::{ErrorCode, InstanceId, Refusal};

use crate::names::{LABEL_INSTANCE, LABEL_NAMESPACE};
use crate::plugin::Plugin;
use crate::refusal::{is_missing, of_engine, refuse};

/// The container of an instance; `None` if there is none.
async fn find(plugin: &Plugin, id: &InstanceId) -> Result<Option<ContainerInspectResponse>, Error> {
    let docker = plugin.engine.client().await?;
    let found = match docker.inspect_container(&plugin.names.container(id), None::<InspectContainerOptions>).await {
        Ok(found) => found,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    // The Engine also takes the beginning of another container's id for a name.
    Ok(is_ours(plugin, id, &found).then_some(found))
}

/// The container of an instance, or the refusal.
async fn expect(plugin: &Plugin, id: &InstanceId) -> Result<ContainerInspectResponse, Refusal> {
    let found = find(plugin, id).await.map_err(|error| of_engine(&error))?;
    found.ok_or_else(|| refuse(ErrorCode::NoSuchInstance, &format!("there is no instance {id}")))
}

fn is_ours(plugin: &Plugin, id: &InstanceId, container: &ContainerInspectResponse) -> bool {
    let label = |name| label(container, name);
    label(LABEL_NAMESPACE) == Some(plugin.names.namespace()) && label(LABEL_INSTANCE) == Some(id.as_str())
}

/// A label of a container.
pub(crate) fn label<'a>(container: &'a ContainerInspectResponse, name: &str) -> Option<&'a str> {
    container.config.as_ref()?.labels.as_ref()?.get(name).map(String::as_str)
}

/// A label that is a number.
pub(crate) fn number(container: &ContainerInspectResponse, name: &str) -> Option<u64> {
    label(container, name)?.parse().ok()
}
