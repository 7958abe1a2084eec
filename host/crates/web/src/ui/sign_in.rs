//! Signing in and out. A form of its own for a visitor who is nobody yet, known by a cookie that says nothing else.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};

use super::chrome::Chrome;
use super::form::{see_other, show_form};
use super::visitor::{VisitorForm, show_visitor_form, signed_in, too_many};
use crate::edge::RequestContext;
use crate::error::ApiResult;
use crate::extract::{Form, QueryPairs};
use crate::rate::{network_of, wait_to_sign_in};
use crate::router::AppState;
use crate::session::{self, Visitor, VisitorSeed, own_path};

/// The form. Whoever is signed in already may sign in as somebody else.
pub(crate) async fn form(State(app): State<AppState>, seed: VisitorSeed, query: QueryPairs) -> Response {
    ask(&app, seed, StatusCode::OK, &Asked { next: &own_path(query.get("next")), name: "", error: None })
}

/// Signs in, and goes on to where the visitor wanted to.
pub(crate) async fn submit(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    form: VisitorForm,
) -> ApiResult<Response> {
    let (name, next) = (form.get("name").trim(), own_path(Some(form.get("next"))));
    let again = |status, error: &str| {
        let asked = Asked { next: &next, name, error: Some(error) };
        ask(&app, form.seed(), status, &asked)
    };
    let context = context.as_ref().map(|Extension(context)| context);
    if let Some(seconds) = wait_to_sign_in(&app, context) {
        return Ok(again(StatusCode::TOO_MANY_REQUESTS, &too_many(seconds)));
    }
    let Some(new) = app.control.sign_in(name, form.get("secret"), network_of(context)).await? else {
        let message = "This user name and password, or this token, are not right.";
        return Ok(again(StatusCode::UNAUTHORIZED, message));
    };
    Ok(signed_in(&app, &new, &next))
}

/// Asks whether to sign out: following a link changes nothing.
pub(crate) async fn leaving(State(app): State<AppState>, visitor: Visitor) -> Response {
    let Some(session) = visitor.session else { return see_other("/") };
    let (user, form) = (session.user.name.as_str(), app.control.form_token(&session));
    show_form(&app, StatusCode::OK, &SignOutPage { chrome: Chrome::bare(), user, form })
}

/// Signs out.
pub(crate) async fn leave(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    // A form on another site comes without the cookie, and its answer must not take the cookie away.
    let Some(session) = visitor.session else { return Ok(see_other("/")) };
    session::check_form(&headers, &app, &session, form.get("form").unwrap_or_default())?;
    app.control.sign_out(&session).await?;
    let mut response = see_other("/");
    response.headers_mut().append(header::SET_COOKIE, session::no_session_cookie(&app));
    Ok(response)
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    chrome: Chrome,
    /// What makes the form one of this page's.
    form: String,
    next: &'a str,
    name: &'a str,
    error: Option<&'a str>,
    /// Whether people make accounts for themselves.
    has_sign_up: bool,
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOutPage<'a> {
    chrome: Chrome,
    user: &'a str,
    form: String,
}

struct Asked<'a> {
    next: &'a str,
    name: &'a str,
    error: Option<&'a str>,
}

fn ask(app: &AppState, seed: VisitorSeed, status: StatusCode, asked: &Asked<'_>) -> Response {
    let Asked { next, name, error } = *asked;
    let (chrome, has_sign_up) = (Chrome::bare(), app.has_sign_up);
    show_visitor_form(app, seed, status, |form| SignInPage { chrome, form, next, name, error, has_sign_up })
}
