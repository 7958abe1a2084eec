//! Answers from the cache: a lookup and a few headers, no guest, no system call.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, Uri};
use spaceport_control::routes::{RouteEntry, RouteTarget};
use spaceport_core::space::Visibility;

use crate::edge::Edge;
use crate::edge::body::EdgeBody;
use crate::edge::cache::{KeyRef, Stored};
use crate::edge::conditional::Wants;
use crate::edge::config::Deadlines;
use crate::edge::headers::has_own_authorization;
use crate::edge::respond::{self, MakeFirst};
use crate::edge::route::Authority;

use super::{Site, Visit};

/// A kept answer for anybody, if it can be given without any wait.
pub(super) fn answer<B>(
    edge: &Edge,
    visit: &Visit,
    entry: &RouteEntry,
    authority: &Authority<'_>,
    request: &Request<B>,
) -> Option<Response<EdgeBody>> {
    if entry.visibility == Visibility::Private {
        return None;
    }
    let place = (&*authority.host, authority.port);
    let (wants, stored) = find(edge, visit, entry, place, (request.method(), request.uri(), request.headers()))?;
    respond::from_stored(&wants, &stored, edge.config.deadlines.response_idle).ok()
}

/// A kept answer for a visitor who is known to be allowed in; waits for an encoding that is made for the first time.
pub(super) async fn answer_allowed(
    edge: &Edge,
    visit: &Visit,
    entry: &RouteEntry,
    site: &Site,
    request: (&Method, &Uri, &HeaderMap),
) -> Option<Response<EdgeBody>> {
    let (wants, stored) = find(edge, visit, entry, (&site.host, &site.port), request)?;
    Some(encoded(&wants, &stored, &edge.config.deadlines).await)
}

/// An answer from a kept response, in the encoding wanted.
pub(super) async fn encoded(wants: &Wants, stored: &Stored, deadlines: &Deadlines) -> Response<EdgeBody> {
    loop {
        match respond::from_stored(wants, stored, deadlines.response_idle) {
            Ok(response) => return response,
            Err(MakeFirst(encoding)) => stored.make_variant(encoding).await,
        };
    }
}

fn find(
    edge: &Edge,
    visit: &Visit,
    entry: &RouteEntry,
    place: (&str, &str),
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
) -> Option<(Wants, Arc<Stored>)> {
    // A Space that is paused or broken does not live on in the cache.
    if matches!(entry.target, RouteTarget::Unavailable { .. }) || has_own_authorization(headers) {
        return None;
    }
    if *method != Method::GET && *method != Method::HEAD {
        return None;
    }
    let key = KeyRef::new(entry.space, entry.generation, visit.scheme, place, uri);
    let stored = edge.cache.get(key, headers)?;
    Some((Wants::of(method, headers)?, stored))
}
