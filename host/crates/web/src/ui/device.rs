//! Asking a user whether a program without a browser may act for them.

use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{DeviceQuestion, Session};

use super::form::form_page;
use super::html::Html;
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

/// The question; without a code that some program shows, a field for one.
pub(crate) fn device_page(app: &AppState, session: &Session, asked: &DeviceAsked<'_>) -> Response {
    let mut body = Html::default();
    body.raw("<h1>Sign in to the command line</h1>");
    if asked.is_unknown {
        body.raw("<p class=\"error\" role=\"alert\">No program waits with this code, or not any more.</p>");
    }
    body.raw("<form method=\"post\" action=\"/oauth/device/answer\"><input type=\"hidden\" name=\"form\" value=\"");
    body.text(&app.control.form_token(session)).raw("\">");
    match &asked.question {
        Some(question) => {
            body.raw("<p>A program that shows the code <strong>")
                .text(asked.code)
                .raw("</strong> wants to act as <strong>");
            body.text(session.user.name.as_str())
                .raw("</strong>. Agree only if you have started it yourself, just now, ");
            body.raw("and it shows this very code. It will</p><ul>");
            for words in question.scopes.in_words() {
                body.raw("<li>").text(words).raw("</li>");
            }
            body.raw("</ul><input type=\"hidden\" name=\"user_code\" value=\"").text(asked.code);
            body.raw("\"><button name=\"answer\" value=\"yes\">Agree</button>");
            body.raw("<button name=\"answer\" value=\"no\">Decline</button></form>");
        }
        None => {
            body.raw("<label>The code that the program shows<input name=\"user_code\" autocomplete=\"off\" autofocus ");
            body.raw("maxlength=\"20\" required></label><button>Go on</button></form>");
        }
    }
    form_page(app, StatusCode::OK, "Sign in to the command line", &body)
}

/// What is told afterwards.
pub(crate) fn device_answered(app: &AppState, has_agreed: bool) -> Response {
    let mut body = Html::default();
    match has_agreed {
        true => body.raw("<h1>Signed in</h1><p>The program goes on by itself; you can close this page.</p>"),
        false => body.raw("<h1>Declined</h1><p>The program was told that you said no.</p>"),
    };
    form_page(app, StatusCode::OK, "Sign in to the command line", &body)
}
