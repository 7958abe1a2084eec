//! Signing in and out. A form of its own for a visitor who is nobody yet, known by a cookie that says nothing else.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};

use super::chrome::Chrome;
use super::form::{see_other, show_form};
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
    VisitorSeed(seed): VisitorSeed,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    let seed = seed.unwrap_or_default();
    session::check_visitor_form(&headers, &app, &seed, form.get("form").unwrap_or_default())?;
    let (name, next) = (form.get("name").unwrap_or_default().trim(), own_path(form.get("next")));
    let again = |status, error: &str| {
        let asked = Asked { next: &next, name, error: Some(error) };
        ask(&app, VisitorSeed(Some(seed.clone())), status, &asked)
    };
    let context = context.as_ref().map(|Extension(context)| context);
    if let Some(seconds) = wait_to_sign_in(&app, context) {
        let message = format!("Too many attempts: try again in {seconds} seconds.");
        return Ok(again(StatusCode::TOO_MANY_REQUESTS, &message));
    }
    let Some(new) = app.control.sign_in(name, form.get("secret").unwrap_or_default(), network_of(context)).await?
    else {
        let message = "This user name and password, or this token, are not right.";
        return Ok(again(StatusCode::UNAUTHORIZED, message));
    };
    let mut response = see_other(&next);
    response.headers_mut().append(header::SET_COOKIE, session::session_cookie(&app, &new));
    Ok(response)
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
    if let Some(session) = visitor.session {
        session::check_form(&headers, &app, &session, form.get("form").unwrap_or_default())?;
        app.control.sign_out(&session).await?;
    }
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

fn ask(app: &AppState, VisitorSeed(seed): VisitorSeed, status: StatusCode, asked: &Asked<'_>) -> Response {
    let (seed, cookie) = session::known_visitor(app, seed);
    let form = app.control.visitor_form_token(&seed);
    let Asked { next, name, error } = *asked;
    let (chrome, has_sign_up) = (Chrome::bare(), app.has_sign_up);
    let mut response = show_form(app, status, &SignInPage { chrome, form, next, name, error, has_sign_up });
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
