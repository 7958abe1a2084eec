//! What every request gets, whichever door it came through: an id, and one line in the access log.
//!
//! The edge shares [`RequestId`] and [`ACCESS_LOG`], so that an operator finds a request by the id a client quotes and
//! filters both doors with the same field names.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use rand::Rng;
use spaceport_control::service::asked_from;

use crate::api::moving::lead_on;
use crate::edge::RequestContext;
use crate::error::{ErrorNote, MovedNote};

/// The header that tells a client its request's id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The tracing target of access-log lines.
pub const ACCESS_LOG: &str = "spaceport::access";

/// Headers that scripts of other origins may read, as clients in a browser expect them.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range",
);

/// The id of one request: made here, never taken from the client, who could otherwise forge log lines of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new id: 128 random bits in hexadecimal.
    #[expect(clippy::new_without_default, reason = "each call gives another id, which no default value does")]
    pub fn new() -> Self {
        Self(format!("{:032x}", rand::rng().random::<u128>()).into())
    }

    /// The id that the edge gave the request before anybody knew whom it is for.
    pub(crate) fn given(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a header's value.
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("hexadecimal digits are valid in a header")
    }
}

/// Who made the request, once an extractor knows; left in the response for the access log.
#[derive(Debug, Clone)]
pub(crate) struct ActorNote(pub(crate) Arc<std::sync::OnceLock<String>>);

/// Gives a request to the hub its id and writes its access-log line when the head of the answer is known. An id that
/// the accept loop has already given stays.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(RequestId::new);
    request.extensions_mut().insert(id.clone());
    let actor = ActorNote(Arc::default());
    request.extensions_mut().insert(actor.clone());
    let method = request.method().clone();
    let asked = request.uri().clone();
    let path = asked.path().to_owned();
    let client = request.extensions().get::<RequestContext>().map(|context| context.client_ip);
    let host = host(&request).map(str::to_owned);
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let started = tokio::time::Instant::now();

    let mut response = asked_from(client, next.run(request)).await;

    if let Some(MovedNote(now)) = response.extensions().get::<MovedNote>().cloned() {
        lead_on(&mut response, &asked, &now);
    }
    response.headers_mut().insert(X_REQUEST_ID, id.header_value());
    response.headers_mut().entry(header::ACCESS_CONTROL_EXPOSE_HEADERS).or_insert(EXPOSED_HEADERS);
    let note = response.extensions().get::<ErrorNote>();
    if let Some(ErrorNote { cause: Some(cause), .. }) = note {
        tracing::error!(request_id = id.as_str(), %method, path, cause, "a request failed through a fault of the host");
    }
    tracing::info!(
        target: ACCESS_LOG,
        request_id = id.as_str(),
        door = "hub",
        client = client.map(tracing::field::display),
        %method,
        host,
        path,
        route,
        actor = actor.0.get().map(String::as_str),
        status = response.status().as_u16(),
        error = note.map(|note| note.code),
        duration_ms = duration_ms(started.elapsed()),
        "request"
    );
    response
}

/// The host name that the request is for, in the client's words.
fn host(request: &Request) -> Option<&str> {
    let named = request.uri().authority().map(http::uri::Authority::as_str);
    named.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}

/// Milliseconds with three decimals, the unit of every duration in the log.
pub fn duration_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
