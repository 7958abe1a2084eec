//! Making an account for oneself, where the operator lets people. Elsewhere there is no such page.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{Newcomer, ServiceError};

use super::chrome::Chrome;
use super::form::NameNote;
use super::visitor::{PASSWORDS_DIFFER, VisitorForm, show_visitor_form, signed_in, too_many};
use crate::edge::RequestContext;
use crate::error::{ApiError, ApiResult};
use crate::extract::QueryPairs;
use crate::rate::{network_of, wait_to_sign_up};
use crate::router::AppState;
use crate::session::{VisitorSeed, own_path};

#[derive(Template)]
#[template(path = "join.html")]
struct JoinPage<'a> {
    chrome: Chrome,
    /// What makes the form one of this page's.
    form: String,
    note: Option<NameNote>,
    next: &'a str,
    name: &'a str,
    email: &'a str,
    error: Option<String>,
}

/// What was typed, and what is to be said of it.
#[derive(Default)]
struct Asked<'a> {
    next: &'a str,
    name: &'a str,
    email: &'a str,
    note: Option<NameNote>,
    error: Option<String>,
}

/// The form.
pub(super) async fn form(State(app): State<AppState>, seed: VisitorSeed, query: QueryPairs) -> ApiResult<Response> {
    check_allowed(&app)?;
    let note = query.get("name").map(|name| match app.control.check_new_user(name.trim()) {
        Ok(name) => NameNote::free(&name),
        Err(error) => NameNote::taken(error.to_string()),
    });
    Ok(ask(&app, seed, StatusCode::OK, Asked { next: &own_path(query.get("next")), note, ..Asked::default() }))
}

/// Makes the account, signs in with it, and goes on to where the visitor wanted to.
pub(super) async fn submit(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    form: ApiResult<VisitorForm>,
) -> ApiResult<Response> {
    check_allowed(&app)?;
    let form = form?;
    let (name, email, next) = (form.get("name").trim(), form.get("email").trim(), own_path(Some(form.get("next"))));
    let again = |status, error: String| {
        ask(&app, form.seed(), status, Asked { next: &next, name, email, note: None, error: Some(error) })
    };
    let context = context.as_ref().map(|Extension(context)| context);
    if let Some(seconds) = wait_to_sign_up(&app, context) {
        return Ok(again(StatusCode::TOO_MANY_REQUESTS, too_many(seconds)));
    }
    if form.get("password") != form.get("again") {
        return Ok(again(StatusCode::BAD_REQUEST, PASSWORDS_DIFFER.to_owned()));
    }
    let newcomer = Newcomer { name, email, password: form.get("password") };
    match app.control.join(&newcomer, network_of(context)).await {
        Ok(new) => Ok(signed_in(&app, &new, &next)),
        Err(error @ (ServiceError::Invalid(_) | ServiceError::Conflict(_))) => {
            Ok(again(StatusCode::BAD_REQUEST, error.to_string()))
        }
        Err(error @ ServiceError::TooSoon { .. }) => Ok(again(StatusCode::TOO_MANY_REQUESTS, error.to_string())),
        Err(error @ ServiceError::Unavailable(_)) => Ok(again(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn check_allowed(app: &AppState) -> ApiResult<()> {
    if app.has_sign_up { Ok(()) } else { Err(ApiError::not_found()) }
}

fn ask(app: &AppState, seed: VisitorSeed, status: StatusCode, asked: Asked<'_>) -> Response {
    let Asked { next, name, email, note, error } = asked;
    let chrome = Chrome::bare();
    show_visitor_form(app, seed, status, |form| JoinPage { chrome, form, note, next, name, email, error })
}
