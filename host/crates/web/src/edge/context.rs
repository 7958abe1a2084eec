//! Who asks, and under which id: what is known of a request before it is known whom it is for.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, header::HeaderName};
use ipnet::IpNet;

/// W3C trace context, passed on or begun here.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What the systems on a trace's way add to it.
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The request's id towards guest and visitor.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The chain of clients, rebuilt here.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme the visitor used.
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host the visitor asked for.
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The visitor's address alone.
pub(super) const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What the hub's handlers may ask about the request they answer; found in its extensions.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The request's id, as the visitor sees it in `x-request-id`.
    pub request_id: HeaderValue,
    /// The visitor's address: the peer's, or what a trusted proxy says.
    pub client_ip: IpAddr,
    /// How the visitor reached us.
    pub scheme: Scheme,
}

/// How a visitor reaches this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Through TLS, here or at a proxy in front.
    Https,
}

impl Scheme {
    /// The scheme as URLs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The address and scheme of the visitor behind `peer`. Headers are believed from trusted proxies alone: of the chain, the
/// last address that is not itself a trusted proxy, since everything before it is what the visitor wrote.
pub(super) fn visitor(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], public: Scheme) -> (IpAddr, Scheme) {
    if !is_trusted(peer, trusted) {
        return (peer, public);
    }
    let mut client = peer;
    let chain = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = chain.flat_map(|value| value.split(',')).map(str::trim).collect();
    for address in chain.iter().rev() {
        let Some(address) = parse_address(address) else { break };
        client = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    let scheme = match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
        Some(b"https") => Scheme::Https,
        Some(b"http") => Scheme::Http,
        _ => public,
    };
    (client, scheme)
}

/// Whether `address` is one of the operator's proxies.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    !trusted.is_empty() && trusted.iter().any(|net| net.contains(&address))
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()).map(|ip: IpAddr| ip.to_canonical())
}

/// A fresh id: 128 random bits in hexadecimal, so that it may serve as a trace id as well.
pub(super) fn new_request_id() -> HeaderValue {
    let mut text = [0; 32];
    write_hex(&rand::random::<[u8; 16]>(), &mut text);
    HeaderValue::from_bytes(&text).expect("hexadecimal digits are a header value")
}

/// Where a `traceparent` holds the trace's id.
pub(super) const TRACE_ID: std::ops::Range<usize> = 3..35;

/// The visitor's `traceparent`, if there is exactly one and it is valid.
pub(super) fn given_traceparent(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    match (given.next(), given.next()) {
        (Some(value), None) => Some(value).filter(|value| is_traceparent(value.as_bytes())),
        _ => None,
    }
}

/// The `traceparent` to pass on in place of the visitor's, unless that is one: a new trace that bears the request's id.
pub(super) fn traceparent(headers: &HeaderMap, request_id: &HeaderValue) -> Option<HeaderValue> {
    if given_traceparent(headers).is_some() {
        return None;
    }
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    text[TRACE_ID].copy_from_slice(request_id.as_bytes().get(..32)?);
    // An all-zero parent id is invalid; the lowest bit is set for that one case in 2^64.
    let span = (rand::random::<u64>() | 1).to_be_bytes();
    write_hex(&span, &mut text[36..52]);
    HeaderValue::from_bytes(&text).ok()
}

/// Version 00 or a later one that begins alike, with neither id all zeros.
fn is_traceparent(value: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    value.len() >= 55
        && (value.len() == 55 || (&value[..2] != b"00" && value[55] == b'-'))
        && value[2] == b'-'
        && value[35] == b'-'
        && value[52] == b'-'
        && is_hex(&value[..2])
        && &value[..2] != b"ff"
        && is_hex(&value[TRACE_ID])
        && value[TRACE_ID].iter().any(|b| *b != b'0')
        && is_hex(&value[36..52])
        && value[36..52].iter().any(|b| *b != b'0')
        && is_hex(&value[53..55])
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn forwarded_headers_are_believed_from_trusted_peers_only() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let sent = headers(&[
            ("x-forwarded-for", "1.1.1.1, 2.2.2.2"),
            ("x-forwarded-for", "10.0.0.9"),
            ("x-forwarded-proto", "https"),
        ]);
        let stranger: IpAddr = "203.0.113.5".parse().unwrap();
        assert_eq!(visitor(stranger, &sent, &trusted, Scheme::Http), (stranger, Scheme::Http));
        let proxy: IpAddr = "10.1.1.1".parse().unwrap();
        assert_eq!(visitor(proxy, &sent, &trusted, Scheme::Http), ("2.2.2.2".parse().unwrap(), Scheme::Https));
    }

    #[test]
    fn addresses_are_read_with_ports_and_brackets() {
        for (text, ip) in [
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4:80", "1.2.3.4"),
            ("[::1]:80", "::1"),
            ("[::1]", "::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(parse_address(text), Some(ip.parse().unwrap()), "{text}");
        }
        assert_eq!(parse_address("unknown"), None);
    }

    #[test]
    fn a_valid_trace_is_passed_on_and_anything_else_replaced() {
        let id = new_request_id();
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&headers(&[("traceparent", valid)]), &id), None);
        for bad in [
            "",
            "00-x",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            let made = traceparent(&headers(&[("traceparent", bad)]), &id).unwrap();
            assert!(is_traceparent(made.as_bytes()), "{made:?}");
            assert_eq!(&made.as_bytes()[3..35], id.as_bytes());
        }
    }
}
