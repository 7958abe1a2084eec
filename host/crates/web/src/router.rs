//! Every route of the hub, grouped by what it is about. Those of the JSON API say what they are for; the rest is below.
//!
//! Fixed names stand beside `{owner}/{name}` and win over it. The router matches the address as it was sent: a revision
//! with an encoded slash stays one segment.

mod accounts;
mod administration;
mod catalogue;
mod discussions;
mod files;
mod running;
mod spaces;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use spaceport_control::service::Control;
use tokio::sync::Semaphore;

use crate::api::ssh::SshDoor;
use crate::document::Described;
use crate::error::ApiError;
use crate::rate::{self, RateLimits, Rates};
use crate::{git, middleware, oauth, ui};

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
    /// Whether people make accounts for themselves.
    pub(crate) has_sign_up: bool,
}

impl AppState {
    /// State over the operations.
    pub fn new(control: Control) -> Self {
        Self {
            control,
            large_commits: Arc::new(Semaphore::new(LARGE_COMMITS)),
            rates: Arc::new(Rates::new(RateLimits::default())),
            ssh: None,
            has_sign_up: false,
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

    /// The same where people make accounts for themselves, or not.
    pub fn with_sign_up(self, has_sign_up: bool) -> Self {
        Self { has_sign_up, ..self }
    }
}

/// The hub: API, files and pages. Answers every request with an `x-request-id` and writes its access log.
pub fn hub_router(state: AppState) -> Router {
    Router::new()
        .merge(api(&state))
        .merge(ui::routes(&state))
        .merge(git())
        .merge(oauth::pages())
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(state.clone(), rate::limit))
        .layer(from_fn(middleware::observe))
        .with_state(state)
}

/// The JSON API, all of which is in the document.
fn api(state: &AppState) -> Router<AppState> {
    let routes = catalogue::routes(Described::new("Host"));
    let routes = accounts::routes(routes, state);
    let routes = discussions::routes(spaces::routes(routes));
    let routes = files::routes(running::routes(routes));
    oauth::described(administration::routes(routes)).finish()
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
}
