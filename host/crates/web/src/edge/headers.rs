//! What may cross the edge, in either direction.
//!
//! Towards a Space: nothing that is about the connection (RFC 9110, 7.6.1), nothing that claims to be from us, nothing that
//! proves who the visitor is to the hub. Towards the visitor: nothing that is about the guest's connection or drives this
//! host, and no cookie for any host but the Space's own.

use http::header::{self, Entry, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::context::{
    TRACEPARENT, TRACESTATE, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REAL_IP, X_REQUEST_ID, traceparent,
};
use super::proxy::Visit;

/// Where clients put the hub's token when `Authorization` belongs to the app.
pub(super) const X_HF_AUTHORIZATION: HeaderName = HeaderName::from_static("x-hf-authorization");
/// By the guest's word, a file to send in place of its body.
pub(super) const X_SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");
/// How many Spaces a request has come through; set by our own egress.
pub(super) const X_SPACEPORT_HOP: HeaderName = HeaderName::from_static("x-spaceport-hop");

/// What our access tokens begin with.
const TOKEN_PREFIX: &str = "sp_";
/// What our cookies' names begin with, after any `__Host-` or `__Secure-`.
const COOKIE_PREFIX: &str = "spaceport";
/// Headers that are ours alone.
const OWN_PREFIX: &str = "x-spaceport-";

/// Removes from a request what is about the connection and what only we may say.
pub(super) fn clean_request(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    remove_where(headers, |name| {
        is_hop_by_hop(name)
            || name.starts_with("x-forwarded-")
            || name.starts_with(OWN_PREFIX)
            || matches!(name, "forwarded" | "x-real-ip" | "x-request-id" | "trailer")
    });
}

/// Removes from a request to a Space what is meant for the hub alone.
pub(super) fn remove_credentials(headers: &mut HeaderMap) {
    headers.remove(X_HF_AUTHORIZATION);
    headers.remove(header::EXPECT);
    if headers.get(header::AUTHORIZATION).is_some_and(|value| bearer(value).is_some_and(is_ours)) {
        headers.remove(header::AUTHORIZATION);
    }
    let is_tainted = |value: &HeaderValue| value.as_bytes().split(is_semicolon).any(is_platform_pair);
    // One header towards the guest, where h2 may have split it (RFC 9113, 8.2.3).
    let is_split = headers.get_all(header::COOKIE).iter().nth(1).is_some();
    if is_split || headers.get_all(header::COOKIE).iter().any(is_tainted) {
        let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
        let pairs = lines.flat_map(|line| line.split(is_semicolon)).map(<[u8]>::trim_ascii);
        let kept: Vec<&[u8]> = pairs.filter(|pair| !is_platform_pair(pair)).collect();
        let kept = HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok().filter(|kept| !kept.is_empty());
        headers.remove(header::COOKIE);
        if let Some(kept) = kept {
            headers.insert(header::COOKIE, kept);
        }
    }
}

/// Removes from the trailers of a request what a head may not hold, and what only a head may.
pub(super) fn clean_request_trailers(trailers: &mut HeaderMap) {
    clean_request(trailers);
    for name in [X_HF_AUTHORIZATION, TRACEPARENT, TRACESTATE] {
        trailers.remove(name);
    }
    remove_head_fields(trailers);
}

/// The same for a Space's response.
pub(super) fn clean_response_trailers(trailers: &mut HeaderMap) {
    clean_response(trailers, "");
    remove_head_fields(trailers);
}

/// Fields that frame, address or authorize a message, or set state: they mean nothing after it (RFC 9110, 6.5.1).
fn remove_head_fields(trailers: &mut HeaderMap) {
    for name in [
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::CONTENT_RANGE,
        header::AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::EXPECT,
        header::CACHE_CONTROL,
    ] {
        trailers.remove(name);
    }
}

/// The hub's token that a request carries, if any.
pub(super) fn hub_token(headers: &HeaderMap) -> Option<String> {
    if let Some(token) = headers.get(X_HF_AUTHORIZATION).and_then(bearer) {
        return Some(token.to_owned());
    }
    headers.get(header::AUTHORIZATION).and_then(bearer).filter(|token| is_ours(token)).map(str::to_owned)
}

/// Whether the visitor signs in to the app itself, so that what it answers is for that visitor.
pub(super) fn has_own_authorization(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| !bearer(value).is_some_and(is_ours))
}

/// Says who asks, from where, and under which id.
pub(super) fn set_forwarded(headers: &mut HeaderMap, visit: &Visit) {
    headers.insert(X_FORWARDED_FOR, visit.client_text.clone());
    headers.insert(X_REAL_IP, visit.client_text.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(visit.scheme.as_str()));
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if let Some(trace) = traceparent(headers, &visit.ledger.request_id) {
        headers.insert(TRACEPARENT, trace);
        // What others said of another trace.
        headers.remove(TRACESTATE);
    }
    headers.insert(X_REQUEST_ID, visit.ledger.request_id.clone());
}

/// Removes from a Space's response what is not for visitors. `host` is the Space's own host name.
pub(super) fn clean_response(headers: &mut HeaderMap, host: &str) {
    remove_named_by_connection(headers);
    remove_where(headers, |name| {
        is_hop_by_hop(name)
            || name.starts_with(OWN_PREFIX)
            // A date of our own is set; the guest's clock and a kept response's day are not the visitor's concern.
            || matches!(name, "date" | "x-request-id" | "x-sendfile" | "cdn-cache-control")
    });
    if let Entry::Occupied(cookies) = headers.entry(header::SET_COOKIE) {
        let cookies: Vec<HeaderValue> = cookies.remove_entry_mult().1.collect();
        for cookie in cookies.iter().filter_map(|cookie| narrow_cookie(cookie, host)) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

/// Lets nobody but the visitor's own browser keep the answer of a private Space: a shared cache in front of this host does
/// not ask who the next visitor is.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    // What is addressed to shared caches alone (RFC 9213, and what was there before it).
    remove_where(headers, |name| name.ends_with("cdn-cache-control") || name == "surrogate-control");
    let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let is_for_all = |directive: &str| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        // `private` may name single headers, and then says nothing of the rest.
        ["public", "private", "s-maxage"].iter().any(|word| name.eq_ignore_ascii_case(word))
    };
    let kept = lines.flat_map(directives).filter(|directive| !directive.is_empty() && !is_for_all(directive));
    let text = std::iter::once("private").chain(kept).collect::<Vec<_>>().join(", ");
    headers.insert(header::CACHE_CONTROL, HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("private")));
}

/// The parts of a list that commas separate, but for commas within quotes.
fn directives(list: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = list.split(move |c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    parts.map(str::trim)
}

/// A guest's cookie as it may be set: for the Space's own host only, since a cookie for a parent domain would reach every
/// other Space; and under no name of ours.
fn narrow_cookie(cookie: &HeaderValue, host: &str) -> Option<HeaderValue> {
    let text = cookie.as_bytes();
    let name = text.split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
    if is_platform_cookie(name) {
        return None;
    }
    let is_foreign = |attribute: &[u8]| {
        let mut parts = attribute.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
        let is_domain = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"domain"));
        let is_own = |value: &[u8]| value.strip_prefix(b".").unwrap_or(value).eq_ignore_ascii_case(host.as_bytes());
        is_domain && parts.next().is_some_and(|value| !is_own(value))
    };
    if !text.split(is_semicolon).skip(1).any(is_foreign) {
        return Some(cookie.clone());
    }
    let parts = text.split(is_semicolon).enumerate();
    let kept: Vec<&[u8]> =
        parts.filter(|(place, part)| *place == 0 || !is_foreign(part)).map(|(_, part)| part).collect();
    HeaderValue::from_bytes(&kept.join(&b';')).ok()
}

fn is_semicolon(byte: &u8) -> bool {
    *byte == b';'
}

fn is_platform_pair(pair: &[u8]) -> bool {
    is_platform_cookie(pair.split(|byte| *byte == b'=').next().unwrap_or_default())
}

fn is_platform_cookie(name: &[u8]) -> bool {
    let has_prefix = |name: &[u8], prefix: &str| {
        name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let name = name.trim_ascii();
    let prefix =
        ["__host-", "__secure-"].iter().find(|prefix| has_prefix(name, prefix)).map_or(0, |prefix| prefix.len());
    has_prefix(&name[prefix..], COOKIE_PREFIX)
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    strip_prefix_ignore_case(value.to_str().ok()?, "bearer ").map(str::trim)
}

fn is_ours(token: &str) -> bool {
    token.starts_with(TOKEN_PREFIX)
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Removes every header that `Connection` names, except those that frame and address the message itself.
fn remove_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let names: Vec<HeaderName> =
        names.filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH).collect();
    for name in names {
        headers.remove(name);
    }
}

fn remove_where(headers: &mut HeaderMap, is_doomed: impl Fn(&str) -> bool) {
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| is_doomed(name.as_str())).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
