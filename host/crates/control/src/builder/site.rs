//! A web site that a command makes of its repository: the command runs in a container backend, what it leaves is committed
//! to a ref of its own, and that commit is what is served.
//!
//! The ref's history is the builds, one after the other, so that a release of the past finds its files too.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::Dir;
use spaceport_core::lifecycle::{BuildFailure, FailureKind};
use spaceport_core::manifest::Manifest;
use spaceport_core::revision::Oid;
use spaceport_git::{Author, Change, CommitError, CommitSpec, FileMode, RepoPath};

use super::job::{build_error, check_out, git_failure, host_failure};
use super::request::request;
use super::steps::{Steps, size};
use super::{BuildOrder, BuildPhase};
use crate::checkouts::CheckoutError;
use crate::fleet::Shared;
use crate::ports::{Artifact, Mount};

/// Where built sites are committed.
const BUILT: &str = "refs/convert/build";
/// How the artifact of a built site begins; the commit follows.
const SITE: &str = "site:";
/// Bytes of all files of a built site: they pass through the host's memory on their way into the repository.
const MAX_SITE: u64 = 256 << 20;
/// Folders of tools, which nobody serves.
const LEFT_OUT: [&str; 2] = [".git", "node_modules"];
/// Who makes the commits.
const AUTHOR: (&str, &str) = ("spaceport", "spaceport@localhost");

/// Whether the README asks for it.
pub(super) fn is_wanted(manifest: &Manifest) -> bool {
    manifest.sdk.is_plugin() && manifest.app_build_command.is_some()
}

/// The commit with the files to serve, if an artifact is a built site.
pub(crate) fn commit_of(artifact: &str) -> Option<Oid> {
    artifact.strip_prefix(SITE)?.parse().ok()
}

/// Runs the README's command and commits what it leaves.
pub(super) async fn build(
    shared: &Arc<Shared>,
    order: &BuildOrder,
    manifest: &Manifest,
    steps: &Steps,
) -> Result<Artifact, BuildFailure> {
    let backend = shared.backends.iter().find(|backend| backend.builds_sites()).ok_or_else(no_builder)?;
    let (app, _) = check_out(shared, order, steps).await?;
    let folder = shared.checkouts.make_site(order.space, order.build).await;
    let folder = folder.map_err(|error| host_failure(order, &error))?;
    let mut request = request(shared, order, manifest, app, steps)?;
    request.site = Some(folder.path.clone());
    shared.builder.enter(shared, order.build, BuildPhase::Building);
    let built = match backend.build(request).await {
        Ok(_) => keep(shared, order, manifest, &folder, steps).await,
        Err(failure) => Err(failure),
    };
    shared.checkouts.remove_site(order.space, order.build).await;
    built.map(|commit| Artifact(format!("{SITE}{commit}")))
}

/// It may be tried again when the host is started anew, perhaps with a builder.
fn no_builder() -> BuildFailure {
    let message = "app_build_command cannot be run: this host has no builder; commit the built files".to_owned();
    BuildFailure { kind: FailureKind::Host, message }
}

async fn keep(
    shared: &Shared,
    order: &BuildOrder,
    manifest: &Manifest,
    folder: &Mount,
    steps: &Steps,
) -> Result<Oid, BuildFailure> {
    let dir = folder.dir.clone();
    let read = tokio::task::spawn_blocking(move || Site::read(&dir)).await;
    let site = read.unwrap_or_else(|panicked| Err(io::Error::other(panicked).into())).map_err(|error| match error {
        SiteError::Io(source) => host_failure(order, &CheckoutError::Files { attempt: "read the built site", source }),
        error => build_error(error.to_string()),
    })?;
    steps.say(format!("The site has {} files, {}", site.files.len(), size(site.bytes)));
    let entry = &manifest.app_file;
    if !site.has(entry) {
        let message = format!(
            "app_build_command has left no {entry}: name the page it makes with app_file in the README, such as \
             dist/index.html"
        );
        return Err(BuildFailure { kind: FailureKind::NoAppFile, message });
    }
    commit(shared, order, site).await.map_err(|error| match error {
        CommitError::Git(error) => git_failure(order, &error),
        error @ CommitError::Tree(_) => build_error(error.to_string()),
        error => host_failure(order, &error),
    })
}

async fn commit(shared: &Shared, order: &BuildOrder, site: Site) -> Result<Oid, CommitError> {
    let repo = shared.repos.repo(order.space);
    let before = match repo.head(BUILT).await? {
        Some(head) => repo.tree(head).await?,
        None => Vec::new(),
    };
    let there: BTreeSet<&str> = site.files.iter().map(|(path, ..)| path.as_str()).collect();
    let gone = before.into_iter().filter(|entry| !there.contains(entry.path.as_str()));
    let gone: Vec<Change> = gone.map(|entry| Change::Delete { path: entry.path }).collect();
    let put = site.files.into_iter().map(|(path, mode, content)| Change::Put { path, mode, content });
    let spec = CommitSpec {
        branch: BUILT.to_owned(),
        parent: None,
        author: Author { name: AUTHOR.0.to_owned(), email: AUTHOR.1.to_owned(), at: shared.clock.now() },
        message: format!("Build {}", order.revision),
        changes: gone.into_iter().chain(put).collect(),
    };
    repo.commit(spec).await
}

/// What a build has left.
#[derive(Debug, Default)]
struct Site {
    files: Vec<(RepoPath, FileMode, Bytes)>,
    bytes: u64,
}

/// Why what a build has left is not served.
#[derive(Debug, thiserror::Error)]
enum SiteError {
    #[error("the files cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the built site has more than {}: leave out what is not served", size(MAX_SITE))]
    TooLarge,
    #[error("{0}")]
    Path(String),
}

impl Site {
    fn read(dir: &Dir) -> Result<Self, SiteError> {
        let mut site = Self::default();
        site.add(dir, "")?;
        Ok(site)
    }

    fn has(&self, path: &str) -> bool {
        self.files.iter().any(|(known, mode, _)| known.as_str() == path && *mode != FileMode::Symlink)
    }

    /// What is neither a file nor a folder nor a link is left out; a site has no use for it.
    fn add(&mut self, dir: &Dir, prefix: &str) -> Result<(), SiteError> {
        for entry in dir.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(SiteError::Path(format!("{}{}: names are written in UTF-8", prefix, name.display())));
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !LEFT_OUT.contains(&name) {
                    // Its path is checked with those of the files in it.
                    self.add(&dir.open_dir(name)?, &format!("{prefix}{name}/"))?;
                }
            } else if kind.is_symlink() {
                let target = dir.read_link_contents(name)?.to_string_lossy().into_owned();
                self.push(&format!("{prefix}{name}"), FileMode::Symlink, target.into())?;
            } else if kind.is_file() {
                self.add_file(dir, name, prefix)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, dir: &Dir, name: &str, prefix: &str) -> Result<(), SiteError> {
        let size = dir.symlink_metadata(name)?.len();
        if self.bytes + size > MAX_SITE {
            return Err(SiteError::TooLarge);
        }
        self.push(&format!("{prefix}{name}"), FileMode::Regular, dir.read(name)?.into())
    }

    fn push(&mut self, path: &str, mode: FileMode, content: Bytes) -> Result<(), SiteError> {
        let path = RepoPath::parse(path).map_err(|error| SiteError::Path(error.to_string()))?;
        self.bytes += content.len() as u64;
        self.files.push((path, mode, content));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn a_site_is_its_files_and_links_without_the_tools() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        dir.create_dir_all("dist/node_modules/x").unwrap();
        dir.create_dir_all(".git").unwrap();
        dir.create_dir("empty").unwrap();
        for path in ["dist/index.html", "dist/node_modules/x/a.js", ".git/config", "README.md"] {
            dir.write(path, path).unwrap();
        }
        dir.symlink("index.html", "dist/link").unwrap();
        // A link that leads out is read as a link, and refused when it is committed.
        dir.symlink_contents("/etc", "out").unwrap();
        let site = Site::read(&dir).unwrap();
        let mut paths: Vec<&str> = site.files.iter().map(|(path, ..)| path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["README.md", "dist/index.html", "dist/link", "out"]);
        assert!(site.has("dist/index.html") && !site.has("dist/link") && !site.has("index.html"));
    }

    #[test]
    fn the_artifact_of_a_site_names_its_commit() {
        let commit: Oid = "46f3011723fd0db027ec3604767d75603cb25ba0".parse().unwrap();
        assert_eq!(commit_of(&format!("{SITE}{commit}")), Some(commit));
        for other in ["", "site:", "plugin:static", "container:sha256:00"] {
            assert_eq!(commit_of(other), None, "{other}");
        }
    }
}
