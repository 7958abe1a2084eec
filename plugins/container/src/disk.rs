//! What instances have on disk, measured now and then, and the end of those that have too much.
//!
//! Some storage drivers limit a container's disk by themselves; the others are measured, and so is `/data`. Every file counts
//! for at least a block, so that a flood of empty ones is found as well.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, MountPoint};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptions, ListContainersOptions};
use parking_lot::Mutex;
use spaceport_backend_protocol::{InstanceId, limits};

use crate::instances::{Over, label, number};
use crate::names::{LABEL_DISK, LABEL_INSTANCE, LABEL_QUOTA};
use crate::plugin::Plugin;
use crate::program::say;
use crate::usage::{self, Allowed, EVERY};

/// What an entry of a file system counts for at least.
const LEAST: u64 = 4096;

/// The last measurement of each instance.
#[derive(Debug, Default)]
pub(crate) struct Measured(Mutex<HashMap<InstanceId, Use>>);

/// What an instance has on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Use {
    /// In its container, and in the volumes that its image wanted.
    pub(crate) disk: u64,
    /// At `/data`.
    pub(crate) data: u64,
}

impl Measured {
    /// The last measurement.
    pub(crate) fn of(&self, id: &InstanceId) -> Use {
        self.0.lock().get(id).copied().unwrap_or_default()
    }

    /// It is gone.
    pub(crate) fn forget(&self, id: &InstanceId) {
        self.0.lock().remove(id);
    }
}

/// Measures for ever.
pub(crate) async fn watch(plugin: Arc<Plugin>) {
    loop {
        tokio::time::sleep(EVERY).await;
        // An engine that does not answer is told of by the plugin's health.
        let _ = look(&plugin).await;
    }
}

async fn look(plugin: &Plugin) -> Result<(), Error> {
    let docker = plugin.engine.client().await?;
    let options = ListContainersOptions { filters: Some(plugin.names.filter()), ..ListContainersOptions::default() };
    for summary in docker.list_containers(Some(options)).await? {
        let Some(name) = summary.id else { continue };
        // It may have been removed in this moment.
        let Ok(container) = docker.inspect_container(&name, None::<InspectContainerOptions>).await else { continue };
        let Some(id) = label(&container, LABEL_INSTANCE).and_then(|id| id.parse::<InstanceId>().ok()) else { continue };
        let used = measure(&docker, &container).await;
        plugin.measured.0.lock().insert(id.clone(), used);
        if too_much(&container, used).is_some() {
            say(&format_args!("instance {id} has {} bytes on disk and {} at /data: it is ended", used.disk, used.data));
            let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
            // It may have ended in this moment.
            let _ = docker.kill_container(&name, Some(options)).await;
        }
    }
    Ok(())
}

/// Which of its disks is too full.
pub(crate) async fn over(plugin: &Plugin, container: &ContainerInspectResponse) -> Option<Over> {
    let docker = plugin.engine.client().await.ok()?;
    too_much(container, measure(&docker, container).await)
}

fn too_much(container: &ContainerInspectResponse, used: Use) -> Option<Over> {
    let beyond = |label, used| number(container, label).filter(|most| used > *most);
    beyond(LABEL_DISK, used.disk).map(Over::Disk).or(beyond(LABEL_QUOTA, used.data).map(Over::Data))
}

async fn measure(docker: &Docker, container: &ContainerInspectResponse) -> Use {
    let layer = container.graph_driver.as_ref().and_then(|driver| driver.data.get("UpperDir")).map(PathBuf::from);
    let mounts = container.mounts.clone().unwrap_or_default();
    let walked = tokio::task::spawn_blocking(move || {
        let of =
            |kind: &str| -> u64 { mounts.iter().filter_map(|mount| source(mount, kind)).map(|dir| tree(&dir)).sum() };
        // Only the system's administrator may look into a layer.
        let layer = layer.filter(|layer| fs::read_dir(layer).is_ok()).map(|layer| tree(&layer));
        (layer, of("volume"), of("bind"))
    });
    let (layer, volumes, data) = walked.await.unwrap_or_default();
    let layer = match layer {
        Some(layer) => layer,
        None => told(docker, container).await,
    };
    Use { disk: layer.saturating_add(volumes).min(limits::NUMBER), data: data.min(limits::NUMBER) }
}

/// What the Engine says of the container's own layer.
async fn told(docker: &Docker, container: &ContainerInspectResponse) -> u64 {
    let options = InspectContainerOptions { size: true };
    let name = container.id.as_deref().unwrap_or_default();
    let found = docker.inspect_container(name, Some(options)).await;
    found.ok().and_then(|found| found.size_rw).and_then(|size| u64::try_from(size).ok()).unwrap_or_default()
}

fn source(mount: &MountPoint, kind: &str) -> Option<PathBuf> {
    let is_kind = mount.typ.as_deref() == Some(kind);
    mount.source.as_ref().filter(|_| is_kind).map(PathBuf::from)
}

/// Bytes of a folder and all that is in it. Folders so deep that nobody can name them count as too much of anything.
pub(crate) fn tree(top: &Path) -> u64 {
    let all = Allowed { bytes: u64::MAX, files: u64::MAX };
    // One that cannot be read has nothing that could be counted.
    let found = usage::measure(top, all).unwrap_or_default();
    if found.is_too_deep { limits::NUMBER } else { found.bytes.max(found.files.saturating_mul(LEAST)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_files_and_folders_count_and_holes_do_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(tree(dir.path()), 0);
        for name in ["a", "b", "c"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("d")).unwrap();
        assert_eq!(tree(dir.path()), 4 * LEAST);
        fs::write(dir.path().join("d/e"), vec![1; 100_000]).unwrap();
        assert!((100_000..200_000).contains(&tree(dir.path())));
        let hole = fs::File::create(dir.path().join("hole")).unwrap();
        hole.set_len(1 << 40).unwrap();
        assert!(tree(dir.path()) < 1 << 20);
        std::os::unix::fs::symlink("/", dir.path().join("all")).unwrap();
        assert!(tree(dir.path()) < 1 << 20);
    }
}
