//! Who a user is to this host.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::super::chrome::{Chrome, show};
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::{ApiError, ApiResult};
use crate::router::AppState;

#[derive(Template)]
#[template(path = "settings_profile.html")]
struct ProfilePage {
    chrome: Chrome,
    frame: Frame,
    name: String,
    since: String,
    /// The address, and whether an administrator has made sure of it.
    email: Option<(String, bool)>,
    is_admin: bool,
    has_password: bool,
}

/// The page.
pub(super) async fn page(State(app): State<AppState>, Own { session, chrome, .. }: Own) -> ApiResult<Response> {
    let account = app.control.accounts().account_by_id(session.user.id)?.ok_or_else(ApiError::not_found)?;
    let email = app.control.email_of(account.id)?;
    let page = ProfilePage {
        chrome,
        frame: frame("Profile"),
        name: account.name.to_string(),
        since: iso(account.created_at),
        email: email.map(|email| (email.address.to_string(), email.is_verified)),
        is_admin: account.is_admin,
        has_password: account.password.is_some(),
    };
    show(&app, StatusCode::OK, &page)
}
