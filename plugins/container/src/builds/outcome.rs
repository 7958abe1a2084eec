//! What a build has made: an image, or the files of a web site.

use std::fs;
use std::path::Path;

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;
use spaceport_backend_protocol::{Artifact, BuildEvent, Fault};

use super::failure::failed;
use crate::disk;
use crate::instances::{Unit, size};
use crate::refusal::of_engine;

/// The image whose id the command has left in a file.
pub(super) async fn image(docker: &Docker, id_file: &Path, most: u64) -> BuildEvent {
    let id = fs::read_to_string(id_file).unwrap_or_default();
    let Ok(artifact) = id.trim().parse::<Artifact>() else {
        return failed(Fault::Platform, "the build has ended and left no image");
    };
    let found = match docker.inspect_image(artifact.as_str()).await {
        Ok(found) => found,
        Err(error) => return failed(Fault::Platform, of_engine(&error).message.as_str()),
    };
    let bytes = found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let refusal = if bytes > most {
        Some(format!("the image has {}, and may have {}", size(bytes, Unit::Decimal), size(most, Unit::Decimal)))
    } else if config.working_dir.as_deref().is_some_and(is_special) {
        // What lies there is the machine's, seen by whoever starts the container.
        Some("the image's WORKDIR is in a file system of the kernel's".to_owned())
    } else if config.cmd.is_none_or(|words| words.is_empty()) && config.entrypoint.is_none_or(|words| words.is_empty())
    {
        Some("the image has neither CMD nor ENTRYPOINT: there is nothing to start".to_owned())
    } else {
        None
    };
    let Some(refusal) = refusal else { return BuildEvent::Built { artifact, bytes } };
    let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    // If it stays, nobody needs it, and it goes with the rest of that kind.
    let _ = docker.remove_image(artifact.as_str(), Some(options), None).await;
    failed(Fault::Owner, &refusal)
}

fn is_special(dir: &str) -> bool {
    ["/proc", "/sys", "/dev"]
        .iter()
        .any(|top| dir.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The files that the command has written.
pub(super) fn files(output: &Path, most: u64) -> BuildEvent {
    let bytes = disk::tree(output);
    if bytes > most {
        let words =
            format!("the files have {}, and may have {}", size(bytes, Unit::Decimal), size(most, Unit::Decimal));
        return failed(Fault::Owner, &words);
    }
    let (mut files, mut bytes, mut waiting) = (0, 0, vec![output.to_owned()]);
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => waiting.push(entry.path()),
                Ok(found) if found.is_file() => {
                    files += 1;
                    bytes += found.len();
                }
                _ => {}
            }
        }
    }
    BuildEvent::Written { files, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_the_kernels_is_none_to_work_in() {
        for dir in ["/proc", "/proc/self/fd/8", "/sys/x", "/dev/fd"] {
            assert!(is_special(dir), "{dir}");
        }
        for dir in ["", "/", "/app", "/process", "/home/proc"] {
            assert!(!is_special(dir), "{dir}");
        }
    }

    #[test]
    fn files_are_counted_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/b"), "12345").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("c")).unwrap();
        assert_eq!(files(dir.path(), 1 << 20), BuildEvent::Written { files: 1, bytes: 5 });
        let BuildEvent::Failed { fault, message } = files(dir.path(), 4000) else { panic!("it is too much") };
        assert_eq!((fault, message.as_str()), (Fault::Owner, "the files have 12.2K, and may have 4K"));
    }
}
