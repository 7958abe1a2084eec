//! One build, step by step.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use spaceport_core::lifecycle::{BuildFailure, FailureKind};
use spaceport_core::manifest::{Manifest, ManifestError};
use spaceport_core::plugin::Plugins;
use spaceport_core::space::Sdk;
use spaceport_git::GitError;
use tokio::time::timeout;

use super::request::request;
use super::site;
use super::steps::{Steps, size};
use super::{BuildOrder, BuildPhase, BuildReport, Built, Lane};
use crate::checkouts::{CheckoutError, FileList};
use crate::fleet::{Shared, no_failure_if_ending};
use crate::logs::LogKind;
use crate::ports::{Artifact, Backend, LogSink, Mount};

/// The file whose front matter configures a Space.
const README: &str = "README.md";
/// Longest build in a container backend, which has a limit of its own and says so: this one is for one that never ends.
const CONTAINER_DEADLINE: Duration = Duration::from_secs(2 * 60 * 60);
/// The line that begins and ends a front matter.
const FENCE: &str = "---";

/// Builds, and says how it went.
pub(super) async fn run(shared: &Arc<Shared>, order: &BuildOrder, log: Arc<dyn LogSink>) -> BuildReport {
    let steps = Steps::begin(log);
    steps.say(format!("Building revision {}", &order.revision.to_string()[..7]));
    // A bug in a backend must not leave the Space building for ever.
    let built = AssertUnwindSafe(build(shared, order, &steps)).catch_unwind().await;
    let report = built.unwrap_or_else(|_| BuildReport {
        manifest: None,
        outcome: Err(BuildFailure {
            kind: FailureKind::Host,
            message: "the build failed through a bug of this host".to_owned(),
        }),
    });
    if report.outcome.is_err() {
        no_failure_if_ending().await;
    }
    match &report.outcome {
        Ok(_) => steps.say("Build finished"),
        Err(failure) => steps.say(format!("Build failed: {}", failure.message)),
    }
    // Whoever sees the stage that follows finds the whole log.
    shared.logs.flushed(order.space, LogKind::Build).await;
    let outcome = report.outcome.as_ref().err().map(|failure| failure.kind);
    tracing::info!(
        space = %order.path,
        build = %order.build,
        revision = %order.revision,
        failure = ?outcome,
        duration_ms = (steps.seconds() * 1000.0) as u64,
        "a build has ended"
    );
    report
}

async fn build(shared: &Arc<Shared>, order: &BuildOrder, steps: &Steps) -> BuildReport {
    let light = shared.builder.light.acquire().await;
    let usual = shared.config.build_deadline;
    let (manifest, front_matter) = match limited(usual, configuration(shared, order)).await {
        Ok(read) => read,
        Err(failure) => return BuildReport { manifest: None, outcome: Err(failure) },
    };
    crate::linked::refresh(shared, order.space, order.revision).await;
    steps.say(format!("{README}: sdk: {}, app_file: {}", manifest.sdk.as_str(), manifest.app_file));
    let lane = match &manifest.sdk {
        _ if site::is_wanted(&manifest) => Some(Lane::Containers),
        sdk if sdk.is_container() => Some(Lane::Containers),
        sdk if sdk.is_plugin() => None,
        _ => Some(Lane::Components),
    };
    let _light;
    let _heavy;
    match lane {
        None => _light = light,
        Some(lane) => {
            drop(light);
            _heavy = wait_for_worker(shared, order, lane, steps).await;
        }
    }
    shared.builder.enter(shared, order.build, BuildPhase::CheckingOut);
    let deadline = if lane == Some(Lane::Containers) { usual.max(CONTAINER_DEADLINE) } else { usual };
    let outcome = limited(deadline, artifact(shared, order, &manifest, steps)).await;
    BuildReport { manifest: Some(manifest), outcome: outcome.map(|artifact| Built { artifact, front_matter }) }
}

/// The revision's configuration, parsed and as text.
async fn configuration(shared: &Shared, order: &BuildOrder) -> Result<(Arc<Manifest>, String), BuildFailure> {
    let readme = shared.repos.repo(order.space).read(order.revision, README).await;
    let readme = readme.map_err(|error| git_failure(order, &error))?;
    let readme = readme.ok_or_else(|| config_error(&ManifestError::Missing))?;
    let manifest =
        Manifest::from_readme(&readme, Plugins::Only(&shared.plugins())).map_err(|error| config_error(&error))?;
    Ok((Arc::new(manifest), front_matter(&String::from_utf8_lossy(&readme)).to_owned()))
}

async fn wait_for_worker<'a>(
    shared: &'a Shared,
    order: &BuildOrder,
    lane: Lane,
    steps: &Steps,
) -> Option<tokio::sync::SemaphorePermit<'a>> {
    let ahead = shared.builder.queue(order.build, lane);
    shared.tell(order.space, |_| ());
    if ahead > 0 {
        steps.say(format!("Waiting for {ahead} other {}", if ahead == 1 { "build" } else { "builds" }));
    }
    shared.builder.workers(lane).acquire().await.ok()
}

async fn artifact(
    shared: &Arc<Shared>,
    order: &BuildOrder,
    manifest: &Arc<Manifest>,
    steps: &Steps,
) -> Result<Artifact, BuildFailure> {
    if site::is_wanted(manifest) {
        return site::build(shared, order, manifest, steps).await;
    }
    let backend = backend(shared, manifest)?;
    let (app, files) = check_out(shared, order, steps).await?;
    require_entry(&files, manifest)?;
    let request = request(shared, order, manifest, app, steps)?;
    shared.builder.enter(shared, order.build, BuildPhase::Building);
    backend.build(request).await
}

fn backend<'a>(shared: &'a Shared, manifest: &Manifest) -> Result<&'a Arc<dyn Backend>, BuildFailure> {
    let failure = |message| BuildFailure { kind: FailureKind::NoBackend, message };
    shared.backend(manifest.sdk).ok_or_else(|| failure(shared.no_backend(manifest.sdk)))
}

/// The revision's files.
pub(super) async fn check_out(
    shared: &Shared,
    order: &BuildOrder,
    steps: &Steps,
) -> Result<(Mount, Arc<FileList>), BuildFailure> {
    let checkouts = &shared.checkouts;
    let failed = |error: CheckoutError| match error {
        CheckoutError::Git(error) => git_failure(order, &error),
        error @ CheckoutError::Files { .. } => host_failure(order, &error),
    };
    let app = checkouts.ensure(order.space, order.revision).await.map_err(failed)?;
    let files = checkouts.files(order.space, order.revision).await.map_err(failed)?;
    let bytes = files.values().map(|file| file.size).sum();
    steps.say(format!(
        "Checked out {} {}, {}",
        files.len(),
        if files.len() == 1 { "file" } else { "files" },
        size(bytes)
    ));
    Ok((app, files))
}

/// What the app starts from must be among the files.
fn require_entry(files: &FileList, manifest: &Manifest) -> Result<(), BuildFailure> {
    let entry = &manifest.app_file;
    if files.contains_key(entry) {
        return Ok(());
    }
    let remedy = match manifest.sdk {
        Sdk::Docker => "",
        _ => ", or name another file with app_file in the README",
    };
    let message = format!("{entry} is not in the repository: add it{remedy}");
    Err(BuildFailure { kind: FailureKind::NoAppFile, message })
}

/// Runs a part of a build, for as long as one may take.
async fn limited<T>(
    deadline: Duration,
    part: impl Future<Output = Result<T, BuildFailure>>,
) -> Result<T, BuildFailure> {
    let late = |_| Err(build_error(format!("the build took longer than {deadline:?} and was stopped")));
    timeout(deadline, part).await.unwrap_or_else(late)
}

/// The front matter with its fences; the whole text if it has none.
fn front_matter(readme: &str) -> &str {
    let mut end = 0;
    let mut fences = 0;
    for line in readme.split_inclusive('\n') {
        end += line.len();
        fences += usize::from(line.trim_end() == FENCE);
        if fences == 2 {
            return &readme[..end];
        }
    }
    readme
}

fn config_error(error: &ManifestError) -> BuildFailure {
    BuildFailure { kind: FailureKind::ConfigError, message: error.to_string() }
}

pub(super) fn build_error(message: String) -> BuildFailure {
    BuildFailure { kind: FailureKind::BuildError, message }
}

/// What the author can change is said to the author, the rest to the operator too.
pub(super) fn git_failure(order: &BuildOrder, error: &GitError) -> BuildFailure {
    match error {
        GitError::Tree(error) => build_error(error.to_string()),
        GitError::TooLarge { .. } => build_error(error.to_string()),
        error => host_failure(order, error),
    }
}

pub(super) fn host_failure(order: &BuildOrder, error: &dyn std::error::Error) -> BuildFailure {
    tracing::error!(space = %order.path, build = %order.build, %error, "a build failed through no fault of its author");
    let message = format!("this host could not provide the revision's files: {error}");
    BuildFailure { kind: FailureKind::Host, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_readme_the_front_matter_is_kept() {
        for (readme, kept) in [
            ("---\nsdk: static\n---\n# Title\n---\n", "---\nsdk: static\n---\n"),
            ("---\r\nsdk: static\r\n---\r\n# Title", "---\r\nsdk: static\r\n---\r\n"),
            ("---\nsdk: static\n---", "---\nsdk: static\n---"),
            ("no front matter", "no front matter"),
        ] {
            assert_eq!(front_matter(readme), kept);
        }
    }
}
