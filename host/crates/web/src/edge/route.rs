//! From a request line and its headers to whom it is for. Nothing but the host name decides.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::Arc;

use http::{HeaderMap, Method, Uri, header};
use spaceport_control::routes::{RouteSlot, RouteTable};

use super::refusal::Refusal;

/// Whom a request is for.
pub(super) enum Destination {
    /// The hub: API, pages, git.
    Hub,
    /// A Space.
    Space(Arc<RouteSlot>),
}

/// A host name (lower case, without the root's dot) and what stood behind its colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// The name or address.
    pub(super) host: Cow<'a, str>,
    /// The port's digits, empty without a port.
    pub(super) port: &'a str,
}

/// The host names that are the platform's own.
pub(super) struct Hosts {
    hub: String,
    spaces: String,
}

impl Hosts {
    /// From the configured domains, which may name ports.
    pub(super) fn new(domain: &str, spaces_domain: &str) -> Self {
        let host = |text: &str| match Authority::parse(text) {
            Some(authority) => authority.host.into_owned(),
            None => text.to_ascii_lowercase(),
        };
        Self { hub: host(domain), spaces: host(spaces_domain) }
    }

    /// Looks up who answers at `host`. A name beneath the Spaces' domain that is not in the table is *not found*; a name
    /// that is nobody's here is *misdirected*, so that a foreign name which resolves to us cannot reach the hub.
    pub(super) fn destination(&self, host: &str, routes: &RouteTable) -> Result<Destination, Refusal> {
        if host == self.hub {
            return Ok(Destination::Hub);
        }
        if let Some(slot) = routes.slot(host) {
            return Ok(Destination::Space(slot));
        }
        if is_beneath(host, &self.spaces) || is_beneath(host, &self.hub) || host == self.spaces {
            return Err(Refusal::NotFound);
        }
        // Somebody on the machine itself, or a health check by address.
        if host == "localhost" || host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
            return Ok(Destination::Hub);
        }
        Err(Refusal::Misdirected)
    }
}

fn is_beneath(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|label| label.ends_with('.'))
}

impl<'a> Authority<'a> {
    /// Reads `host[:port]`. Anything that two readers could take for different hosts is refused: user info, empty names,
    /// other characters than those of names and addresses.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (&text[..address.len() + 2], if rest.is_empty() { "" } else { rest.strip_prefix(':')? })
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        if port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u32>().unwrap_or(0) > 65_535 {
            return None;
        }
        if host.starts_with('[') {
            return Some(Self { host: Cow::Owned(host.to_ascii_lowercase()), port });
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(is_name) || host.starts_with('.') {
            return None;
        }
        let host = if host.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        Some(Self { host, port })
    }

    /// Of a request: exactly one host, said once or twice in the same words.
    pub(super) fn of_request(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(Refusal::BadHost("more than one Host header"));
        }
        let host = match host {
            Some(value) => {
                Some(value.to_str().ok().and_then(Self::parse).ok_or(Refusal::BadHost("no valid Host header"))?)
            }
            None => None,
        };
        match (uri.authority(), host) {
            (None, Some(host)) => Ok(host),
            (None, None) => Err(Refusal::BadHost("no Host header")),
            (Some(authority), host) => {
                let named =
                    Self::parse(authority.as_str()).ok_or(Refusal::BadHost("no valid host in the request line"))?;
                match host {
                    Some(host) if host != named => {
                        Err(Refusal::BadHost("the request line and Host name different hosts"))
                    }
                    _ => Ok(named),
                }
            }
        }
    }
}

/// Refuses what no Space and no page can mean: tunnels, echoes of credentials, targets that are not a path.
pub(super) fn check_target(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Refusal::BadRequest("CONNECT and TRACE are not offered"));
    }
    if !uri.path().starts_with('/') {
        return Err(Refusal::BadRequest("the request's target must be a path"));
    }
    Ok(())
}

/// Refuses what other readers may see framed otherwise: whatever ends in `chunked` is that for hyper, also when it is
/// said twice. Proxies in front of us may not agree on where such a body ends.
pub(super) fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::BadRequest("the only transfer encoding is chunked, once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, &str)> {
        Authority::parse(text).map(|authority| (authority.host.into_owned(), authority.port))
    }

    #[test]
    fn hosts_are_read_with_and_without_port() {
        assert_eq!(parse("Ada-Hello.LOCALHOST:7860"), Some(("ada-hello.localhost".into(), "7860")));
        assert_eq!(parse("localhost."), Some(("localhost".into(), "")));
        assert_eq!(parse("[::1]:80"), Some(("[::1]".into(), "80")));
        assert_eq!(parse("127.0.0.1"), Some(("127.0.0.1".into(), "")));
    }

    #[test]
    fn a_body_is_chunked_once_or_not_at_all() {
        let check = |values: &[&'static str]| {
            let pairs = values.iter().map(|value| (header::TRANSFER_ENCODING, http::HeaderValue::from_static(value)));
            check_framing(&pairs.collect())
        };
        assert!(check(&[]).is_ok() && check(&["chunked"]).is_ok() && check(&["CHUNKED"]).is_ok());
        let twice: [&[&'static str]; 4] = [&["chunked, chunked"], &["chunked", "chunked"], &["gzip, chunked"], &[""]];
        for encodings in twice {
            assert!(matches!(check(encodings), Err(Refusal::BadRequest(_))), "{encodings:?}");
        }
    }

    #[test]
    fn ambiguous_hosts_are_refused() {
        for text in [
            "", ":80", "a b", "a@b", "a/b", "a:b", "a:1:2", "a:99999", "[::1", "[::1]x", "[a]", ".a", "a,b", "a\u{e4}",
            "a%2eb", "..",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn two_hosts_in_one_request_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append("host", "a.localhost".parse().unwrap());
        let origin: Uri = "/".parse().unwrap();
        assert!(Authority::of_request(&origin, &headers).is_ok());
        let other: Uri = "http://b.localhost/".parse().unwrap();
        assert!(matches!(Authority::of_request(&other, &headers), Err(Refusal::BadHost(_))));
        let same: Uri = "http://A.localhost/".parse().unwrap();
        assert!(Authority::of_request(&same, &headers).is_ok());
        headers.append("host", "a.localhost".parse().unwrap());
        assert!(matches!(Authority::of_request(&origin, &headers), Err(Refusal::BadHost(_))));
    }

    #[test]
    fn only_our_own_names_and_bare_addresses_reach_the_hub() {
        let hosts = Hosts::new("spaces.example:8080", "apps.example");
        let routes = RouteTable::default();
        let find = |host: &str| match hosts.destination(host, &routes) {
            Ok(Destination::Hub) => "hub",
            Ok(Destination::Space(_)) => "space",
            Err(refusal) => refusal.code(),
        };
        for (host, found) in [
            ("spaces.example", "hub"),
            ("localhost", "hub"),
            ("127.0.0.1", "hub"),
            ("[::1]", "hub"),
            ("x.apps.example", "not_found"),
            ("apps.example", "not_found"),
            ("x.spaces.example", "not_found"),
            ("evilspaces.example", "misdirected"),
            ("evil.example", "misdirected"),
        ] {
            assert_eq!(find(host), found, "{host}");
        }
    }
}
