//! Making an account for oneself, where the operator lets people. Elsewhere there is no such page.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use spaceport_control::service::{Newcomer, ServiceError};

use super::chrome::Chrome;
use super::form::{see_other, show_form};
use crate::edge::RequestContext;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Form, QueryPairs};
use crate::rate::{network_of, wait_to_sign_up};
use crate::router::AppState;
use crate::session::{self, VisitorSeed, own_path};

#[derive(Template)]
#[template(path = "join.html")]
struct JoinPage<'a> {
    chrome: Chrome,
    /// What makes the form one of this page's.
    form: String,
    /// Names that nobody can have, for the script that looks at what is typed.
    reserved: String,
    next: &'a str,
    name: &'a str,
    email: &'a str,
    error: Option<String>,
}

/// What was typed, and what was wrong with it.
struct Asked<'a> {
    next: &'a str,
    name: &'a str,
    email: &'a str,
    error: Option<String>,
}

/// The form.
pub(super) async fn form(State(app): State<AppState>, seed: VisitorSeed, query: QueryPairs) -> ApiResult<Response> {
    check_allowed(&app)?;
    let asked = Asked { next: &own_path(query.get("next")), name: "", email: "", error: None };
    Ok(ask(&app, seed, StatusCode::OK, asked))
}

/// Makes the account, signs in with it, and goes on to where the visitor wanted to.
pub(super) async fn submit(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    VisitorSeed(seed): VisitorSeed,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    check_allowed(&app)?;
    let get = |name: &str| form.get(name).unwrap_or_default();
    session::check_visitor_form(&headers, &app, seed.as_deref().unwrap_or_default(), get("form"))?;
    let (name, email, next) = (get("name").trim(), get("email").trim(), own_path(form.get("next")));
    let again = |status, error: String| {
        ask(&app, VisitorSeed(seed.clone()), status, Asked { next: &next, name, email, error: Some(error) })
    };
    let context = context.as_ref().map(|Extension(context)| context);
    if let Some(seconds) = wait_to_sign_up(&app, context) {
        let message = format!("Too many attempts: try again in {seconds} seconds.");
        return Ok(again(StatusCode::TOO_MANY_REQUESTS, message));
    }
    if get("password") != get("again") {
        return Ok(again(StatusCode::BAD_REQUEST, "The two passwords differ".to_owned()));
    }
    let newcomer = Newcomer { name, email, password: get("password") };
    match app.control.join(&newcomer, network_of(context)).await {
        Ok(new) => {
            let mut response = see_other(&next);
            response.headers_mut().append(header::SET_COOKIE, session::session_cookie(&app, &new));
            Ok(response)
        }
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

fn ask(app: &AppState, VisitorSeed(seed): VisitorSeed, status: StatusCode, asked: Asked<'_>) -> Response {
    let (seed, cookie) = session::known_visitor(app, seed);
    let form = app.control.visitor_form_token(&seed);
    let Asked { next, name, email, error } = asked;
    let reserved = app.control.reserved_names().join(" ");
    let mut response =
        show_form(app, status, &JoinPage { chrome: Chrome::bare(), form, reserved, next, name, email, error });
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
