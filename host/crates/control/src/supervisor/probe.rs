//! The probe: one request that a fresh instance must answer before visitors are led to it.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use spaceport_core::fault::Fault;

use crate::ports::Upstream;

/// How the probe calls itself, so that apps can tell it from visitors.
const USER_AGENT: &str = "spaceport-probe";
/// Where the probe says it comes from: this host.
const LOOPBACK: &str = "127.0.0.1";

/// Pause before a probe that met a busy host is repeated.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// Asks an instance for its front page, for as long as the host is too busy to let it answer. Any answer is a good one,
/// also a 404: what counts is that the app answers.
pub(super) async fn probe(upstream: &dyn Upstream, scheme: &str, authority: &str) -> Result<(), Fault> {
    loop {
        match ask(upstream, scheme, authority).await {
            Err(Fault::SpaceBusy | Fault::NodeOverloaded | Fault::BackendUnavailable(_)) => {
                tokio::time::sleep(BUSY_PAUSE).await
            }
            answered => return answered,
        }
    }
}

async fn ask(upstream: &dyn Upstream, scheme: &str, authority: &str) -> Result<(), Fault> {
    let request = Request::get("/")
        .header(header::HOST, authority)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header("x-forwarded-host", authority)
        .header("x-forwarded-proto", scheme)
        .header("x-forwarded-for", LOOPBACK)
        .body(Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| Fault::GuestBadResponse(error.to_string()))?;
    // The head is the answer; the rest may be a stream without end.
    upstream.call(request).await.map(drop)
}
