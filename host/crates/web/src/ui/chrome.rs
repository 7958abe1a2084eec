//! What all pages have in common: head and foot, who is signed in, and what a browser may do with a page.
//!
//! A page is a struct with a template beside it (`templates/`), which escapes whatever it shows. Its scripts are modules of
//! ours, under one address; they act by the public API, as the user who is signed in, with the token of the page.

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use spaceport_core::permission::Actor;

use super::assets;
use crate::edge::fault_page::wants_html;
use crate::error::{ApiError, ApiResult, ErrorNote, X_ERROR_MESSAGE};
use crate::router::AppState;
use crate::session::Visitor;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What is around the main part of a page.
#[derive(Debug, Clone)]
pub(crate) struct Chrome {
    /// Who is signed in.
    pub(super) user: Option<String>,
    /// Whether they administer this host.
    pub(super) is_admin: bool,
    /// By which scripts of this page act for them.
    pub(super) token: Option<String>,
    /// Where style and scripts are.
    pub(super) assets: &'static str,
    /// The address of the page, for coming back to after signing in.
    pub(super) here: String,
    /// Nothing is to lead away from the page.
    pub(super) is_bare: bool,
}

/// A visitor with the chrome of the page that they get.
pub(crate) struct Reader {
    pub(super) visitor: Visitor,
    pub(super) chrome: Chrome,
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let here = parts.uri.path_and_query().map_or_else(String::new, |address| address.as_str().to_owned());
        let visitor = Visitor::from_request_parts(parts, app).await?;
        let chrome = Chrome::of(app, &visitor, here);
        Ok(Self { visitor, chrome })
    }
}

impl Chrome {
    /// The chrome of a visitor's page at an address.
    pub(super) fn of(app: &AppState, visitor: &Visitor, here: String) -> Self {
        let user = match &visitor.actor {
            Actor::User(user) => Some(user),
            Actor::Nobody => None,
        };
        Self {
            user: user.map(|user| user.name.to_string()),
            is_admin: user.is_some_and(|user| user.is_admin),
            token: visitor.session.as_ref().map(|session| app.control.form_token(session)),
            assets: assets::folder(),
            here,
            is_bare: false,
        }
    }

    /// Of a page that asks something and has nothing beside it.
    pub(super) fn bare() -> Self {
        Self { user: None, is_admin: false, token: None, assets: assets::folder(), here: String::new(), is_bare: true }
    }
}

/// A page as it is sent.
pub(super) fn show(app: &AppState, status: StatusCode, page: &impl Template) -> ApiResult<Response> {
    let html = page.render().map_err(|error| ApiError::internal("show a page", &error))?;
    Ok((status, headers(app), html).into_response())
}

/// What browsers may do with a page: run our scripts, show apps of Spaces in frames, send forms to this hub, from where they
/// may be sent on to a Space, which browsers count as the form's way, too. Nothing else, whatever text is on it.
fn headers(app: &AppState) -> HeaderMap {
    let addresses = app.control.addresses();
    let apps = format!("{}://*.{}", addresses.scheme, addresses.spaces);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https: http:; connect-src 'self'; \
         frame-src {apps}; form-action 'self' {apps}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    // With `no-referrer` browsers would not say either where a form comes from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers
}

/// What went wrong, for people.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    chrome: Chrome,
    title: &'static str,
    message: String,
    /// Signing in may help.
    may_sign_in: bool,
}

/// Shows errors of pages as pages to browsers; programs get them as they are.
pub(crate) async fn error_pages(State(app): State<AppState>, request: Request, next: Next) -> Response {
    if !wants_html(request.headers()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    // A session that cannot be read leaves the page without a name on it.
    let reader = Reader::from_request_parts(&mut parts, &app).await;
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(note) = response.extensions().get::<ErrorNote>().cloned() else { return response };
    let chrome = match reader {
        Ok(reader) => reader.chrome,
        Err(_) => Chrome::bare(),
    };
    // Programs are told to sign in; people read it on the page.
    let status = match response.status() {
        StatusCode::UNAUTHORIZED => StatusCode::NOT_FOUND,
        status => status,
    };
    let page = ErrorPage {
        title: title_of(status),
        message: message_of(&response, status),
        may_sign_in: !chrome.is_bare && chrome.user.is_none() && status == StatusCode::NOT_FOUND,
        chrome,
    };
    match show(&app, status, &page) {
        Ok(mut shown) => {
            shown.extensions_mut().insert(note);
            if let Some(wait) = response.headers_mut().remove(header::RETRY_AFTER) {
                shown.headers_mut().insert(header::RETRY_AFTER, wait);
            }
            shown
        }
        Err(_) => response,
    }
}

fn title_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "You may not do this",
        StatusCode::TOO_MANY_REQUESTS => "Too much at once",
        status if status.is_server_error() => "Something went wrong here",
        _ => "This does not work",
    }
}

fn message_of(response: &Response, status: StatusCode) -> String {
    if status == StatusCode::NOT_FOUND {
        return "It does not exist, or it is private and shown only to those who may see it.".to_owned();
    }
    let told = response.headers().get(X_ERROR_MESSAGE).and_then(|text| text.to_str().ok());
    told.unwrap_or_default().to_owned()
}
