//! The end of an instance, and that nothing of it is left.

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{RemoveContainerOptions, StopContainerOptions};
use spaceport_backend_protocol::{ErrorCode, Instance, InstanceId, Refusal, Removed, StopRequest};

use super::{expect, find, list};
use crate::plugin::Plugin;
use crate::refusal::{is_conflict, is_missing, is_unchanged, of_engine, refuse};

/// How long the Engine may take to remove what it is removing already.
const GOING: Duration = Duration::from_secs(5);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Ends an instance: by `SIGTERM`, or whatever the image names for that, and after the grace by force.
pub(crate) async fn stop(plugin: Arc<Plugin>, id: InstanceId, request: StopRequest) -> Result<Instance, Refusal> {
    let work = async move {
        let _turn = plugin.turn(&id).await;
        expect(&plugin, &id).await?;
        plugin.ends.stopping(&id);
        let grace = Duration::from_millis(request.grace_ms);
        let docker = plugin.engine.patient_client(grace).await.map_err(|error| of_engine(&error))?;
        // The Engine counts in seconds.
        let seconds = i32::try_from(request.grace_ms.div_ceil(1000)).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
        match docker.stop_container(&plugin.names.container(&id), Some(options)).await {
            Err(error) if !is_unchanged(&error) && !is_missing(&error) => return Err(of_engine(&error)),
            _ => {}
        }
        let stopped = expect(&plugin, &id).await?;
        plugin.guard.devices.release(&id);
        list::instance(&plugin, &id, &stopped).await
    };
    tokio::spawn(work).await.map_err(|error| refuse(ErrorCode::Failed, &error.to_string()))?
}

/// Removes an instance, with its disk, the volumes that its image wanted, and its log.
pub(crate) async fn remove(plugin: Arc<Plugin>, id: InstanceId) -> Result<Removed, Refusal> {
    let work = async move {
        let _turn = plugin.turn(&id).await;
        purge(&plugin, &id).await?;
        Ok(Removed { id })
    };
    tokio::spawn(work).await.map_err(|error| refuse(ErrorCode::Failed, &error.to_string()))?
}

/// Removes an instance whose turn it is.
pub(super) async fn purge(plugin: &Plugin, id: &InstanceId) -> Result<(), Refusal> {
    let there = find(plugin, id).await.map_err(|error| of_engine(&error))?;
    if there.is_some() {
        let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
        let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        match docker.remove_container(&plugin.names.container(id), Some(options)).await {
            Err(error) if is_conflict(&error) => gone(plugin, id).await?,
            // Thousands of processes take longer to end than the engine waits. They are ending.
            Err(error) if is_dying(&error) => return Err(late(id)),
            Err(error) if !is_missing(&error) => return Err(of_engine(&error)),
            _ => {}
        }
    }
    plugin.ends.forget(id, there.as_ref().and_then(|there| there.id.as_deref()));
    plugin.measured.forget(id);
    plugin.guard.devices.release(id);
    Ok(())
}

/// Waits for a removal that is under way.
async fn gone(plugin: &Plugin, id: &InstanceId) -> Result<(), Refusal> {
    let looks = async {
        while find(plugin, id).await.map_err(|error| of_engine(&error))?.is_some() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    tokio::time::timeout(GOING, looks).await.unwrap_or_else(|_| Err(late(id)))
}

/// Whether the engine says that it has killed a container and did not see it end.
fn is_dying(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { message, .. } if message.contains("did not receive an exit event"))
}

fn late(id: &InstanceId) -> Refusal {
    refuse(ErrorCode::Busy, &format!("instance {id} is being removed and still there"))
}
