//! The first administrator of a new host, made by a link that its operator was told.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{FirstAdministrator, ServiceError};

use super::chrome::Chrome;
use super::visitor::{PASSWORDS_DIFFER, VisitorForm, show_visitor_form, signed_in};
use crate::edge::RequestContext;
use crate::error::{ApiError, ApiResult};
use crate::extract::QueryPairs;
use crate::rate::wait_to_sign_in;
use crate::router::AppState;
use crate::session::VisitorSeed;

/// Where one goes from here: programs sign in with a token.
const NEXT: &str = "/settings/tokens";

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage<'a> {
    chrome: Chrome,
    /// What the link shows.
    token: &'a str,
    /// What makes the form one of this page's.
    form: String,
    name: &'a str,
    error: Option<String>,
}

/// The form, for whoever has the link.
pub(super) async fn page(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    seed: VisitorSeed,
    query: QueryPairs,
) -> ApiResult<Response> {
    let token = query.get("token").unwrap_or_default();
    check_link(&app, context, token)?;
    Ok(ask(&app, seed, StatusCode::OK, (token, ""), None))
}

/// Makes the administrator, who is signed in then.
pub(super) async fn submit(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    form: VisitorForm,
) -> ApiResult<Response> {
    check_link(&app, context, form.get("token"))?;
    let (token, name, password) = (form.get("token"), form.get("name").trim(), form.get("password"));
    let again = |status, error: String| ask(&app, form.seed(), status, (token, name), Some(error));
    if password != form.get("again") {
        return Ok(again(StatusCode::BAD_REQUEST, PASSWORDS_DIFFER.to_owned()));
    }
    match app.control.create_first_administrator(&FirstAdministrator { shown: token, name, password }).await {
        Ok(Some(new)) => Ok(signed_in(&app, &new, NEXT)),
        Ok(None) => Err(no_link()),
        Err(error @ (ServiceError::Invalid(_) | ServiceError::Conflict(_))) => {
            Ok(again(StatusCode::BAD_REQUEST, error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses whoever has no link that is good. Who shows many wrong ones is guessing.
fn check_link(app: &AppState, context: Option<Extension<RequestContext>>, token: &str) -> ApiResult<()> {
    if app.control.is_first_link(token)? {
        return Ok(());
    }
    match wait_to_sign_in(app, context.as_ref().map(|Extension(context)| context)) {
        Some(seconds) => Err(ServiceError::TooSoon { message: "Too many attempts".to_owned(), seconds }.into()),
        None => Err(no_link()),
    }
}

fn no_link() -> ApiError {
    let message =
        "This link was used already, or is of an earlier start: the host tells a new one when it starts without a user";
    ApiError::new(StatusCode::GONE, "Gone", message)
}

fn ask(
    app: &AppState,
    seed: VisitorSeed,
    status: StatusCode,
    (token, name): (&str, &str),
    error: Option<String>,
) -> Response {
    show_visitor_form(app, seed, status, |form| SetupPage { chrome: Chrome::bare(), token, form, name, error })
}
