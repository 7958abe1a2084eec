//! The Spaces at which a user has agreed to sign in, and taking that back.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::chrome::{Chrome, show};
use super::super::form::see_other;
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::Form;
use crate::router::AppState;
use crate::session;

/// Where they are listed.
const ADDRESS: &str = "/settings/applications";

#[derive(Template)]
#[template(path = "settings_applications.html")]
struct ApplicationsPage {
    chrome: Chrome,
    frame: Frame,
    apps: Vec<AppRow>,
    /// What makes a form one of this page's.
    token: String,
}

struct AppRow {
    id: String,
    /// The Space; without one it is the command line.
    path: Option<String>,
    scopes: Vec<&'static str>,
    at: String,
}

/// The list.
pub(super) async fn page(State(app): State<AppState>, Own { session, chrome, .. }: Own) -> ApiResult<Response> {
    let apps = app.control.connected_apps(&session)?.into_iter().map(|connected| AppRow {
        path: connected.path.map(|path| path.to_string()),
        scopes: connected.scopes.in_words().collect(),
        at: iso(connected.at),
        id: connected.id,
    });
    let (apps, token) = (apps.collect(), app.control.form_token(&session));
    show(&app, StatusCode::OK, &ApplicationsPage { chrome, frame: frame("Applications"), apps, token })
}

/// Takes back what a Space may do.
pub(super) async fn disconnect(
    State(app): State<AppState>,
    Own { session, .. }: Own,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    session::check_form(&headers, &app, &session, form.get("form").unwrap_or_default())?;
    app.control.disconnect_app(&session, form.get("id").unwrap_or_default()).await?;
    Ok(see_other(ADDRESS))
}
