//! One build, step by step.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use spaceport_core::lifecycle::{BuildFailure, FailureKind};
use spaceport_core::manifest::{Manifest, ManifestError};
use spaceport_core::plugin::Plugins;
use spaceport_core::space::Sdk;
use spaceport_git::GitError;
use tokio::time::timeout;

use super::steps::{Steps, size};
use super::{BuildOrder, BuildPhase, BuildReport, Built};
use crate::checkouts::CheckoutError;
use crate::fleet::{Shared, no_failure_if_ending};
use crate::logs::LogKind;
use crate::ports::{Artifact, Backend, BuildRequest, LogSink, Mount};

/// The file whose front matter configures a Space.
const README: &str = "README.md";
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
    let (manifest, front_matter) = match limited(shared, configuration(shared, order)).await {
        Ok(read) => read,
        Err(failure) => return BuildReport { manifest: None, outcome: Err(failure) },
    };
    crate::linked::refresh(shared, order.space, order.revision).await;
    steps.say(format!("{README}: sdk: {}, app_file: {}", manifest.sdk.as_str(), manifest.app_file));
    let _light;
    let _heavy;
    if manifest.sdk.is_plugin() {
        _light = light;
    } else {
        drop(light);
        _heavy = wait_for_worker(shared, order, steps).await;
    }
    let outcome = limited(shared, artifact(shared, order, &manifest, steps)).await;
    BuildReport { manifest: Some(manifest), outcome: outcome.map(|artifact| Built { artifact, front_matter }) }
}

/// The revision's configuration, parsed and as text.
async fn configuration(shared: &Shared, order: &BuildOrder) -> Result<(Arc<Manifest>, String), BuildFailure> {
    let readme = shared.repos.repo(order.space).read(order.revision, README).await;
    let readme = readme.map_err(|error| git_failure(order, &error))?;
    let readme = readme.ok_or_else(|| config_error(&ManifestError::Missing))?;
    let manifest =
        Manifest::from_readme(&readme, Plugins::Only(&shared.plugins)).map_err(|error| config_error(&error))?;
    Ok((Arc::new(manifest), front_matter(&String::from_utf8_lossy(&readme)).to_owned()))
}

async fn wait_for_worker<'a>(
    shared: &'a Shared,
    order: &BuildOrder,
    steps: &Steps,
) -> Option<tokio::sync::SemaphorePermit<'a>> {
    let ahead = shared.builder.queue(order.build);
    shared.builder.enter(shared, order.build, BuildPhase::Queued);
    if ahead > 0 {
        steps.say(format!("Waiting for {ahead} other {}", if ahead == 1 { "build" } else { "builds" }));
    }
    let worker = shared.builder.heavy.acquire().await.ok();
    shared.builder.begin_work(order.build);
    worker
}

async fn artifact(
    shared: &Arc<Shared>,
    order: &BuildOrder,
    manifest: &Arc<Manifest>,
    steps: &Steps,
) -> Result<Artifact, BuildFailure> {
    let backend = backend(shared, manifest)?;
    shared.builder.enter(shared, order.build, BuildPhase::CheckingOut);
    let app = check_out(shared, order, manifest, steps).await?;
    let request = BuildRequest {
        space: order.space,
        path: order.path.clone(),
        revision: order.revision,
        manifest: Manifest::clone(manifest),
        app,
        clean: order.clean,
        log: steps.log(),
    };
    shared.builder.enter(shared, order.build, BuildPhase::Building);
    backend.build(request).await
}

fn backend<'a>(shared: &'a Shared, manifest: &Manifest) -> Result<&'a Arc<dyn Backend>, BuildFailure> {
    let failure = |message| BuildFailure { kind: FailureKind::NoBackend, message };
    if manifest.sdk.is_plugin() && manifest.app_build_command.is_some() {
        let message = format!("app_build_command needs a builder: {}", shared.no_backend(Sdk::Docker));
        return Err(failure(message));
    }
    shared.backend(manifest.sdk).ok_or_else(|| failure(shared.no_backend(manifest.sdk)))
}

/// The revision's files, with what the app starts from among them.
async fn check_out(
    shared: &Shared,
    order: &BuildOrder,
    manifest: &Manifest,
    steps: &Steps,
) -> Result<Mount, BuildFailure> {
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
    let entry = &manifest.app_file;
    if files.contains_key(entry) {
        return Ok(app);
    }
    let remedy = match manifest.sdk {
        Sdk::Docker => "",
        _ => ", or name another file with app_file in the README",
    };
    let message = format!("{entry} is not in the repository: add it{remedy}");
    Err(BuildFailure { kind: FailureKind::NoAppFile, message })
}

/// Runs a part of a build, for as long as one may take.
async fn limited<T>(shared: &Shared, part: impl Future<Output = Result<T, BuildFailure>>) -> Result<T, BuildFailure> {
    let deadline = shared.config.build_deadline;
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

fn build_error(message: String) -> BuildFailure {
    BuildFailure { kind: FailureKind::BuildError, message }
}

/// What the author can change is said to the author, the rest to the operator too.
fn git_failure(order: &BuildOrder, error: &GitError) -> BuildFailure {
    match error {
        GitError::Tree(error) => build_error(error.to_string()),
        GitError::TooLarge { .. } => build_error(error.to_string()),
        error => host_failure(order, error),
    }
}

fn host_failure(order: &BuildOrder, error: &dyn std::error::Error) -> BuildFailure {
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
