//! The browsers in which a user is signed in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_core::permission::TokenRole;

use super::super::chrome::{Chrome, show};
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "settings_sessions.html")]
struct SessionsPage {
    chrome: Chrome,
    frame: Frame,
    browsers: Vec<BrowserRow>,
    may_end: bool,
}

struct BrowserRow {
    id: String,
    since: String,
    expires_at: String,
    role: &'static str,
    by: &'static str,
    is_current: bool,
}

/// The page.
pub(super) async fn page(State(app): State<AppState>, Own { session, actor, chrome }: Own) -> ApiResult<Response> {
    let browsers = app.control.browsers(&actor, Some(&session))?.into_iter().map(|browser| BrowserRow {
        id: browser.id,
        since: iso(browser.since),
        expires_at: iso(browser.expires_at),
        role: browser.role.as_str(),
        by: if browser.by_token { "an access token" } else { "your password" },
        is_current: browser.is_current,
    });
    let browsers = browsers.collect();
    let may_end = session.user.role >= TokenRole::Write;
    show(&app, StatusCode::OK, &SessionsPage { chrome, frame: frame("Sessions"), browsers, may_end })
}
