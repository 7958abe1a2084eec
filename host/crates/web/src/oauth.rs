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
use axum::routing::{get, options, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use spaceport_control::service::OauthError;

use crate::document::Kind::{A, OneOf, Text};
use crate::document::shapes::oauth::{DEVICE_CODE, KEYS, PROVIDER, TOKENS, USER_INFO};
use crate::document::{About, Described, Field, needs, takes};
use crate::router::AppState;

/// What a client says of itself, if not in the header.
const CLIENT: [Field; 2] = [
    takes("client_id", Text, "The client; a Space finds its own in OAUTH_CLIENT_ID."),
    takes("client_secret", Text, "Its secret, unless the header has it, or the client keeps none."),
];
/// How tokens are got.
const GRANTS: [&str; 3] = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];

/// Every address that programs ask.
pub(crate) fn described(routes: Described) -> Described {
    let preflights = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
        .into_iter()
        .chain(["/oauth/jwks", "/oauth/token", "/oauth/revoke", "/oauth/userinfo"]);
    let for_pages = tokens(provider(Described::new("Sign-in"))).within(|routes| {
        let routes = preflights.fold(routes, |routes, path| routes.route(path, options(preflight)));
        routes.layer(map_response(open))
    });
    let device = About::one("A code by which a program without a browser signs a user in.")
        .answers(A(&DEVICE_CODE))
        .form([needs("client_id", Text, "The client of the command line.")])
        .open()
        .also([401]);
    routes.and(for_pages).group("Sign-in").post("/oauth/device", device, device::begin)
}

fn provider(routes: Described) -> Described {
    let offered = || About::one("What this hub offers as an OpenID provider.").answers(A(&PROVIDER)).open();
    routes
        .get("/.well-known/openid-configuration", offered(), discovery::configuration)
        .get("/.well-known/oauth-authorization-server", offered(), discovery::configuration)
        .get(
            "/oauth/jwks",
            About::one("The keys by which its tokens are verified.").answers(A(&KEYS)).open(),
            discovery::keys,
        )
}

fn tokens(routes: Described) -> Described {
    let user = || About::one("Who the bearer of a token acts for.").answers(A(&USER_INFO)).signed().also([401]);
    routes
        .post(
            "/oauth/token",
            About::one("Tokens for a code, for a code that a user has typed in, or for a refresh token.")
                .answers(A(&TOKENS))
                .form([
                    needs("grant_type", OneOf(&GRANTS), "What they are got for."),
                    takes("code", Text, "The code that the user has brought."),
                    takes("redirect_uri", Text, "Where the user has brought it to."),
                    takes("code_verifier", Text, "What the question's code_challenge was made of."),
                    takes("device_code", Text, "The code whose other half the user types in."),
                    takes("refresh_token", Text, "What came with the last tokens."),
                    takes("scope", Text, "Less than was agreed to."),
                ])
                .body_also(CLIENT)
                .open()
                .also([401]),
            token::exchange,
        )
        .post(
            "/oauth/revoke",
            About::one("Ends a token. Whether there was one is not told.")
                .form([needs("token", Text, "The token.")])
                .body_also(CLIENT)
                .nothing(200)
                .open()
                .also([401]),
            revoke::revoke,
        )
        .get("/oauth/userinfo", user(), token::profile)
        .post("/oauth/userinfo", user(), token::profile)
}

/// The pages to which users are sent, and their forms.
pub(crate) fn pages() -> Router<AppState> {
    Router::new()
        .route("/oauth/authorize", get(authorize::ask))
        .route("/oauth/consent", post(authorize::answer))
        .route("/oauth/device", get(device::page))
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
fn words(error: &OauthError) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' };
    error.description().chars().map(plain).collect()
}
