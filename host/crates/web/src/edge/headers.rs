//! What may cross the edge, in either direction.
//!
//! Towards a Space: nothing that is about the connection (RFC 9110, 7.6.1), nothing that claims to be from us, nothing that
//! proves who the visitor is to the hub. Towards the visitor: nothing that is about the guest's connection or drives this
//! host, and no cookie for any host but the Space's own.

use http::header::{self, Entry, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::context::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REAL_IP, X_REQUEST_ID, traceparent};
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
    let is_platform_pair = |pair: &str| is_platform_cookie(pair.split('=').next().unwrap_or_default());
    let is_tainted = |value: &HeaderValue| value.to_str().map_or(true, |text| text.split(';').any(is_platform_pair));
    // One header towards the guest, where h2 may have split it (RFC 9113, 8.2.3).
    let is_split = headers.get_all(header::COOKIE).iter().nth(1).is_some();
    if is_split || headers.get_all(header::COOKIE).iter().any(is_tainted) {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let kept: Vec<&str> =
            lines.flat_map(|line| line.split(';')).map(str::trim).filter(|pair| !is_platform_pair(pair)).collect();
        let kept = HeaderValue::try_from(kept.join("; ")).ok().filter(|kept| !kept.is_empty());
        headers.remove(header::COOKIE);
        if let Some(kept) = kept {
            headers.insert(header::COOKIE, kept);
        }
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
        headers.insert(super::context::TRACEPARENT, trace);
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

/// A guest's cookie as it may be set: for the Space's own host only, since a cookie for a parent domain would reach every
/// other Space; and under no name of ours.
fn narrow_cookie(cookie: &HeaderValue, host: &str) -> Option<HeaderValue> {
    let text = cookie.to_str().ok()?;
    let name = text.split(['=', ';']).next().unwrap_or_default();
    if is_platform_cookie(name) {
        return None;
    }
    let is_foreign = |attribute: &str| match attribute.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("domain") => {
            !value.trim().trim_start_matches('.').eq_ignore_ascii_case(host)
        }
        _ => false,
    };
    if !text.split(';').skip(1).any(is_foreign) {
        return Some(cookie.clone());
    }
    let kept: Vec<&str> = text
        .split(';')
        .enumerate()
        .filter(|(place, part)| *place == 0 || !is_foreign(part))
        .map(|(_, part)| part)
        .collect();
    HeaderValue::try_from(kept.join(";")).ok()
}

fn is_platform_cookie(name: &str) -> bool {
    let name = name.trim();
    let name =
        ["__host-", "__secure-"].iter().find_map(|prefix| strip_prefix_ignore_case(name, prefix)).unwrap_or(name);
    strip_prefix_ignore_case(name, COOKIE_PREFIX).is_some()
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
