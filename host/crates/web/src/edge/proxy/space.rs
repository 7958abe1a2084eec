//! A request to a Space that is not answered from the cache: who may ask, waking, calling, and trying again where that is
//! safe.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use spaceport_control::ports::{Body, Mount, Upstream};
use spaceport_control::routes::{RouteEntry, RouteSlot, RouteTarget};
use spaceport_core::fault::Fault;
use spaceport_core::space::Visibility;
use spaceport_core::stage::Stage;

use crate::edge::body::EdgeBody;
use crate::edge::conditional::Wants;
use crate::edge::headers::{self, X_SPACEPORT_HOP};
use crate::edge::pass::Pass;
use crate::edge::refusal::Refusal;
use crate::edge::request_body::{BodyCut, BodyWatch, WatchedBody};
use crate::edge::tunnel::{Tunnel, Wish};
use crate::edge::upload::Upload;
use crate::edge::{Edge, Hops, WakeRefusal};

use super::kept::{Lookup, Shelf};
use super::reply::Reply;
use super::{Site, Visit, asked};

/// Spaces that one request may come through. Honest chains are short; a circle has no end.
const MAX_HOPS: u8 = 4;
/// How often a request is called again whose instance was being stopped: once for a swap, once more for bad luck.
const RETRIES: u32 = 2;
/// Pause before such a call, in which the route table learns what is there instead.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Answers a request to a Space. `kept` is what a look into the cache found, if there was one.
pub(super) async fn answer(
    edge: Arc<Edge>,
    mut visit: Visit,
    slot: Arc<RouteSlot>,
    site: Site,
    mut request: Request<Upload>,
    kept: Option<Lookup>,
) -> Response<EdgeBody> {
    let entry = slot.entry.load_full();
    let token = headers::hub_token(request.headers());
    // An app that everybody may visit has that word of an address for itself.
    let pass = if entry.visibility == Visibility::Private { Pass::take(&mut request) } else { None };
    let of_address = pass.as_ref().map(|pass| pass.as_str().to_owned());
    let token = token.or(of_address).or_else(|| Pass::of_cookie(request.headers()));
    let mut route = Route { entry, slot, edge: &edge, token };
    match route.attempt(&mut visit, &site, request, kept).await {
        Ok(Answered { mut response, is_hit, tunnel }) => {
            if let Some(cookie) = pass.and_then(|pass| pass.cookie(visit.scheme)) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            match tunnel {
                Some(tunnel) => visit.finish_with(&edge, &route.entry, response, tunnel),
                None => visit.finish(&edge, &route.entry, response, is_hit),
            }
        }
        // To a visitor who may not see it, a Space and its absence look the same.
        Err(refusal) if refusal.status() == StatusCode::NOT_FOUND => visit.refuse(&edge, None, &refusal),
        Err(refusal) => visit.refuse(&edge, Some(&route.entry), &refusal),
    }
}

struct Answered {
    response: Response<EdgeBody>,
    is_hit: bool,
    /// What the connection goes on with.
    tunnel: Option<Tunnel>,
}

/// The way of one request to a Space, which may change under it.
struct Route<'a> {
    edge: &'a Edge,
    slot: Arc<RouteSlot>,
    entry: Arc<RouteEntry>,
    /// By which the hub may know the visitor.
    token: Option<String>,
}

impl Route<'_> {
    async fn attempt(
        &mut self,
        visit: &mut Visit,
        site: &Site,
        request: Request<Upload>,
        kept: Option<Lookup>,
    ) -> Result<Answered, Refusal> {
        let edge = self.edge;
        self.authorize().await?;
        if !visit.ledger.is_held() {
            visit.enter(edge, &self.slot);
        }
        let hops = count_hops(request.headers())?;
        check_length(request.headers(), edge.config.max_request_body)?;
        let mut flight = None;
        let shelf = Shelf::new(&self.entry, visit.scheme, site);
        let mut kept = kept.unwrap_or_else(|| shelf.find(edge, asked(&request)));
        if let Err(Some(key)) = kept {
            flight = edge.flights.join(key).await;
            kept = shelf.find(edge, asked(&request));
        }
        if let Ok(kept) = kept
            && let Some(response) = kept.answer(edge).await
        {
            return Ok(Answered { response, is_hit: true, tunnel: None });
        }
        let answered = self.ask(visit, site, request, hops).await;
        if let Some(flight) = flight {
            flight.land();
        }
        answered
    }

    /// Asks the guest.
    async fn ask(
        &mut self,
        visit: &Visit,
        site: &Site,
        mut request: Request<Upload>,
        hops: u8,
    ) -> Result<Answered, Refusal> {
        let wish = if self.entry.sdk.is_container() { Wish::take(&mut request) } else { None };
        let (mut parts, upload) = request.into_parts();
        let wants = Wants::of(&parts.method, &parts.headers);
        let may_store = wants.is_some() && upload.is_end_stream() && !headers::has_own_authorization(&parts.headers);
        prepare(&mut parts, visit, site);
        if let Some(wish) = &wish {
            wish.put(&mut parts.headers);
        }
        if self.entry.sdk.is_plugin() && wants.is_some() {
            // The host answers these itself, from the whole that the plugin gives.
            parts.method = Method::GET;
            for name in Wants::HEADERS {
                parts.headers.remove(name);
            }
        }
        let mut parts = GuestRequest::new(parts, hops);
        let (app, mut response) = self.call(&mut parts, upload).await?;
        if let (Some(wish), StatusCode::SWITCHING_PROTOCOLS) = (wish, response.status()) {
            let tunnel = wish.granted(&mut response, |headers| headers::clean_response(headers, site.host()))?;
            let response = response.map(|_| EdgeBody::empty());
            return Ok(Answered { response, is_hit: false, tunnel: Some(tunnel) });
        }
        let (edge, parts) = (self.edge, &parts);
        let shelf = Shelf::new(&self.entry, visit.scheme, site);
        if !parts.method.is_safe() && is_success(response.status()) {
            shelf.remove(edge, &parts.uri);
        }
        let reply = Reply { edge, shelf, app: &app, site, wants: wants.as_ref(), parts, may_store };
        Ok(Answered { response: reply.answer(response).await?, is_hit: false, tunnel: None })
    }

    /// A private Space answers to its members alone; for everybody else it is not there.
    async fn authorize(&self) -> Result<(), Refusal> {
        if self.entry.visibility != Visibility::Private {
            return Ok(());
        }
        let token = self.token.clone().ok_or(Refusal::NotFound)?;
        match self.edge.platform.may_visit(token, self.entry.space, self.entry.subject()).await {
            true => Ok(()),
            false => Err(Refusal::NotFound),
        }
    }

    /// Goes on to another entry, which may admit others than the last did.
    async fn change_to(&mut self, entry: Arc<RouteEntry>) -> Result<(), Refusal> {
        self.entry = entry;
        self.authorize().await
    }

    /// Calls the Space, waking it if it sleeps. A request without a body whose instance was stopped under it is called
    /// again: a guest that was stopped before it answered has promised nothing.
    async fn call(&mut self, request: &mut GuestRequest, upload: Upload) -> Result<(Mount, Response<Body>), Refusal> {
        if !upload.is_end_stream() {
            let (upstream, app) = self.live().await?;
            let (limit, idle) = (self.edge.config.max_request_body, self.edge.config.deadlines.body_idle);
            let watch = Arc::new(BodyWatch::default());
            let body = WatchedBody::new(upload, limit, idle, watch.clone()).boxed_unsync();
            return Ok((app, call_watched(&*upstream, request.only(body), &watch, limit).await?));
        }
        if !request.method.is_safe() {
            let (upstream, app) = self.live().await?;
            return Ok((app, upstream.call(request.only(no_body())).await?));
        }
        let mut attempts = 0;
        loop {
            let (upstream, app) = self.live().await?;
            match upstream.call(request.again(no_body())).await {
                Ok(response) => return Ok((app, response)),
                Err(Fault::Stopped) if attempts < RETRIES => {
                    attempts += 1;
                    tokio::time::sleep(RETRY_PAUSE).await;
                    let entry = self.slot.entry.load_full();
                    self.change_to(entry).await?;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// What answers for the entry now; the entry becomes what woke.
    async fn live(&mut self) -> Result<(Arc<dyn Upstream>, Mount), Refusal> {
        let wakes = match &self.entry.target {
            RouteTarget::Live { .. } => false,
            RouteTarget::Asleep | RouteTarget::Unavailable { stage: Stage::AppStarting, .. } => true,
            RouteTarget::Unavailable { .. } => false,
        };
        if wakes {
            let entry = self.edge.platform.wake(self.entry.space).await?;
            self.change_to(entry).await?;
        }
        match &self.entry.target {
            RouteTarget::Live { upstream, app } => Ok((upstream.clone(), app.clone())),
            RouteTarget::Asleep => Err(Refusal::Waking),
            RouteTarget::Unavailable { stage, message } => {
                Err(Refusal::Stage { stage: *stage, message: message.clone() })
            }
        }
    }
}

/// The guest's request, as far as it is needed once the guest has it.
pub(super) struct GuestRequest {
    pub(super) method: Method,
    pub(super) uri: Uri,
    /// Empty once it was made for the only time.
    pub(super) headers: HeaderMap,
    hops: u8,
}

impl GuestRequest {
    fn new(parts: Parts, hops: u8) -> Self {
        Self { method: parts.method, uri: parts.uri, headers: parts.headers, hops }
    }

    /// The request, which will not be made again.
    fn only(&mut self, body: Body) -> Request<Body> {
        let headers = std::mem::take(&mut self.headers);
        self.with(headers, body)
    }

    /// The request, which may have to be made again, and whose headers an answer that is kept may vary by.
    fn again(&self, body: Body) -> Request<Body> {
        self.with(self.headers.clone(), body)
    }

    fn with(&self, headers: HeaderMap, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        if self.hops > 0 {
            request.extensions_mut().insert(Hops(self.hops));
        }
        request
    }
}

fn no_body() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Whether an answer says that what was asked for has been done (RFC 9111, section 4.4: "non-error").
fn is_success(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
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

/// Turns the visitor's request into the guest's: origin form, one Host in one spelling, clean headers.
fn prepare(parts: &mut Parts, visit: &Visit, site: &Site) {
    if parts.uri.authority().is_some() {
        parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    }
    parts.headers.insert(header::HOST, site.authority().clone());
    headers::clean_request(&mut parts.headers);
    headers::remove_credentials(&mut parts.headers);
    Pass::leave_out_of_referer(&mut parts.headers);
    headers::set_forwarded(&mut parts.headers, visit);
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
            WakeRefusal::Waits(message) => Self::NoGpu(message),
            WakeRefusal::Gone => Self::NotFound,
        }
    }
}
