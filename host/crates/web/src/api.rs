//! JSON in, JSON out: one module per resource, each handler a few lines between an extractor and an operation of
//! `Control`. The shapes are those that clients of the Hub read; they live in [`types`] and never leave this crate.

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod browsers;
pub(crate) mod catalogue;
pub(crate) mod commit;
mod commit_lines;
pub(crate) mod discussions;
pub(crate) mod duplicate;
pub(crate) mod files;
pub(crate) mod grants;
pub(crate) mod hardware;
mod items;
pub(crate) mod lfs_files;
pub(crate) mod likes;
pub(crate) mod metrics;
pub(crate) mod moving;
pub(crate) mod not_offered;
pub(crate) mod organizations;
mod page;
pub(crate) mod previews;
pub(crate) mod probes;
pub(crate) mod profiles;
mod range;
pub(crate) mod refs;
pub(crate) mod repos;
pub(crate) mod running;
pub(crate) mod scan;
pub(crate) mod settings;
pub(crate) mod spaces;
pub(crate) mod ssh;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod tokens;
pub(crate) mod types;
pub(crate) mod usage;
pub(crate) mod webhooks;
pub(crate) mod xet;

pub(crate) use range::{Asked, asked};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, header};
use spaceport_control::service::Warning;
use spaceport_core::permission::Actor;

use crate::error::{ApiError, header_text};
use crate::router::AppState;

/// Shown to the user once per topic: `topic; message`.
const X_HF_WARNING: HeaderName = HeaderName::from_static("x-hf-warning");

/// An error as it may be told to this actor: nobody learns that a Space is hidden rather than missing.
pub(crate) fn told_to<E: Into<ApiError>>(actor: &Actor) -> impl Fn(E) -> ApiError {
    let is_anonymous = matches!(actor, Actor::Nobody);
    move |error| {
        let error = error.into();
        if is_anonymous { error.for_anonymous() } else { error }
    }
}

/// Adds warnings for the user to an answer.
fn warned(response: impl IntoResponse, warnings: &[Warning]) -> Response {
    let mut response = response.into_response();
    for warning in warnings {
        let (topic, text) = match warning {
            Warning::ExposedSecret(text) => ("static-secret", text),
            Warning::FixedSleepTime(text) => ("sleep-time", text),
            Warning::LeakedSecrets(text) => ("secret-scan", text),
            Warning::MissingSecrets(text) => ("missing-secrets", text),
        };
        response.headers_mut().append(X_HF_WARNING, header_text(&format!("{topic}; {text}")));
    }
    response
}

/// The address that was asked for, without the query; the path as it was sent, so that what was encoded stays so.
fn address(app: &AppState, request: &Request) -> String {
    format!("{}{}", origin(app, request.headers()), request.uri().path())
}

/// The origin by which this client reaches the hub: clients do not rewrite the addresses in `Link`.
pub(crate) fn origin(app: &AppState, headers: &HeaderMap) -> String {
    let addresses = app.control.addresses();
    match headers.get(header::HOST).and_then(|host| host.to_str().ok()) {
        Some(host) => format!("{}://{host}", addresses.scheme),
        None => addresses.hub_url(),
    }
}
