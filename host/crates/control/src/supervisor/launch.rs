//! A launch: from a release's record to an instance that answers. Runs in a task of its own and leaves nothing behind if
//! it fails or is no longer wanted.

use std::sync::Arc;
use std::time::Duration;

use spaceport_core::egress::EgressPolicy;
use spaceport_core::env::{AppEnvironment, OauthSettings, app_environment, page_variables};
use spaceport_core::hardware::Hardware;
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{InstanceId, Millis, Release};
use spaceport_core::limits::for_space;
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::Plugins;
use spaceport_core::revision::Oid;
use spaceport_core::space::{Sdk, Space};
use spaceport_db::BuiltRelease;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::instances::Instance;
use super::member::{Input, Member};
use super::probe::probe;
use crate::builder::commit_of;
use crate::fleet::{Shared, no_failure_if_ending};
use crate::logs::LogKind;
use crate::ports::{Artifact, Backend, Cause, FileList, LaunchError, LaunchRequest, Mount, Upstream};
use crate::secrets::{SecretsError, secrets};
use crate::service::oauth_settings;

/// Time between two looks at whether what another Space has is free: short beside the start of what needs such things.
const LOOK: Duration = Duration::from_millis(500);

/// What is to be launched.
pub(super) struct LaunchOrder {
    pub(super) space: SpaceId,
    pub(super) instance: InstanceId,
    pub(super) release: Release,
    /// Whether it must answer a request before it counts as started.
    pub(super) probe: bool,
    /// The release's configuration, if it is at hand.
    pub(super) manifest: Option<Arc<Manifest>>,
    pub(super) generation: u64,
    /// One of many that start with the host: it takes its turn.
    pub(super) is_boot: bool,
    /// Ends the launch when it is no longer wanted.
    pub(super) stop: CancellationToken,
}

/// Everything a launch needs from the database.
struct Recorded {
    space: Space,
    built: BuiltRelease,
    manifest: Arc<Manifest>,
    secrets: Vec<(String, String)>,
    oauth: Option<OauthSettings>,
}

/// The directories of an instance.
struct Mounts {
    app: Mount,
    files: Arc<FileList>,
    tmp: Mount,
    data: Option<Mount>,
}

/// Launches, or says why not in a sentence for the owner.
pub(super) async fn run(
    shared: &Arc<Shared>,
    member: &Arc<Member>,
    order: LaunchOrder,
) -> Result<Instance, LaunchError> {
    let (space, instance) = (order.space, order.instance);
    let launched = tokio::select! {
        biased;
        () = order.stop.cancelled() => Err(LaunchError::app("it is no longer wanted")),
        launched = launch(shared, member, &order) => launched,
    };
    if launched.is_err() {
        no_failure_if_ending().await;
        shared.checkouts.remove_tmp(space, instance).await;
    }
    launched
}

async fn launch(shared: &Arc<Shared>, member: &Arc<Member>, order: &LaunchOrder) -> Result<Instance, LaunchError> {
    let recorded = recorded(shared, order)?;
    let manifest = recorded.manifest.clone();
    // A container may take half an hour, most of which it waits for others; meanwhile this host has turns to give.
    let _turn = match order.is_boot && !manifest.sdk.is_container() {
        true => shared.boot_turns.acquire().await.ok(),
        false => None,
    };
    let logged_until = logged_until(shared, order, &manifest).await;
    let startup = startup(shared, &manifest);
    let late = |what: &str| LaunchError::app(too_late(&manifest, what, startup));
    // A built site has a commit of its own.
    let revision = commit_of(&recorded.built.artifact).unwrap_or(order.release.revision);
    let mounts = mounts(shared, order, &recorded, revision).await?;
    let (app, has_data) = (mounts.app.clone(), mounts.data.is_some());
    let hardware = recorded.space.hardware.clone();
    let backend = shared.backend(manifest.sdk);
    let backend = backend.ok_or_else(|| LaunchError::app(shared.no_backend(manifest.sdk)))?.clone();
    let authority = shared.config.addresses.app_authority(&recorded.space.subdomain, manifest.sdk);
    let request = LaunchRequest { revision, logged_until, ..request(shared, member, order, recorded, mounts)? };

    let upstream = start(shared, member, order.instance, &*backend, &request, startup).await;
    let upstream = upstream.map_err(|_| late("it did not start"))??;
    let upstream = Started(Some(upstream), shared.clone());
    if order.probe {
        let scheme = &shared.config.addresses.scheme;
        timeout(startup, probe(upstream.get(), scheme, &authority))
            .await
            .map_err(|_| late("it did not answer its first request"))?
            .map_err(|fault| LaunchError::app(format!("it did not answer its first request: {fault}")))?;
    }
    Ok(Instance {
        id: order.instance,
        revision,
        manifest,
        upstream: upstream.keep(),
        app,
        has_data,
        hardware,
        generation: order.generation,
    })
}

/// Asks the backend until nobody else has what the app needs. That time is not counted against the app.
async fn start(
    shared: &Arc<Shared>,
    member: &Arc<Member>,
    instance: InstanceId,
    backend: &dyn Backend,
    request: &LaunchRequest,
    startup: Duration,
) -> Result<Result<Arc<dyn Upstream>, LaunchError>, Elapsed> {
    loop {
        match timeout(startup, backend.launch(request.clone())).await? {
            Err(LaunchError { cause: Cause::Taken, message }) => {
                member.post(shared, Input::Waits { instance, message });
                tokio::time::sleep(LOOK).await;
            }
            launched => return Ok(launched),
        }
    }
}

/// What is said of an app that does not answer in time; of containers in the words that owners of Spaces look for.
fn too_late(manifest: &Manifest, what: &str, startup: Duration) -> String {
    match (manifest.sdk.is_container(), startup.as_secs()) {
        (false, _) => format!("{what} within {startup:?}"),
        (true, seconds) if seconds.is_multiple_of(60) => {
            format!("Launch timed out, workload was not healthy after {} min", seconds / 60)
        }
        (true, seconds) => format!("Launch timed out, workload was not healthy after {seconds} s"),
    }
}

/// How long a launch may take, and then its probe. Containers fetch models first, components do not.
fn startup(shared: &Shared, manifest: &Manifest) -> Duration {
    match manifest.sdk.is_container() {
        true => manifest.startup_timeout,
        false => manifest.startup_timeout.min(shared.config.limits.cold_start),
    }
}

fn recorded(shared: &Shared, order: &LaunchOrder) -> Result<Recorded, LaunchError> {
    let unreadable = |error: spaceport_db::ReadError| {
        tracing::error!(space_id = %order.space, %error, "a Space cannot be launched");
        LaunchError::host("this host cannot read the Space's record")
    };
    let db = &shared.db;
    let space =
        db.running_space(order.space).map_err(unreadable)?.ok_or_else(|| LaunchError::app("the Space is gone"))?;
    let built = db.releases().get(&(order.space, order.release.number)).map_err(unreadable)?;
    let missing = || format!("release {} is not recorded: restart from scratch", order.release.number);
    let built = built.ok_or_else(|| LaunchError::app(missing()))?;
    let manifest = match &order.manifest {
        Some(manifest) => manifest.clone(),
        None => {
            let manifest = Manifest::from_readme(built.readme.as_bytes(), Plugins::Any(&shared.plugins()));
            Arc::new(manifest.map_err(|error| LaunchError::app(error.to_string()))?)
        }
    };
    let secrets = secrets(shared, &space).map_err(|error| match error {
        SecretsError::Unreadable(error) => unreadable(error),
        error @ SecretsError::Sealed(_) => LaunchError::app(error.to_string()),
    })?;
    let (keys, addresses) = (&shared.config.keys, &shared.config.addresses);
    let oauth = oauth_settings(db, keys, addresses, order.space, &manifest).map_err(unreadable)?;
    Ok(Recorded { space, built, manifest, secrets, oauth })
}

/// What of a log a container that has outlived the host need not tell again.
async fn logged_until(shared: &Shared, order: &LaunchOrder, manifest: &Manifest) -> Option<Millis> {
    if !order.is_boot || !manifest.sdk.is_container() {
        return None;
    }
    let (logs, space) = (shared.logs.clone(), order.space);
    tokio::task::spawn_blocking(move || logs.last_at(space, LogKind::Run)).await.ok()?
}

async fn mounts(
    shared: &Shared,
    order: &LaunchOrder,
    recorded: &Recorded,
    revision: Oid,
) -> Result<Mounts, LaunchError> {
    let failed = |error: crate::checkouts::CheckoutError| {
        tracing::error!(space = %recorded.space.path, %error, "a Space cannot be launched");
        LaunchError::host(format!("this host cannot provide the Space's files: {error}"))
    };
    let checkouts = &shared.checkouts;
    let app = checkouts.ensure(order.space, revision).await.map_err(failed)?;
    let files = match recorded.manifest.sdk.is_plugin() {
        true => checkouts.files(order.space, revision).await.map_err(failed)?,
        false => Arc::default(),
    };
    let tmp = checkouts.make_tmp(order.space, order.instance).await.map_err(failed)?;
    let data = match recorded.space.storage {
        Some(_) => Some(checkouts.storage(order.space).await.map_err(failed)?),
        None => None,
    };
    Ok(Mounts { app, files, tmp, data })
}

fn request(
    shared: &Arc<Shared>,
    member: &Arc<Member>,
    order: &LaunchOrder,
    recorded: Recorded,
    mounts: Mounts,
) -> Result<LaunchRequest, LaunchError> {
    let Recorded { space, built, manifest, secrets, oauth } = recorded;
    let catalogue = shared.catalogue();
    let hardware = catalogue.flavor(&space.hardware).ok_or_else(|| not_offered(&space.hardware))?;
    let storage = match &space.storage {
        Some(name) => Some(catalogue.tier(name).ok_or_else(|| not_offered(name))?),
        None => None,
    };
    let limits = for_space(hardware, storage, &manifest.wasm, &shared.config.limits);
    let oauth = oauth.as_ref();
    let client_secret = oauth.map(|oauth| &oauth.client_secret);
    let values: Vec<String> = secrets.iter().map(|(_, value)| value).chain(client_secret).cloned().collect();
    let log = shared.logs.run_sink(space.id, &values);
    let is_static = manifest.sdk == Sdk::Static;
    if !is_static {
        shared.logs.say(
            space.id,
            &format!("===== Application startup: release {}, revision {} =====", built.release.number, short(order)),
        );
    }
    Ok(LaunchRequest {
        space: space.id,
        instance: order.instance,
        revision: order.release.revision,
        artifact: Artifact(built.artifact),
        env: if is_static { Vec::new() } else { environment(shared, &space, hardware, &manifest, &secrets, oauth) },
        variables: match manifest.sdk.is_container() {
            true => space.variables.iter().map(|(name, variable)| (name.clone(), variable.value.clone())).collect(),
            false => Vec::new(),
        },
        page_variables: match manifest.sdk.is_plugin() {
            true if is_static && shared.config.expose_static_secrets => page_variables(&space, &secrets, oauth),
            true => page_variables(&space, &[], oauth),
            false => Vec::new(),
        },
        app: mounts.app,
        files: mounts.files,
        tmp: mounts.tmp,
        data: mounts.data,
        hardware: hardware.clone(),
        limits,
        egress: EgressPolicy { rules: manifest.wasm.egress.clone(), ..shared.config.egress.clone() },
        log,
        logged_until: None,
        on_crash: on_crash(shared, member, order.instance),
        secrets: if manifest.sdk.is_container() { secrets } else { Vec::new() },
        manifest: Manifest::clone(&manifest),
        path: space.path,
    })
}

fn environment(
    shared: &Shared,
    space: &Space,
    hardware: &Hardware,
    manifest: &Manifest,
    secrets: &[(String, String)],
    oauth: Option<&OauthSettings>,
) -> Vec<(String, String)> {
    let host = shared.config.addresses.app_authority(&space.subdomain, manifest.sdk);
    let title = manifest.title.as_deref();
    app_environment(AppEnvironment { space, title, hardware, host: &host, secrets, oauth })
}

fn not_offered(name: &str) -> LaunchError {
    LaunchError::app(format!("{name} is not offered by this host any more: choose other hardware or storage"))
}

fn on_crash(shared: &Arc<Shared>, member: &Arc<Member>, instance: InstanceId) -> Arc<dyn Fn(String) + Send + Sync> {
    let (shared, member) = (Arc::downgrade(shared), Arc::downgrade(member));
    Arc::new(move |message| {
        if let (Some(shared), Some(member)) = (shared.upgrade(), member.upgrade()) {
            member.post(&shared, Input::Crashed { instance, message });
        }
    })
}

fn short(order: &LaunchOrder) -> String {
    order.release.revision.to_string()[..7].to_owned()
}

/// An upstream that is stopped unless it is kept: whatever ends a launch early must not leave it running.
struct Started(Option<Arc<dyn Upstream>>, Arc<Shared>);

impl Started {
    fn get(&self) -> &dyn Upstream {
        self.0.as_deref().expect("it is there until it is kept")
    }

    fn keep(mut self) -> Arc<dyn Upstream> {
        self.0.take().expect("it is there until it is kept")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(upstream) = self.0.take() {
            self.1.spawn(async move { upstream.stop(Duration::ZERO).await });
        }
    }
}
