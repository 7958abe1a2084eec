//! The Spaces at which a user has agreed to sign in, and taking that back.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::form::{form_page, see_other};
use super::html::Html;
use crate::error::ApiResult;
use crate::extract::Form;
use crate::router::AppState;
use crate::session::{self, Visitor};

/// Where they are listed.
const ADDRESS: &str = "/settings/applications";
/// Where one signs in to see them.
const SIGN_IN: &str = "/login?next=/settings/applications";

/// The list.
pub(crate) async fn list(State(app): State<AppState>, visitor: Visitor) -> ApiResult<Response> {
    let Some(session) = visitor.session else { return Ok(see_other(SIGN_IN)) };
    let mut body = Html::default();
    body.raw("<p><a href=\"/\">Spaces</a></p><h1>Applications</h1>");
    let apps = app.control.connected_apps(&session)?;
    if apps.is_empty() {
        body.raw("<p>You have signed in at no Space.</p>");
    }
    let token = app.control.form_token(&session);
    for connected in &apps {
        match &connected.path {
            Some(path) => {
                let path = path.to_string();
                body.raw("<h2><a href=\"/spaces/").text(&path).raw("\">").text(&path).raw("</a></h2>")
            }
            None => body.raw("<h2>The command line</h2>"),
        };
        body.raw("<p>It may</p><ul>");
        for words in connected.scopes.in_words() {
            body.raw("<li>").text(words).raw("</li>");
        }
        body.raw("</ul><form method=\"post\"><input type=\"hidden\" name=\"form\" value=\"").text(&token);
        body.raw("\"><input type=\"hidden\" name=\"id\" value=\"").text(&connected.id);
        body.raw("\"><button>Take back</button></form>");
    }
    Ok(form_page(&app, StatusCode::OK, "Applications", &body))
}

/// Takes back what a Space may do.
pub(crate) async fn disconnect(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    let Some(session) = visitor.session else { return Ok(see_other(SIGN_IN)) };
    session::check_form(&headers, &app, &session, form.get("form").unwrap_or_default())?;
    app.control.disconnect_app(&session, form.get("id").unwrap_or_default()).await?;
    Ok(see_other(ADDRESS))
}
