//! Every route of the hub in one table, grouped by who asks.
//!
//! Fixed names stand beside `{owner}/{name}` and win over it. The router matches the address as it was sent: a revision
//! with an encoded slash stays one segment.

mod administration;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use spaceport_control::service::Control;
use tokio::sync::Semaphore;

use crate::api::ssh::SshDoor;
use crate::error::ApiError;
use crate::rate::{self, RateLimits, Rates};
use crate::{api, git, middleware, oauth, ui};

/// Commits with much content that are taken in at once: each holds its content in memory.
const LARGE_COMMITS: usize = 2;

/// What every handler of the hub can reach.
#[derive(Clone)]
pub struct AppState {
    /// The operations.
    pub control: Control,
    /// Turns for commits with much content.
    pub(crate) large_commits: Arc<Semaphore>,
    /// What everybody has asked for lately.
    pub(crate) rates: Arc<Rates>,
    /// Where this host listens for SSH.
    pub(crate) ssh: Option<SshDoor>,
}

impl AppState {
    /// State over the operations.
    pub fn new(control: Control) -> Self {
        Self {
            control,
            large_commits: Arc::new(Semaphore::new(LARGE_COMMITS)),
            rates: Arc::new(Rates::new(RateLimits::default())),
            ssh: None,
        }
    }

    /// The same with quotas of the operator's choice.
    pub fn with_rate_limits(self, limits: RateLimits) -> Self {
        Self { rates: Arc::new(Rates::new(limits)), ..self }
    }

    /// The same, telling where this host listens for SSH.
    pub fn with_ssh(self, ssh: Option<SshDoor>) -> Self {
        Self { ssh, ..self }
    }
}

/// The hub: API, files and pages. Answers every request with an `x-request-id` and writes its access log.
pub fn hub_router(state: AppState) -> Router {
    Router::new()
        .merge(probes())
        .merge(pages())
        .merge(accounts(&state))
        .merge(repositories())
        .merge(catalogue())
        .merge(spaces())
        .merge(running())
        .merge(files())
        .merge(git())
        .merge(oauth::routes())
        .merge(ui::sign_in_routes())
        .merge(administration::routes())
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(state.clone(), rate::limit))
        .layer(from_fn(middleware::observe))
        .with_state(state)
}

/// For whoever watches the host.
fn probes() -> Router<AppState> {
    Router::new().route("/healthz", get(api::probes::alive)).route("/readyz", get(api::probes::ready))
}

/// For people.
fn pages() -> Router<AppState> {
    Router::new().route("/", get(ui::front_page)).route("/spaces/{owner}/{name}", get(ui::space_page))
}

/// `hf auth`.
fn accounts(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/api/whoami-v2", get(api::accounts::whoami))
        .route("/api/settings/repositories", get(api::profiles::repositories))
        .route("/api/settings/keys", get(api::ssh::keys).post(api::ssh::add_key))
        .route("/api/settings/keys/{param}", delete(api::ssh::delete_key))
        .route("/api/ssh", get(api::ssh::door))
        .route("/api/organizations/{param}/settings/repositories", get(api::profiles::repositories_of_organization))
        .route("/api/settings/webhooks", get(api::webhooks::list).post(api::webhooks::create))
        .route(
            "/api/settings/webhooks/{param}",
            get(api::webhooks::show).post(api::webhooks::update).delete(api::webhooks::delete),
        )
        .route("/api/settings/webhooks/{param}/enable", post(api::webhooks::enable))
        .route("/api/settings/webhooks/{param}/disable", post(api::webhooks::disable))
        .route("/api/settings/webhooks/{param}/deliveries", get(api::webhooks::deliveries))
        .route("/api/users/{param}/overview", get(api::profiles::user))
        .route("/api/users/{param}/likes", get(api::likes::liked_by))
        .route("/api/users/{param}/followers", get(api::profiles::nobody_of_user))
        .route("/api/users/{param}/following", get(api::profiles::nobody_of_user))
        .route("/api/organizations/{param}/overview", get(api::profiles::organization))
        .route("/api/organizations/{param}/followers", get(api::profiles::nobody_of_organization))
        .merge(api::organizations::routes(state))
        .merge(api::tokens::routes())
}

/// `hf repos`.
fn repositories() -> Router<AppState> {
    Router::new()
        .route("/api/repos/create", post(api::repos::create))
        .route("/api/repos/delete", delete(api::repos::delete))
        .route("/api/repos/move", post(api::moving::move_repo))
        .route("/api/validate-yaml", post(api::commit::validate_yaml))
}

/// What this host offers, under names that no Space can have.
fn catalogue() -> Router<AppState> {
    Router::new()
        .route("/api/spaces", get(api::spaces::list))
        .route("/api/spaces/hardware", get(api::hardware::list))
        .route("/api/spaces/templates", get(api::catalogue::templates))
        .route("/api/spaces/semantic-search", get(api::catalogue::search))
        .route("/api/spaces/zero-gpu/quota", get(api::catalogue::gpu_quota))
        .route("/api/spaces/by-subdomain/{param}", get(api::spaces::by_subdomain))
}

/// A Space: what it is and its settings.
fn spaces() -> Router<AppState> {
    Router::new()
        .route("/api/spaces/{owner}/{name}", get(api::spaces::info))
        .route("/api/spaces/{owner}/{name}/revision/{rev}", get(api::spaces::info_at))
        .route("/api/spaces/{owner}/{name}/settings", put(api::spaces::change_settings))
        .route("/api/spaces/{owner}/{name}/duplicate", post(api::duplicate::duplicate))
        .route("/api/spaces/{owner}/{name}/like", post(api::likes::like).delete(api::likes::unlike))
        .route("/api/spaces/{owner}/{name}/likers", get(api::likes::likers))
        .route("/api/spaces/{owner}/{name}/discussions", get(api::discussions::list).post(api::discussions::open))
        .route(
            "/api/spaces/{owner}/{name}/discussions/{number}",
            get(api::discussions::one).delete(api::discussions::delete),
        )
        .route("/api/spaces/{owner}/{name}/discussions/{number}/comment", post(api::discussions::comment))
        .route("/api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/edit", post(api::discussions::edit))
        .route("/api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/hide", post(api::discussions::hide))
        .route("/api/spaces/{owner}/{name}/discussions/{number}/title", post(api::discussions::rename))
        .route("/api/spaces/{owner}/{name}/discussions/{number}/status", post(api::discussions::set_status))
        .route("/api/spaces/{owner}/{name}/discussions/{number}/merge", post(api::discussions::merge))
        .route("/api/spaces/{owner}/{name}/host", get(api::spaces::host))
        .route("/api/spaces/{owner}/{name}/scan", get(api::scan::findings))
        .route("/api/spaces/{owner}/{name}/jwt", get(api::spaces::jwt))
        .route("/api/spaces/{owner}/{name}/oauth/secret", post(api::settings::rotate_oauth_secret))
        .route("/api/spaces/{owner}/{name}/auth-check", get(api::spaces::auth_check))
        .route("/api/spaces/{owner}/{name}/auth-check/write", get(api::spaces::auth_check_write))
        .route(
            "/api/spaces/{owner}/{name}/variables",
            get(api::settings::variables).post(api::settings::set_variable).delete(api::settings::delete_variable),
        )
        .route(
            "/api/spaces/{owner}/{name}/secrets",
            get(api::settings::secrets).post(api::settings::set_secret).delete(api::settings::delete_secret),
        )
}

/// A Space: how it runs.
fn running() -> Router<AppState> {
    Router::new()
        .route("/api/spaces/{owner}/{name}/runtime", get(api::running::runtime))
        .route("/api/spaces/{owner}/{name}/hardware", post(api::hardware::request))
        .route("/api/spaces/{owner}/{name}/sleeptime", post(api::hardware::set_sleep_time))
        .route(
            "/api/spaces/{owner}/{name}/storage",
            post(api::hardware::set_storage).delete(api::hardware::delete_storage),
        )
        .route("/api/spaces/{owner}/{name}/pause", post(api::running::pause))
        .route("/api/spaces/{owner}/{name}/restart", post(api::running::restart))
        .route("/api/spaces/{owner}/{name}/logs/{param}", get(api::running::logs))
        .route("/api/spaces/{owner}/{name}/events", get(api::running::events))
        .route("/api/spaces/{owner}/{name}/metrics", get(api::metrics::metrics))
        .route("/api/spaces/{owner}/{name}/dev-mode", post(api::not_offered::dev_mode))
        .route("/api/spaces/{owner}/{name}/replicas", post(api::not_offered::replicas))
        .route(
            "/api/spaces/{owner}/{name}/volumes",
            put(api::not_offered::set_volumes).delete(api::not_offered::delete_volumes),
        )
        .route(
            "/api/spaces/{owner}/{name}/previews",
            get(api::previews::list).post(api::previews::open).delete(api::previews::end),
        )
        .route("/api/spaces/{owner}/{name}/releases", get(api::running::releases))
        .route("/api/spaces/{owner}/{name}/releases/{param}/rollback", post(api::running::roll_back))
}

/// A Space's repository.
fn files() -> Router<AppState> {
    Router::new()
        .route("/api/spaces/{owner}/{name}/preupload/{rev}", post(api::commit::preupload))
        .route("/api/spaces/{owner}/{name}/commit/{rev}", post(api::commit::commit))
        .route("/api/spaces/{owner}/{name}/refs", get(api::refs::refs))
        .route("/api/spaces/{owner}/{name}/commits/{rev}", get(api::refs::commits))
        .route(
            "/api/spaces/{owner}/{name}/branch/{rev}",
            post(api::refs::create_branch).delete(api::refs::delete_branch),
        )
        .route("/api/spaces/{owner}/{name}/tag/{rev}", post(api::refs::create_tag).delete(api::refs::delete_tag))
        .route("/api/spaces/{owner}/{name}/super-squash/{rev}", post(api::refs::super_squash))
        .route("/api/spaces/{owner}/{name}/tree/{rev}", get(api::files::tree))
        .route("/api/spaces/{owner}/{name}/tree/{rev}/{*path}", get(api::files::tree))
        .route("/api/spaces/{owner}/{name}/paths-info/{rev}", post(api::files::paths_info))
        .route("/spaces/{owner}/{name}/resolve/{rev}/{*path}", get(api::files::resolve))
        .route("/spaces/{owner}/{name}/raw/{rev}/{*path}", get(api::files::raw))
}

/// A Space's repository, for git itself.
fn git() -> Router<AppState> {
    Router::new()
        .route("/spaces/{owner}/{name}/info/refs", get(git::refs))
        .route("/spaces/{owner}/{name}/git-upload-pack", post(git::fetch))
        .route("/spaces/{owner}/{name}/git-receive-pack", post(git::push))
        .route("/spaces/{owner}/{name}/info/lfs/objects/batch", post(git::lfs::batch))
        .route("/spaces/{owner}/{name}/info/lfs/locks", get(git::lfs::locks).post(git::lfs::locks))
        .route("/spaces/{owner}/{name}/info/lfs/locks/verify", post(git::lfs::locks))
        .route("/api/lfs/{param}", get(git::lfs::get).put(git::lfs::put).post(git::lfs::post))
        .route("/api/spaces/{owner}/{name}/lfs-files", get(api::lfs_files::list))
        .route("/api/spaces/{owner}/{name}/lfs-files/batch", post(api::lfs_files::delete))
        .route("/api/spaces/{owner}/{name}/xet-write-token/{rev}", get(api::xet::token))
        .route("/api/spaces/{owner}/{name}/xet-read-token/{rev}", get(api::xet::token))
        .route(api::xet::REFUSAL_PATH, get(api::xet::refuse))
}
