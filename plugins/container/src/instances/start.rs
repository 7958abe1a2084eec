//! The start of an instance: create what is not there, start what does not run yet, and say how it is.

use std::path::Path;
use std::sync::Arc;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, ImageConfig};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
use rustix::fs::{CWD, Gid, Uid, chownat};
use spaceport_backend_protocol::{Data, ErrorCode, Instance, InstanceId, Refusal, StartRequest};

use super::spec::{Machine, USER, container};
use super::{find, label, list, remove};
use crate::devices::Lease;
use crate::guard;
use crate::names::{LABEL_ARTIFACT, LABEL_DEVICES};
use crate::owners::{self, Claim};
use crate::plugin::Plugin;
use crate::program::say;
use crate::refusal::{is_conflict, is_missing, is_unchanged, of_engine, refuse};

/// Starts an instance, in a task of its own: a host that hangs up leaves no half of one.
pub(crate) async fn start(plugin: Arc<Plugin>, request: StartRequest) -> Result<Instance, Refusal> {
    let work = async move {
        let _turn = plugin.turn(&request.id).await;
        begin(&plugin, &request).await
    };
    tokio::spawn(work).await.map_err(|error| refuse(ErrorCode::Failed, &error.to_string()))?
}

async fn begin(plugin: &Plugin, request: &StartRequest) -> Result<Instance, Refusal> {
    let id = &request.id;
    let there = find(plugin, id).await.map_err(|error| of_engine(&error))?;
    let (there, claim) = match there {
        Some(there) => (there, None),
        None => {
            let claim = match &request.hardware.gpu {
                Some(gpu) => Some(owners::claim(plugin, id, gpu).await?),
                None => None,
            };
            create(plugin, request, claim.as_ref().map(Claim::lease)).await?;
            (super::expect(plugin, id).await?, claim)
        }
    };
    let artifact = label(&there, LABEL_ARTIFACT).unwrap_or_default();
    if artifact != request.artifact.as_str() {
        let words = format!("instance {id} is there already, made of {artifact} and not of {}", request.artifact);
        return Err(refuse(ErrorCode::BadRequest, &words));
    }
    if !is_fresh(&there) {
        return list::instance(plugin, id, &there).await;
    }
    if request.hardware.gpu.is_some() && claim.is_none() {
        // A start that was interrupted before it ran has no lease any more, and its devices may be another's by now.
        remove::purge(plugin, id).await?;
        return Box::pin(begin(plugin, request)).await;
    }
    run(plugin, id).await?;
    if let Some(Err(error)) = claim.map(Claim::keep) {
        remove::purge(plugin, id).await?;
        return Err(refuse(ErrorCode::Busy, &error.to_string()));
    }
    let there = super::expect(plugin, id).await?;
    list::instance(plugin, id, &there).await
}

/// Whether nobody has tried to start it yet.
fn is_fresh(container: &ContainerInspectResponse) -> bool {
    let Some(state) = &container.state else { return false };
    state.status == Some(ContainerStateStatusEnum::CREATED) && state.error.as_ref().is_none_or(String::is_empty)
}

async fn create(plugin: &Plugin, request: &StartRequest, lease: Option<&Lease>) -> Result<(), Refusal> {
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let image = image(&docker, request).await?;
    if let Some(data) = &request.data {
        give(data)?;
    }
    guard::hold(plugin, &docker, &request.egress).await?;
    let info = docker.info().await.map_err(|error| of_engine(&error))?;
    let cpus = info.ncpu.and_then(|cpus| u64::try_from(cpus).ok()).unwrap_or(1);
    for limits_disk in [true, false] {
        let mut body = container(&plugin.names, request, &image, Machine { cpus, limits_disk });
        if let Some(lease) = lease {
            let (host, env) = (body.host_config.get_or_insert_default(), body.env.get_or_insert_default());
            lease.apply(host, env);
            body.labels.get_or_insert_default().insert(LABEL_DEVICES.to_owned(), lease.ids().join(","));
        }
        let name = Some(plugin.names.container(&request.id));
        let options = CreateContainerOptions { name, ..CreateContainerOptions::default() };
        match docker.create_container(Some(options), body).await {
            Ok(_) => return Ok(()),
            // Somebody else was quicker; `find` says whether it is ours.
            Err(error) if is_conflict(&error) => return Ok(()),
            Err(error) if limits_disk && is_about_storage(&error) => {}
            Err(error) => return Err(of_engine(&error)),
        }
    }
    Err(refuse(ErrorCode::Failed, "the container engine takes no container"))
}

/// Whether it is said that the storage driver cannot limit a container's disk. It is measured then.
fn is_about_storage(error: &Error) -> bool {
    let Error::DockerResponseServerError { message, .. } = error else { return false };
    let message = message.to_lowercase();
    message.contains("storage-opt") || message.contains("storage opt") || message.contains("pquota")
}

async fn image(docker: &Docker, request: &StartRequest) -> Result<ImageConfig, Refusal> {
    match docker.inspect_image(request.artifact.as_str()).await {
        Ok(image) => Ok(image.config.unwrap_or_default()),
        Err(error) if is_missing(&error) => {
            let words = format!("there is no image {}: it must be built again", request.artifact);
            Err(refuse(ErrorCode::NoSuchArtifact, &words))
        }
        Err(error) => Err(of_engine(&error)),
    }
}

/// Gives the folder of `/data` to the user that apps run as.
fn give(data: &Data) -> Result<(), Refusal> {
    let folder = Path::new(data.folder.as_str());
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
    match chownat(CWD, folder, Some(user), Some(group), rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(error) => {
            let words = format!("the folder of /data cannot be given to user {USER}: {error}");
            Err(refuse(ErrorCode::Failed, &words))
        }
    }
}

async fn run(plugin: &Plugin, id: &InstanceId) -> Result<(), Refusal> {
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    match docker.start_container(&plugin.names.container(id), None::<StartContainerOptions>).await {
        Ok(()) => Ok(()),
        Err(error) if is_unchanged(&error) => Ok(()),
        // What the image says cannot be run: the container says so too, and its owner reads it there.
        Err(error @ Error::DockerResponseServerError { .. }) => {
            say(&format_args!("instance {id} does not start: {error}"));
            match find(plugin, id).await.map_err(|error| of_engine(&error))? {
                Some(there) if !is_fresh(&there) => Ok(()),
                _ => Err(of_engine(&error)),
            }
        }
        Err(error) => Err(of_engine(&error)),
    }
}
