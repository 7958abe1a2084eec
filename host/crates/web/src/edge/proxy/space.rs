//! A request to a Space that is not answered from the cache: who may ask, waking, calling, and trying again where that is
//! safe.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use spaceport_control::ports::{Body, Mount, Upstream};
use spaceport_control::routes::{RouteEntry, RouteSlot, RouteTarget};
use spaceport_core::fault::Fault;
use spaceport_core::space::{Sdk, Visibility};
use spaceport_core::stage::Stage;

use crate::edge::body::EdgeBody;
use crate::edge::conditional::Wants;
use crate::edge::headers::{self, X_SPACEPORT_HOP};
use crate::edge::refusal::Refusal;
use crate::edge::request_body::{BodyCut, BodyWatch, WatchedBody};
use crate::edge::{Edge, Hops, WakeRefusal};

use super::reply::Reply;
use super::{Site, Visit, kept};

/// Spaces that one request may come through. Honest chains are short; a circle has no end.
const MAX_HOPS: u8 = 4;
/// How often a request is called again whose instance was being stopped: once for a swap, once more for bad luck.
const RETRIES: u32 = 2;
/// Pause before such a call, in which the route table learns what is there instead.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Answers a request to a Space.
pub(super) async fn answer(
    edge: Arc<Edge>,
    visit: Visit,
    slot: Arc<RouteSlot>,
    site: Site,
    request: Request<Incoming>,
) -> Response<EdgeBody> {
    let mut entry = slot.entry.load_full();
    match attempt(&edge, &visit, &slot, &mut entry, &site, request).await {
        Ok(Answered { response, is_hit }) => visit.finish(&edge, &entry, response, is_hit),
        // To a visitor who may not see it, a Space and its absence look the same.
        Err(refusal) if refusal.status() == StatusCode::NOT_FOUND => visit.refuse(&edge, None, &refusal),
        Err(refusal) => visit.refuse(&edge, Some(&entry), &refusal),
    }
}

struct Answered {
    response: Response<EdgeBody>,
    is_hit: bool,
}

async fn attempt(
    edge: &Edge,
    visit: &Visit,
    slot: &RouteSlot,
    entry: &mut Arc<RouteEntry>,
    site: &Site,
    request: Request<Incoming>,
) -> Result<Answered, Refusal> {
    let (mut parts, incoming) = request.into_parts();
    authorize(edge, entry, &parts.headers).await?;
    let hops = count_hops(&parts.headers)?;
    check_length(&parts.headers, edge.config.max_request_body)?;
    let asked = (&parts.method, &parts.uri, &parts.headers);
    if let Some(response) = kept::answer_allowed(edge, visit, entry, site, asked).await {
        return Ok(Answered { response, is_hit: true });
    }
    let wants = Wants::of(&parts.method, &parts.headers);
    let may_store = wants.is_some() && !headers::has_own_authorization(&parts.headers);
    prepare(&mut parts, visit, hops);
    if entry.sdk == Sdk::Static && wants.is_some() {
        // The host answers these itself, from the whole that the plugin gives.
        parts.method = Method::GET;
        for name in Wants::HEADERS {
            parts.headers.remove(name);
        }
    }
    let (app, response) = call(edge, slot, entry, &parts, incoming).await?;
    let reply = Reply { edge, entry, app: &app, visit, site, wants: wants.as_ref(), parts: &parts, may_store };
    Ok(Answered { response: reply.answer(response).await?, is_hit: false })
}

/// A private Space answers to its members alone; for everybody else it is not there.
async fn authorize(edge: &Edge, entry: &RouteEntry, headers: &HeaderMap) -> Result<(), Refusal> {
    if entry.visibility != Visibility::Private {
        return Ok(());
    }
    let token = headers::hub_token(headers).ok_or(Refusal::NotFound)?;
    match edge.platform.may_visit(token, entry.subject()).await {
        true => Ok(()),
        false => Err(Refusal::NotFound),
    }
}

/// How many Spaces the request has come through. The header is taken at its word, since a lie harms the liar only.
fn count_hops(headers: &HeaderMap) -> Result<u8, Refusal> {
    let Some(value) = headers.get(X_SPACEPORT_HOP) else { return Ok(0) };
    let hops = value.to_str().ok().and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
    if hops > MAX_HOPS { Err(Refusal::Loop) } else { Ok(hops) }
}

/// A body that says it is too large is refused before a guest starts for it.
fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), Refusal> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > limit => Err(Refusal::BodyTooLarge(limit)),
        _ => Ok(()),
    }
}

/// Turns the visitor's request into the guest's: origin form, one Host, clean headers.
fn prepare(parts: &mut Parts, visit: &Visit, hops: u8) {
    if let Some(authority) = parts.uri.authority() {
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            parts.headers.insert(header::HOST, host);
        }
        parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    }
    parts.version = Version::HTTP_11;
    parts.extensions = Extensions::new();
    if hops > 0 {
        parts.extensions.insert(Hops(hops));
    }
    headers::clean_request(&mut parts.headers);
    headers::remove_credentials(&mut parts.headers);
    headers::set_forwarded(&mut parts.headers, visit);
}

/// Calls the Space, waking it if it sleeps. A request without a body whose instance was stopped under it is called again:
/// a guest that was stopped before it answered has promised nothing.
async fn call(
    edge: &Edge,
    slot: &RouteSlot,
    entry: &mut Arc<RouteEntry>,
    parts: &Parts,
    incoming: Incoming,
) -> Result<(Mount, http::Response<Body>), Refusal> {
    if !incoming.is_end_stream() {
        let (upstream, app) = live(edge, entry).await?;
        let watch = Arc::new(BodyWatch::default());
        let idle = edge.config.deadlines.body_idle;
        let body = WatchedBody::new(incoming, edge.config.max_request_body, idle, watch.clone()).boxed_unsync();
        let request = Request::from_parts(parts.clone(), body);
        return Ok((app, call_watched(&*upstream, request, &watch, edge.config.max_request_body).await?));
    }
    let mut attempts = 0;
    loop {
        let (upstream, app) = live(edge, entry).await?;
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        match upstream.call(Request::from_parts(parts.clone(), body)).await {
            Ok(response) => return Ok((app, response)),
            Err(Fault::Stopped) if attempts < RETRIES && parts.method.is_safe() => {
                attempts += 1;
                tokio::time::sleep(RETRY_PAUSE).await;
                *entry = slot.entry.load_full();
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// What answers for the entry now; `entry` becomes what woke.
async fn live(edge: &Edge, entry: &mut Arc<RouteEntry>) -> Result<(Arc<dyn Upstream>, Mount), Refusal> {
    let wakes = match &entry.target {
        RouteTarget::Live { .. } => false,
        RouteTarget::Asleep | RouteTarget::Unavailable { stage: Stage::AppStarting, .. } => true,
        RouteTarget::Unavailable { .. } => false,
    };
    if wakes {
        *entry = edge.platform.wake(entry.space).await?;
    }
    match &entry.target {
        RouteTarget::Live { upstream, app } => Ok((upstream.clone(), app.clone())),
        RouteTarget::Asleep => Err(Refusal::Waking),
        RouteTarget::Unavailable { stage, message } => Err(Refusal::Stage { stage: *stage, message: message.clone() }),
    }
}

/// Calls with a body that may be cut; the call is given up when it is.
async fn call_watched(
    upstream: &dyn Upstream,
    request: Request<Body>,
    watch: &BodyWatch,
    limit: u64,
) -> Result<http::Response<Body>, Refusal> {
    let mut call = upstream.call(request);
    poll_fn(|cx| match watch.poll_cut(cx) {
        Poll::Ready(BodyCut::Idle) => Poll::Ready(Err(Refusal::ClientTimeout)),
        Poll::Ready(BodyCut::TooLarge) => Poll::Ready(Err(Refusal::BodyTooLarge(limit))),
        Poll::Pending => call.poll_unpin(cx).map_err(Refusal::from),
    })
    .await
}

impl From<WakeRefusal> for Refusal {
    fn from(refusal: WakeRefusal) -> Self {
        match refusal {
            WakeRefusal::Later => Self::Waking,
            WakeRefusal::Unavailable { stage, message } => Self::Stage { stage, message },
            WakeRefusal::Gone => Self::NotFound,
        }
    }
}
