//! This hub as an OpenID provider, as far as it is HTTP: what is offered, a Space's question to a user, and the exchange of
//! codes for tokens. Rules are `control`'s; here are addresses, forms and the statuses that the standards name.

mod authorize;
mod device;
mod discovery;
mod revoke;
#[cfg(test)]
mod tests;
mod token;

use axum::Router;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use spaceport_control::service::OauthError;

use crate::router::AppState;

/// Every address of it.
pub(crate) fn routes() -> Router<AppState> {
    let for_programs = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::configuration).options(preflight))
        .route("/.well-known/oauth-authorization-server", get(discovery::configuration).options(preflight))
        .route("/oauth/jwks", get(discovery::keys).options(preflight))
        .route("/oauth/token", post(token::exchange).options(preflight))
        .route("/oauth/revoke", post(revoke::revoke).options(preflight))
        .route("/oauth/userinfo", get(token::profile).post(token::profile).options(preflight))
        .layer(map_response(open));
    for_programs
        .route("/oauth/authorize", get(authorize::ask))
        .route("/oauth/consent", post(authorize::answer))
        .route("/oauth/device", get(device::page).post(device::begin))
        .route("/oauth/device/answer", post(device::answer))
}

/// Pages of static Spaces call these. They carry what they show in the request itself and no cookie counts, so any origin
/// may.
async fn open(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// What a browser asks before a script's request.
async fn preflight() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// A description as the standard allows it: printable ASCII without quotes.
fn described(error: &OauthError) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' };
    error.description().chars().map(plain).collect()
}
