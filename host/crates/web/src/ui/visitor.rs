//! Forms for visitors who are nobody yet, and becoming somebody by one.

use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use http::{StatusCode, header};
use spaceport_control::service::NewSession;

use super::form::{see_other, show_form};
use crate::error::{ApiError, ApiResult};
use crate::extract::Form;
use crate::router::AppState;
use crate::session::{self, VisitorSeed};

/// What is said of two passwords that should be one.
pub(super) const PASSWORDS_DIFFER: &str = "The two passwords differ";

/// A form that a page of this hub has shown to this visitor.
pub(super) struct VisitorForm {
    /// By which the visitor is known.
    seed: String,
    form: Form,
}

impl FromRequest<AppState> for VisitorForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> ApiResult<Self> {
        let (mut parts, body) = request.into_parts();
        let Ok(VisitorSeed(seed)) = VisitorSeed::from_request_parts(&mut parts, app).await;
        let headers = parts.headers.clone();
        let form = Form::from_request(Request::from_parts(parts, body), app).await?;
        let sent = Self { seed: seed.unwrap_or_default(), form };
        session::check_visitor_form(&headers, app, &sent.seed, sent.get("form"))?;
        Ok(sent)
    }
}

impl VisitorForm {
    /// What a field holds; nothing if it was not sent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.form.0.get(name).unwrap_or_default()
    }

    /// The visitor, for whom the form is shown again.
    pub(super) fn seed(&self) -> VisitorSeed {
        VisitorSeed(Some(self.seed.clone()))
    }
}

/// A page with a form for a visitor. It is made with what shows that the form comes from it.
pub(super) fn show_visitor_form<P: Template>(
    app: &AppState,
    VisitorSeed(seed): VisitorSeed,
    status: StatusCode,
    page: impl FnOnce(String) -> P,
) -> Response {
    let (seed, cookie) = session::known_visitor(app, seed);
    let mut response = show_form(app, status, &page(app.control.visitor_form_token(&seed)));
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// What is said to somebody who has tried too often.
pub(super) fn too_many(seconds: u64) -> String {
    format!("Too many attempts: try again in {seconds} seconds.")
}

/// The visitor is signed in from now on, and goes on.
pub(super) fn signed_in(app: &AppState, new: &NewSession, next: &str) -> Response {
    let mut response = see_other(next);
    response.headers_mut().append(header::SET_COOKIE, session::session_cookie(app, new));
    response
}
