//! Plain pages for people who follow a printed address: what there is and how it is. No script; everything that
//! a Space's author wrote is escaped, and the policy of the page lets nothing else run either.

mod avatar;
mod connected;
mod consent;
mod device;
mod form;
mod html;
mod sign_in;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use spaceport_control::service::{ServiceError, SpaceFilter, SpaceView};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Actor, Denied};

use crate::error::{ApiError, ApiResult};
use crate::extract::SpaceAt;
use crate::router::AppState;
use crate::session::Visitor;
pub(crate) use consent::{consent_page, refusal_page};
pub(crate) use device::{DeviceAsked, device_answered, device_page};
pub(crate) use form::see_other;
use html::{Html, page};

/// Nothing runs and nothing is loaded, beside the style that stands in the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Spaces on the front page.
const MAX_SHOWN: usize = 200;

/// The Spaces that the visitor may see.
pub(crate) async fn front_page(State(app): State<AppState>, Visitor { actor, .. }: Visitor) -> ApiResult<Response> {
    let views = app.control.list(&actor, &SpaceFilter::default(), 0, MAX_SHOWN)?.views;
    let mut body = Html::default();
    who(&mut body, &actor);
    body.raw("<h1>Spaces</h1>");
    if views.is_empty() {
        body.raw("<p>There is no Space yet. Create one with <code>hf repos create NAME --repo-type space --space-sdk static</code>.</p>");
    }
    body.raw("<ul>");
    for view in &views {
        let path = view.space.path.to_string();
        body.raw("<li><a href=\"/spaces/").text(&path).raw("\">").text(&title(view)).raw("</a> <span>");
        body.text(&path).raw("</span> ").raw("<b>").text(view.runtime.stage.as_str()).raw("</b></li>");
    }
    body.raw("</ul>");
    Ok(respond(StatusCode::OK, page("Spaces", &body)))
}

/// One Space: its title, how it is, where its app answers, and what its README says of it.
pub(crate) async fn space_page(
    State(app): State<AppState>,
    Visitor { actor, .. }: Visitor,
    space: Result<SpaceAt, ApiError>,
) -> ApiResult<Response> {
    // A page tells nobody to sign in.
    let SpaceAt(path) = space.map_err(|_| ApiError::repo_not_found())?;
    match app.control.view(&actor, &path, None).await {
        Ok(view) => Ok(respond(StatusCode::OK, page(&title(&view), &about(&view)))),
        Err(ServiceError::Denied(Denied::Hidden)) => Ok(missing(&actor, &path)),
        Err(error) => Err(ApiError::from(error)),
    }
}

/// The pages on which people sign in and out, and see at which Spaces they have.
pub(crate) fn sign_in_routes() -> Router<AppState> {
    Router::new()
        .route("/login", get(sign_in::form).post(sign_in::submit))
        .route("/logout", get(sign_in::leaving).post(sign_in::leave))
        .route("/settings/applications", get(connected::list).post(connected::disconnect))
        .route("/avatars/{param}", get(avatar::avatar))
}

/// Who is signed in, and the way in or out.
fn who(body: &mut Html, actor: &Actor) {
    match actor {
        Actor::Nobody => body.raw("<p><a href=\"/login\">Sign in</a></p>"),
        Actor::User(user) => {
            body.raw("<p>").text(user.name.as_str()).raw(" · <a href=\"/settings/applications\">Applications</a>");
            body.raw(" · <a href=\"/logout\">Sign out</a></p>")
        }
    };
}

fn about(view: &SpaceView) -> Html {
    let mut body = Html::default();
    body.raw("<p><a href=\"/\">Spaces</a></p><h1>").text(&title(view)).raw("</h1>");
    body.raw("<p><span>").text(&view.space.path.to_string()).raw("</span> <b>");
    body.text(view.runtime.stage.as_str()).raw("</b></p>");
    if let Some(message) = &view.runtime.error_message {
        body.raw("<pre>").text(message).raw("</pre>");
    }
    body.raw("<p><a href=\"").text(&view.app_url).raw("/\">Open the app</a></p>");
    body.raw("<table>");
    for (key, value) in view.card_json() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        body.raw("<tr><th>").text(&key).raw("</th><td>").text(&text).raw("</td></tr>");
    }
    body.raw("</table>");
    body
}

fn missing(actor: &Actor, path: &SpacePath) -> Response {
    let mut body = Html::default();
    body.raw("<h1>There is no such Space</h1>");
    if matches!(actor, Actor::Nobody) {
        body.raw("<p>Or it is private, and its address tells nothing to those who have not signed in.</p>");
        body.raw("<p><a href=\"/login?next=/spaces/").text(&path.to_string()).raw("\">Sign in</a></p>");
    }
    respond(StatusCode::NOT_FOUND, page("Not found", &body))
}

fn title(view: &SpaceView) -> String {
    view.title().unwrap_or_else(|| view.space.path.name.to_string())
}

fn respond(status: StatusCode, html: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    (status, headers, html).into_response()
}
