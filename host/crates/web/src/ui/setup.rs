//! The first administrator of a new host, made by a link that its operator was told.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use spaceport_control::service::{FirstAdministrator, ServiceError};

use super::chrome::Chrome;
use super::form::{see_other, show_form};
use crate::edge::RequestContext;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Form, QueryPairs};
use crate::rate::wait_to_sign_in;
use crate::router::AppState;
use crate::session::{self, VisitorSeed};

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
    VisitorSeed(seed): VisitorSeed,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    let get = |name: &str| form.get(name).unwrap_or_default();
    session::check_visitor_form(&headers, &app, seed.as_deref().unwrap_or_default(), get("form"))?;
    check_link(&app, context, get("token"))?;
    let (name, password) = (get("name").trim(), get("password"));
    let again = |status, error: String| ask(&app, VisitorSeed(seed.clone()), status, (get("token"), name), Some(error));
    if password != get("again") {
        return Ok(again(StatusCode::BAD_REQUEST, "The two passwords differ".to_owned()));
    }
    let wanted = FirstAdministrator { shown: get("token"), name, password };
    match app.control.create_first_administrator(&wanted).await {
        Ok(Some(new)) => {
            let mut response = see_other(NEXT);
            response.headers_mut().append(header::SET_COOKIE, session::session_cookie(&app, &new));
            Ok(response)
        }
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
    VisitorSeed(seed): VisitorSeed,
    status: StatusCode,
    (token, name): (&str, &str),
    error: Option<String>,
) -> Response {
    let (seed, cookie) = session::known_visitor(app, seed);
    let form = app.control.visitor_form_token(&seed);
    let mut response = show_form(app, status, &SetupPage { chrome: Chrome::bare(), token, form, name, error });
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
