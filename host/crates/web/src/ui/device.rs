//! Asking a user whether a program without a browser may act for them.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{DeviceQuestion, Session};

use super::chrome::Chrome;
use super::form::show_form;
use crate::router::AppState;

/// What is asked.
pub(crate) struct DeviceAsked<'a> {
    /// The code, as it was typed.
    pub(crate) code: &'a str,
    /// What the program wants that shows it.
    pub(crate) question: Option<DeviceQuestion>,
    /// No program shows it.
    pub(crate) is_unknown: bool,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    chrome: Chrome,
    /// What makes the form one of this page's.
    form: String,
    user: &'a str,
    code: &'a str,
    is_unknown: bool,
    /// What the program will do; `None`: the code is asked for.
    scopes: Option<Vec<&'static str>>,
}

#[derive(Template)]
#[template(path = "device_answered.html")]
struct AnsweredPage {
    chrome: Chrome,
    has_agreed: bool,
}

/// The question; without a code that some program shows, a field for one.
pub(crate) fn device_page(app: &AppState, session: &Session, asked: &DeviceAsked<'_>) -> Response {
    let page = DevicePage {
        chrome: Chrome::bare(),
        form: app.control.form_token(session),
        user: session.user.name.as_str(),
        code: asked.code,
        is_unknown: asked.is_unknown,
        scopes: asked.question.as_ref().map(|question| question.scopes.in_words().collect()),
    };
    show_form(app, StatusCode::OK, &page)
}

/// What is told afterwards.
pub(crate) fn device_answered(app: &AppState, has_agreed: bool) -> Response {
    show_form(app, StatusCode::OK, &AnsweredPage { chrome: Chrome::bare(), has_agreed })
}
