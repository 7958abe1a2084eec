//! Images that nobody needs any more: removed by age, and by size the oldest first.
//!
//! What a container is made of, and what the last minutes have built, stays whatever the list says: the Engine would refuse
//! the one, and the other may be newer than the list.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use bollard::Docker;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, RemoveImageOptions};
use spaceport_backend_protocol::{Artifact, Refusal, Retain, Retained};

use crate::builds;
use crate::names::LABEL_BUILT;
use crate::plugin::Plugin;
use crate::program::say;
use crate::refusal::{is_missing, of_engine};

/// How long an image is kept in any case.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// An image of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Image {
    id: String,
    /// Seconds since 1970.
    built: u64,
    bytes: u64,
}

/// Removes what is not needed.
pub(crate) async fn retain(plugin: &Plugin, asked: &Retain) -> Result<Retained, Refusal> {
    let docker = plugin.engine.client().await.map_err(|error| of_engine(&error))?;
    let missing = missing(&docker, &asked.needed).await?;
    let used = in_use(plugin, &docker).await?;
    let options = ListImagesOptions { filters: Some(plugin.names.filter()), ..ListImagesOptions::default() };
    let found = docker.list_images(Some(options)).await.map_err(|error| of_engine(&error))?;
    let needed: HashSet<&str> = asked.needed.iter().map(Artifact::as_str).collect();
    let free = found.iter().filter(|image| !needed.contains(image.id.as_str()) && !used.contains(&image.id));
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let (mut removed, mut freed_bytes) = (0, 0_u64);
    for image in superfluous(free.map(Image::from).collect(), now, asked.seconds, asked.bytes) {
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        match docker.remove_image(&image.id, Some(options), None).await {
            Ok(_) => {
                removed += 1;
                freed_bytes = freed_bytes.saturating_add(image.bytes);
            }
            Err(error) if is_missing(&error) => {}
            // Something else was made of it.
            Err(error) => say(&format_args!("image {} stays: {error}", image.id)),
        }
    }
    prune(plugin, asked).await;
    Ok(Retained { missing, removed, freed_bytes: freed_bytes.min(spaceport_backend_protocol::limits::NUMBER) })
}

async fn missing(docker: &Docker, needed: &[Artifact]) -> Result<Vec<Artifact>, Refusal> {
    let mut missing = Vec::new();
    for artifact in needed {
        match docker.inspect_image(artifact.as_str()).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => missing.push(artifact.clone()),
            Err(error) => return Err(of_engine(&error)),
        }
    }
    Ok(missing)
}

/// The images of containers that are there, whether they run or not: a start that was interrupted goes on.
async fn in_use(plugin: &Plugin, docker: &Docker) -> Result<HashSet<String>, Refusal> {
    let options =
        ListContainersOptions { all: true, filters: Some(plugin.names.filter()), ..ListContainersOptions::default() };
    let found = docker.list_containers(Some(options)).await.map_err(|error| of_engine(&error))?;
    Ok(found.into_iter().filter_map(|container| container.image_id).collect())
}

/// Which of the images that nobody needs go, at this time.
fn superfluous(mut images: Vec<Image>, now: u64, seconds: u64, bytes: u64) -> Vec<Image> {
    images.sort_by_key(|image| std::cmp::Reverse(image.built));
    let mut kept = 0_u64;
    let goes = |image: &Image| {
        let age = now.saturating_sub(image.built);
        if age < FRESH.as_secs() {
            return false;
        }
        kept = kept.saturating_add(image.bytes);
        age > seconds || kept > bytes
    };
    images.into_iter().filter(goes).collect()
}

/// What builds have left for the next ones.
async fn prune(plugin: &Plugin, asked: &Retain) {
    let Ok(client) = builds::client(plugin).await else { return };
    let mut command = client.command();
    command.args(["builder", "prune", "--force", "--keep-storage", &asked.bytes.to_string()]);
    match command.output().await {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            say(&format_args!("the cache of builds stays: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => say(&format_args!("the cache of builds stays: {error}")),
    }
}

impl From<&ImageSummary> for Image {
    fn from(found: &ImageSummary) -> Self {
        let built = found.labels.get(LABEL_BUILT).and_then(|built| built.parse().ok());
        let created = || u64::try_from(found.created).unwrap_or_default();
        let bytes = u64::try_from(found.size).unwrap_or_default();
        Self { id: found.id.clone(), built: built.unwrap_or_else(created), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, built: u64, bytes: u64) -> Image {
        Image { id: id.to_owned(), built, bytes }
    }

    #[test]
    fn the_old_goes_and_then_the_oldest_until_the_rest_fits() {
        let (now, day) = (100 * 86_400, 86_400);
        let images = || {
            vec![
                image("new", now - 60, 1000),
                image("yesterday", now - day, 40),
                image("week", now - 7 * day, 40),
                image("month", now - 30 * day, 40),
            ]
        };
        let gone = |seconds, bytes| -> Vec<String> {
            superfluous(images(), now, seconds, bytes).into_iter().map(|image| image.id).collect()
        };
        assert_eq!(gone(365 * day, 1 << 30), [""; 0]);
        assert_eq!(gone(10 * day, 1 << 30), ["month"]);
        assert_eq!(gone(365 * day, 100), ["month"]);
        assert_eq!(gone(365 * day, 79), ["week", "month"]);
        assert_eq!(gone(0, 0), ["yesterday", "week", "month"]);
    }
}
