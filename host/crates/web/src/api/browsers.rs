//! Where a user is signed in with a browser, and the password with which it signs in.

use axum::Json;
use axum::extract::{Extension, State};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{BrowserView, Session};

use super::items::ListAt;
use super::time::iso;
use crate::auth::{Manager, token};
use crate::document::Kind::{A, Text};
use crate::document::shapes::accounts::{BROWSER, ENDED};
use crate::document::{About, Described, takes};
use crate::edge::RequestContext;
use crate::error::ApiResult;
use crate::extract::{JsonBody, Param};
use crate::rate::network_of;
use crate::router::AppState;
use crate::session;

/// The body of `POST /api/settings/password`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwords {
    #[serde(default)]
    current: String,
    #[serde(default)]
    new: String,
}

/// The routes of both.
pub(crate) fn routes(routes: Described) -> Described {
    routes
        .get(
            "/api/settings/sessions",
            About::list("Where the caller is signed in with a browser.").answers(A(&BROWSER)).signed(),
            list,
        )
        .delete(
            "/api/settings/sessions",
            About::one("Signs the caller out everywhere but in the browser that asks.").answers(A(&ENDED)),
            end_others,
        )
        .delete("/api/settings/sessions/{param}", About::one("Signs the caller out of a browser.").nothing(204), end)
        .post(
            "/api/settings/password",
            About::one("Changes the caller's password, which ends all other sessions.")
                .body([
                    takes("current", Text, "The password so far; empty, if there was none."),
                    takes("new", Text, "The new one."),
                ])
                .exact()
                .nothing(204)
                .also([429]),
            change_password,
        )
}

/// The browsers in which the caller is signed in.
async fn list(
    State(app): State<AppState>,
    Manager(actor): Manager,
    headers: HeaderMap,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let browsers = app.control.browsers(&actor, current(&headers, &app)?.as_ref())?;
    Ok(list.part(&browsers, browser_json))
}

/// Signs the caller out of one.
async fn end(State(app): State<AppState>, Manager(actor): Manager, Param(id): Param) -> ApiResult<StatusCode> {
    app.control.end_browser(&actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs the caller out of all but the one that asks.
async fn end_others(
    State(app): State<AppState>,
    Manager(actor): Manager,
    headers: HeaderMap,
) -> ApiResult<Json<Value>> {
    let ended = app.control.end_other_browsers(&actor, current(&headers, &app)?.as_ref()).await?;
    Ok(Json(json!({ "ended": ended })))
}

/// Changes the caller's password, for whoever knows it.
async fn change_password(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    Manager(actor): Manager,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Passwords>,
) -> ApiResult<StatusCode> {
    let (current, from) = (current(&headers, &app)?, network_of(context.as_ref().map(|Extension(context)| context)));
    app.control.change_own_password(&actor, current.as_ref(), (&body.current, &body.new), from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The browser that asks, if it is one by which the caller is known.
fn current(headers: &HeaderMap, app: &AppState) -> ApiResult<Option<Session>> {
    if token(headers).is_some() { Ok(None) } else { session::proven(headers, app) }
}

fn browser_json(browser: &BrowserView) -> Value {
    json!({
        "id": browser.id,
        "since": iso(browser.since),
        "expiresAt": iso(browser.expires_at),
        "role": browser.role.as_str(),
        "byToken": browser.by_token,
        "current": browser.is_current,
    })
}
