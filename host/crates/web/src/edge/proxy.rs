//! From a complete request head to an answer: who is meant, what is there already, and everything that every answer gets.

mod kept;
mod reply;
mod space;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use spaceport_control::routes::{EntryHeaders, RouteEntry, RouteSlot};
use spaceport_core::space::Visibility;

use super::Edge;
use super::body::{EdgeBody, Ledger};
use super::connection::{Answer, Peer};
use super::context::{Scheme, X_REQUEST_ID, new_request_id, visitor};
use super::fault_page::{self, Circumstances};
use super::headers;
use super::hub;
use super::refusal::Refusal;
use super::route::{Authority, Destination, check_framing, check_target};
use super::server::Shared;
use super::tunnel::Tunnel;
use super::upload::Upload;
use kept::{Asked, Shelf};

/// One request, from its head to the head of its answer.
pub(super) struct Visit {
    /// What it holds and what will be said of it.
    pub(super) ledger: Ledger,
    /// The visitor's address, for headers.
    pub(super) client_text: HeaderValue,
    /// How the visitor reached us.
    pub(super) scheme: Scheme,
    reads_pages: bool,
    /// Whether the answer has no body, whatever it would be.
    pub(super) is_head: bool,
}

/// The host a request named, as it is told to the guest and kept beyond the head: in one spelling, whatever the visitor's.
pub(super) struct Site {
    authority: HeaderValue,
    host_length: usize,
}

impl Site {
    fn new(authority: &Authority<'_>, headers: &HeaderMap) -> Self {
        let Authority { host, port } = authority;
        let is_so_spelled = |given: &HeaderValue| match given.as_bytes().strip_prefix(host.as_bytes()) {
            Some(b"") => port.is_empty(),
            Some([b':', rest @ ..]) => !port.is_empty() && rest == port.as_bytes(),
            _ => false,
        };
        let given = headers.get(header::HOST).filter(|given| is_so_spelled(given)).cloned();
        let spell = || match port.is_empty() {
            true => HeaderValue::from_str(host),
            false => HeaderValue::from_maybe_shared(Bytes::from(format!("{host}:{port}"))),
        };
        let authority = given.or_else(|| spell().ok()).unwrap_or(HeaderValue::from_static(""));
        Self { authority, host_length: host.len() }
    }

    /// Host and port, as `Host` says them.
    fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The name alone.
    fn host(&self) -> &str {
        self.text().get(..self.host_length).unwrap_or_default()
    }

    /// The port's digits, empty without a port.
    fn port(&self) -> &str {
        self.text().get(self.host_length + 1..).unwrap_or_default()
    }

    fn text(&self) -> &str {
        self.authority.to_str().unwrap_or_default()
    }
}

/// Answers a request at once if it can, or says how to wait for the answer.
pub(super) fn dispatch(shared: &Arc<Shared>, peer: &Arc<Peer>, request: Request<Upload>) -> Answer {
    let edge = &shared.edge;
    let mut visit = Visit::open(edge, peer, &request);
    let (authority, slot) = match find(edge, &request) {
        Err(refusal) => return Answer::ready(visit.refuse(edge, None, &refusal)),
        Ok((_, Destination::Hub)) => return Answer::Later(Box::pin(hub::answer(shared.clone(), visit, request))),
        Ok((authority, Destination::Space(slot))) => (authority, slot),
    };
    let entry = slot.entry.load();
    let mut kept = None;
    // Of a private Space nothing is looked at, and its sleep is not disturbed, before it is known who asks.
    if entry.visibility != Visibility::Private {
        visit.enter(edge, &slot);
        let shelf = Shelf { entry: &entry, scheme: visit.scheme, host: &authority.host, port: authority.port };
        let found = shelf.find(edge, asked(&request));
        if let Some(response) = found.as_ref().ok().and_then(kept::Kept::now) {
            return Answer::ready(visit.finish(edge, &entry, response, true));
        }
        kept = Some(found);
    }
    let site = Site::new(&authority, request.headers());
    Answer::Later(Box::pin(space::answer(edge.clone(), visit, slot, site, request, kept)))
}

fn asked(request: &Request<Upload>) -> Asked<'_> {
    let has_body = !request.body().is_end_stream();
    Asked { method: request.method(), uri: request.uri(), headers: request.headers(), has_body }
}

fn find<'a, B>(edge: &Edge, request: &'a Request<B>) -> Result<(Authority<'a>, Destination), Refusal> {
    check_target(request.method(), request.uri())?;
    check_framing(request.headers())?;
    let authority = Authority::of_request(request.uri(), request.headers())?;
    let destination = edge.hosts.destination(&authority.host, &edge.routes)?;
    Ok((authority, destination))
}

impl Visit {
    fn open<B>(edge: &Edge, peer: &Arc<Peer>, request: &Request<B>) -> Self {
        let (trusted, public) = (&edge.config.trusted_proxies, edge.config.public_scheme);
        let (client_ip, scheme) = visitor(peer.ip, request.headers(), trusted, public);
        let client_text = match client_ip == peer.ip {
            true => peer.ip_text.clone(),
            false => HeaderValue::try_from(client_ip.to_string()).unwrap_or_else(|_| peer.ip_text.clone()),
        };
        Self {
            ledger: Ledger::open(peer, client_ip, request, new_request_id()),
            client_text,
            scheme,
            reads_pages: fault_page::wants_html(request.headers()),
            is_head: *request.method() == Method::HEAD,
        }
    }

    /// Takes the request's place in its Space.
    fn enter(&mut self, edge: &Edge, slot: &Arc<RouteSlot>) {
        self.ledger.hold(slot.begin_request(edge.clock.clone()));
    }

    /// The Space's answer, with what every answer of a Space gets.
    fn finish(
        mut self,
        edge: &Edge,
        entry: &RouteEntry,
        response: Response<EdgeBody>,
        is_hit: bool,
    ) -> Response<EdgeBody> {
        self.ledger.answered(response.status(), is_hit);
        let response = self.dress(edge, Some(entry), response);
        self.close(edge, response)
    }

    /// The head of the Space's answer to a visitor who goes on with a tunnel, which takes the request's ledger with it.
    fn finish_with(
        mut self,
        edge: &Edge,
        entry: &RouteEntry,
        response: Response<EdgeBody>,
        tunnel: Tunnel,
    ) -> Response<EdgeBody> {
        self.ledger.answered(response.status(), false);
        let response = self.dress(edge, Some(entry), response);
        let peer = self.ledger.peer().clone();
        peer.go_on_with(Box::pin(tunnel.run(self.ledger)));
        response
    }

    /// An answer in place of the Space's. Without an entry, nothing of the Space shows.
    pub(super) fn refuse(mut self, edge: &Edge, entry: Option<&RouteEntry>, refusal: &Refusal) -> Response<EdgeBody> {
        let page = entry.map(|entry| format!("{}/spaces/{}", edge.hub_origin, entry.path));
        let request_id = &self.ledger.request_id;
        let circumstances = Circumstances { reads_pages: self.reads_pages, request_id, page };
        let response = fault_page::respond(refusal, &circumstances);
        self.ledger.refused(response.status(), refusal.code(), refusal.is_fault());
        let response = self.dress(edge, entry, response);
        self.close(edge, response)
    }

    fn dress(&self, edge: &Edge, entry: Option<&RouteEntry>, mut response: Response<EdgeBody>) -> Response<EdgeBody> {
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, self.ledger.request_id.clone());
        if self.ledger.version == Version::HTTP_2 {
            headers.remove(header::CONNECTION);
        }
        if let Some(entry) = entry {
            let EntryHeaders { set, added } = entry.headers.get_or_init(|| entry_headers(edge, entry));
            for (name, value) in set {
                headers.insert(name, value.clone());
            }
            for (name, value) in added {
                headers.append(name, value.clone());
            }
            if entry.visibility == Visibility::Private {
                headers::keep_private(headers);
            }
        }
        response
    }

    /// The answer with the request's ledger under it.
    pub(super) fn close(self, edge: &Edge, response: Response<EdgeBody>) -> Response<EdgeBody> {
        response.map(|body| {
            let body = if self.is_head { EdgeBody::empty() } else { body };
            body.under(self.ledger, edge.config.deadlines.write_idle)
        })
    }
}

/// The headers of every answer of an entry.
fn entry_headers(edge: &Edge, entry: &RouteEntry) -> EntryHeaders {
    let custom = entry.custom_headers.iter();
    let set = custom.filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)));
    let link = format!("<{}/spaces/{}>; rel=\"canonical\"", edge.hub_origin, entry.path);
    let link = HeaderValue::from_maybe_shared(Bytes::from(link)).ok();
    let mut added: Vec<_> = link.map(|link| (header::LINK, link)).into_iter().collect();
    if entry.disable_embedding {
        // Beside a policy of the Space's own: browsers apply both.
        added.push((header::CONTENT_SECURITY_POLICY, edge.embedding_policy.clone()));
    }
    EntryHeaders { set: set.collect(), added }
}
