//! What users see and change of their own account: a page for each matter, with the others beside it. Whoever is not signed
//! in is asked to be, first.

mod applications;
mod keys;
mod organizations;
mod profile;
mod sessions;
mod tokens;
mod usage;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::request::Parts;
use spaceport_control::service::Session;
use spaceport_core::permission::{Actor, TokenRole};

use super::chrome::{Chrome, Reader};
use super::form::see_other;
use crate::auth::only_for_spaces;
use crate::error::ApiError;
use crate::router::AppState;
pub(super) use tokens::TokenRow;
pub(super) use usage::{SpaceUsed, Used, price};

/// Pages that stand beside each other.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// What they are together.
    pub(super) label: &'static str,
    /// Addresses and names.
    pub(super) pages: &'static [(&'static str, &'static str)],
    /// The name of the one that is shown.
    pub(super) current: &'static str,
}

const PAGES: [(&str, &str); 7] = [
    ("/settings/profile", "Profile"),
    ("/settings/tokens", "Access tokens"),
    ("/settings/keys", "SSH keys"),
    ("/settings/organizations", "Organizations"),
    ("/settings/usage", "Usage"),
    ("/settings/sessions", "Sessions"),
    ("/settings/applications", "Applications"),
];

/// The frame of one of them.
fn frame(current: &'static str) -> Frame {
    Frame { label: "Settings", pages: &PAGES, current }
}

/// Who has signed in and may look after the account.
pub(super) struct Own {
    session: Session,
    actor: Actor,
    chrome: Chrome,
}

impl FromRequestParts<AppState> for Own {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Response> {
        let reader = Reader::from_request_parts(parts, app).await.map_err(ApiError::into_response)?;
        let Reader { visitor, chrome } = reader;
        let Some(session) = visitor.session else { return Err(see_other(&sign_in(&chrome.here))) };
        if session.user.role == TokenRole::FineGrained {
            return Err(only_for_spaces().into_response());
        }
        Ok(Self { session, actor: visitor.actor, chrome })
    }
}

/// Where one signs in to come back to an address.
pub(super) fn sign_in(address: &str) -> String {
    format!("/login?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("next", address).finish())
}

/// Every page.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/settings", get(async || see_other("/settings/profile")))
        .route("/settings/profile", get(profile::page))
        .route("/settings/tokens", get(tokens::page))
        .route("/settings/keys", get(keys::page))
        .route("/settings/organizations", get(organizations::list))
        .route("/settings/organizations/{param}", get(organizations::one))
        .route("/settings/usage", get(usage::page))
        .route("/settings/sessions", get(sessions::page))
        .route("/settings/applications", get(applications::page).post(applications::disconnect))
}
