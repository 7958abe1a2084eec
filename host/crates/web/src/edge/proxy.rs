//! From a complete request head to an answer: who is meant, what is there already, and everything that every answer gets.

mod kept;
mod reply;
mod space;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use spaceport_control::routes::{RouteEntry, RouteSlot};

use super::Edge;
use super::body::{EdgeBody, Ledger};
use super::connection::{Answer, Peer};
use super::context::{Scheme, X_REQUEST_ID, new_request_id, visitor};
use super::fault_page::{self, Circumstances};
use super::hub;
use super::refusal::Refusal;
use super::route::{Authority, Destination, check_target};
use super::server::Shared;
use super::stall;

/// One request, from its head to the head of its answer.
pub(super) struct Visit {
    /// What it holds and what will be said of it.
    pub(super) ledger: Ledger,
    /// The visitor's address.
    pub(super) client_ip: IpAddr,
    /// The same for headers.
    pub(super) client_text: HeaderValue,
    /// How the visitor reached us.
    pub(super) scheme: Scheme,
    reads_pages: bool,
    /// Whether the answer has no body, whatever it would be.
    pub(super) is_head: bool,
    is_h2: bool,
}

/// The host a request named, kept beyond its head.
pub(super) struct Site {
    host: Box<str>,
    port: Box<str>,
}

/// Answers a request at once if it can, or says how to wait for the answer.
pub(super) fn dispatch(shared: &Arc<Shared>, peer: &Arc<Peer>, request: Request<Incoming>) -> Answer {
    let edge = &shared.edge;
    let mut visit = Visit::open(edge, peer, &request);
    let (authority, slot) = match find(edge, &request) {
        Err(refusal) => return Answer::ready(visit.refuse(edge, None, &refusal)),
        Ok((_, Destination::Hub)) => return Answer::Later(Box::pin(hub::answer(shared.clone(), visit, request))),
        Ok((authority, Destination::Space(slot))) => (authority, slot),
    };
    visit.enter(edge, &slot);
    let entry = slot.entry.load();
    if let Some(response) = kept::answer(edge, &visit, &entry, &authority, &request) {
        return Answer::ready(visit.finish(edge, &entry, response, true));
    }
    let site = Site { host: authority.host.as_ref().into(), port: authority.port.into() };
    Answer::Later(Box::pin(space::answer(edge.clone(), visit, slot, site, request)))
}

fn find<'a, B>(edge: &Edge, request: &'a Request<B>) -> Result<(Authority<'a>, Destination), Refusal> {
    check_target(request.method(), request.uri())?;
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
            ledger: Ledger::open(peer, request, new_request_id()),
            client_ip,
            client_text,
            scheme,
            reads_pages: fault_page::wants_html(request.headers()),
            is_head: *request.method() == Method::HEAD,
            is_h2: request.version() == Version::HTTP_2,
        }
    }

    /// Takes the request's place in its Space.
    fn enter(&mut self, edge: &Edge, slot: &Arc<RouteSlot>) {
        let clock = edge.clock.clone();
        let in_flight = slot.begin_request(move || clock.now());
        self.ledger.hold(slot.clone(), in_flight);
    }

    /// The Space's answer, with what every answer of a Space gets.
    fn finish(
        mut self,
        edge: &Edge,
        entry: &RouteEntry,
        response: Response<EdgeBody>,
        is_hit: bool,
    ) -> Response<EdgeBody> {
        self.ledger.answered(response.status(), None, is_hit);
        self.dress(edge, Some(entry), response)
    }

    /// An answer in place of the Space's. Without an entry, nothing of the Space shows.
    pub(super) fn refuse(mut self, edge: &Edge, entry: Option<&RouteEntry>, refusal: &Refusal) -> Response<EdgeBody> {
        let page = entry.map(|entry| format!("{}/spaces/{}", edge.hub_origin, entry.path));
        let request_id = &self.ledger.request_id;
        let circumstances = Circumstances { reads_pages: self.reads_pages, request_id, page };
        let response = fault_page::respond(refusal, &circumstances);
        self.ledger.answered(response.status(), Some(refusal.code()), false);
        self.dress(edge, entry, response)
    }

    fn dress(self, edge: &Edge, entry: Option<&RouteEntry>, mut response: Response<EdgeBody>) -> Response<EdgeBody> {
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, self.ledger.request_id.clone());
        if self.is_h2 {
            headers.remove(header::CONNECTION);
        }
        if let Some(entry) = entry {
            let link = format!("<{}/spaces/{}>; rel=\"canonical\"", edge.hub_origin, entry.path);
            if let Ok(link) = HeaderValue::from_maybe_shared(Bytes::from(link)) {
                headers.append(header::LINK, link);
            }
            for (name, value) in &entry.custom_headers {
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                    headers.insert(name, value);
                }
            }
            if entry.disable_embedding {
                // Beside a policy of the Space's own: browsers apply both.
                headers.append(header::CONTENT_SECURITY_POLICY, edge.embedding_policy.clone());
            }
        }
        let patience = edge.config.deadlines.write_idle;
        response.map(|body| match (self.is_head, self.is_h2) {
            (true, _) => EdgeBody::empty().with_ledger(self.ledger),
            (false, true) => body.map_stream(|body| stall::watch(body, patience)).with_ledger(self.ledger),
            (false, false) => body.with_ledger(self.ledger),
        })
    }
}
