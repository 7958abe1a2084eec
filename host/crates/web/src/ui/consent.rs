//! Asking a user whether a Space may know who they are, and what else it wants.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{Authorization, Session};

use super::chrome::Chrome;
use super::form::show_form;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    chrome: Chrome,
    title: &'a str,
    path: String,
    owner: &'a str,
    user: &'a str,
    scopes: Vec<&'static str>,
    /// Where the user is sent then.
    origin: String,
    /// What makes the form one of this page's.
    form: String,
    /// The Space's request as it came.
    request: &'a str,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    chrome: Chrome,
    message: &'a str,
}

/// The question. `query` is the Space's request as it came: the answer carries it back.
pub(crate) fn consent_page(app: &AppState, session: &Session, asked: &Authorization, query: &str) -> Response {
    let path = &asked.space().path;
    let page = ConsentPage {
        chrome: Chrome::bare(),
        title: asked.title().unwrap_or(path.name.as_str()),
        path: path.to_string(),
        owner: path.owner.as_str(),
        user: session.user.name.as_str(),
        scopes: asked.scopes.in_words().collect(),
        origin: origin_of(&asked.redirect_uri),
        form: app.control.form_token(session),
        request: query,
    };
    show_form(app, StatusCode::OK, &page)
}

/// Tells a user why a Space's request goes no further, where the Space itself cannot be told.
pub(crate) fn refusal_page(app: &AppState, message: &str) -> Response {
    show_form(app, StatusCode::BAD_REQUEST, &RefusalPage { chrome: Chrome::bare(), message })
}

fn origin_of(address: &str) -> String {
    url::Url::parse(address).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}
