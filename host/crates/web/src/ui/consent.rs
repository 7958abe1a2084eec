//! Asking a user whether a Space may know who they are, and what else it wants.

use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{Authorization, Session};

use super::form::form_page;
use super::html::Html;
use crate::router::AppState;

/// The question. `query` is the Space's request as it came: the answer carries it back.
pub(crate) fn consent_page(app: &AppState, session: &Session, asked: &Authorization, query: &str) -> Response {
    let path = &asked.space().path;
    let title = asked.title().unwrap_or(path.name.as_str());
    let mut body = Html::default();
    body.raw("<h1>Sign in to ").text(title).raw("</h1><p>The Space <a href=\"/spaces/").text(&path.to_string());
    body.raw("\">").text(&path.to_string()).raw("</a> by ").text(path.owner.as_str());
    body.raw(" wants to sign you in as <strong>").text(session.user.name.as_str());
    body.raw("</strong>. If you agree, it will</p><ul>");
    for words in asked.scopes.in_words() {
        body.raw("<li>").text(words).raw("</li>");
    }
    body.raw("</ul><p>Then you are sent to <code>").text(&origin_of(&asked.redirect_uri));
    body.raw("</code>. This host remembers that you agreed; you can take it back under ");
    body.raw("<a href=\"/settings/applications\">Applications</a>.</p>");
    body.raw("<form method=\"post\" action=\"/oauth/consent\"><input type=\"hidden\" name=\"form\" value=\"");
    body.text(&app.control.form_token(session)).raw("\"><input type=\"hidden\" name=\"request\" value=\"");
    body.text(query).raw("\"><button name=\"answer\" value=\"yes\">Agree</button>");
    body.raw("<button name=\"answer\" value=\"no\">Decline</button></form>");
    form_page(app, StatusCode::OK, "Sign in", &body)
}

/// Tells a user why a Space's request goes no further, where the Space itself cannot be told.
pub(crate) fn refusal_page(app: &AppState, message: &str) -> Response {
    let mut body = Html::default();
    body.raw("<h1>You cannot sign in there</h1><p class=\"error\" role=\"alert\">").text(message).raw("</p>");
    body.raw("<p>The page that sent you here has asked in a wrong way. Nothing was told to it.</p>");
    form_page(app, StatusCode::BAD_REQUEST, "You cannot sign in there", &body)
}

fn origin_of(address: &str) -> String {
    url::Url::parse(address).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}
