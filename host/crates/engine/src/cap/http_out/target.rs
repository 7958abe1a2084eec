//! Where a request wants to go, read strictly from its URL.
//!
//! A host is brought into one spelling first (IDNA, and the numeric forms that resolvers take for an address), so that
//! the policy, the name server, TLS and the `Host` header all mean the same thing.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use spaceport_core::egress::EgressDenied;
use wasmtime_wasi_http::Error;

/// The origin of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) tls: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// A host in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Host {
    /// A name in lower case and punycode, without a dot at its end.
    Name(String),
    /// An address, however it was written.
    Address(IpAddr),
}

/// Why a URL is not even checked against the policy.
#[derive(Debug)]
pub(super) enum BadTarget {
    /// It is no URL of a request.
    Invalid,
    /// It is one that is never sent.
    Denied(EgressDenied),
}

impl Target {
    pub(super) fn parse(uri: &Uri) -> Result<Self, BadTarget> {
        let scheme = uri.scheme().ok_or(BadTarget::Invalid)?;
        let tls = match scheme {
            scheme if *scheme == Scheme::HTTP => false,
            scheme if *scheme == Scheme::HTTPS => true,
            other => return Err(BadTarget::Denied(EgressDenied::Scheme(other.to_string()))),
        };
        let authority = uri.authority().ok_or(BadTarget::Invalid)?.as_str();
        if authority.contains('@') {
            // Without what stands before it: that may be a password.
            let host = authority.rsplit('@').next().unwrap_or_default();
            return Err(BadTarget::Denied(EgressDenied::Authority(host.to_owned())));
        }
        let (host, port) = split(authority).ok_or(BadTarget::Invalid)?;
        let host = Host::parse(host).ok_or_else(|| BadTarget::Denied(EgressDenied::Authority(authority.to_owned())))?;
        Ok(Self { tls, host, port: port.unwrap_or(if tls { 443 } else { 80 }) })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// What the `Host` header says: the port only where it is not the scheme's own.
    pub(super) fn authority(&self) -> String {
        match (self.tls, self.port) {
            (false, 80) | (true, 443) => self.host.text(),
            (_, port) => format!("{}:{port}", self.host.text()),
        }
    }

    /// Whom the certificate must be made out to.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, Error> {
        match &self.host {
            Host::Address(address) => Ok(ServerName::from(*address)),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        }
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        match url::Host::parse(text).ok()? {
            url::Host::Ipv4(address) => Some(Self::Address(address.into())),
            url::Host::Ipv6(address) => Some(Self::Address(address.into())),
            url::Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(&name);
                (!name.is_empty()).then(|| Self::Name(name.to_owned()))
            }
        }
    }

    /// As it stands in a URL.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(IpAddr::V4(address)) => address.to_string(),
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
        }
    }
}

/// Host and port of an authority. A port that is no number is an error, not a missing one.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        None => rest.is_empty().then_some((host, None)),
        Some("") => Some((host, None)),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some((host, Some(port.parse().ok()?))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Target, BadTarget> {
        Target::parse(&text.parse::<Uri>().unwrap())
    }

    #[test]
    fn every_spelling_of_an_address_is_read_as_that_address() {
        for text in ["127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1."] {
            let target = target(&format!("http://{text}/")).unwrap();
            assert_eq!(target.host, Host::Address("127.0.0.1".parse().unwrap()), "{text}");
        }
        let target = target("http://[::ffff:7f00:1]:8080/").unwrap();
        assert_eq!(target.authority(), "[::ffff:127.0.0.1]:8080");
    }

    #[test]
    fn a_name_has_one_spelling() {
        for text in ["https://Example.ORG/", "https://example.org./", "https://example.org:443/"] {
            let target = target(text).unwrap();
            assert_eq!(target.host, Host::Name("example.org".into()), "{text}");
            assert_eq!((target.authority().as_str(), target.port), ("example.org", 443));
        }
        assert_eq!(target("http://example.org:8080/x").unwrap().authority(), "example.org:8080");
    }

    #[test]
    fn a_port_that_is_no_number_is_not_the_default_one() {
        for text in ["example.org:99999", "example.org:+80", "example.org:80:80", "[::1]80", "[::1]:x"] {
            assert_eq!(split(text), None, "{text}");
        }
        assert_eq!(split("example.org:"), Some(("example.org", None)));
    }

    #[test]
    fn a_url_with_a_password_is_refused_and_the_password_is_not_repeated() {
        let Err(BadTarget::Denied(denied)) = target("http://user:secret@example.org/") else { panic!("not denied") };
        assert_eq!(denied, EgressDenied::Authority("example.org".into()));
    }
}
