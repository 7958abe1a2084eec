//! The network rule for whatever a Space runs: where a request may go, decided from the URL's parts first and from the
//! resolved address last, since only the address is what will really be connected to.
//!
//! Pure: resolving and connecting are the engine's work. What is checked at which moment:
//!
//! * [`EgressPolicy::check_request`], before anything is resolved: scheme, port, the README's list. A user name in the URL
//!   is refused since it makes `https://good.example@evil.example/` read as what it is not.
//! * [`EgressPolicy::check_address`], on every address a name resolved to, right before connecting to it: a public name
//!   may resolve to an address inside the network, and to another one the next time it is asked. Spellings such as
//!   `127.1` or `0x7f000001` need no rule of their own, since only addresses count.

mod address;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// The ports a Space may connect to, whatever else is allowed: HTTP, HTTPS and the customary alternative.
pub const ALLOWED_PORTS: [u16; 3] = [80, 443, 8080];

/// Where one Space may send requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EgressPolicy {
    /// The Space's own narrowing: `None` is any public address, an empty list is nowhere.
    pub rules: Option<Vec<EgressRule>>,
    /// Ranges the operator exempts from the private-address rule; the port rule stays on.
    pub operator_allow: Vec<IpNet>,
    /// Addresses of this host's own interfaces: a public one of them would lead back to ports of the host itself.
    pub own_addresses: Vec<IpAddr>,
}

/// One entry of `wasm.egress`: an origin, or a bare host for any scheme and allowed port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressRule {
    /// `http` or `https`; `None` for both.
    pub scheme: Option<String>,
    /// Lower-case host; a leading `*.` stands for one or more labels.
    pub host: String,
    /// Port; `None` for every allowed one.
    pub port: Option<u16>,
}

/// Which rule refused what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressDenied {
    /// The port is none of the three.
    Port {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
    },
    /// The scheme is neither `http` nor `https`.
    Scheme(String),
    /// The URL carries a user name or password, or has no host.
    Authority(String),
    /// `wasm.egress` does not list it.
    NotListed(String),
    /// The name resolves to addresses that are not public.
    Address {
        /// The host asked for.
        host: String,
        /// An address it resolved to.
        address: IpAddr,
    },
}

/// A text that is no entry of `wasm.egress`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no entry of wasm.egress: {reason}")]
pub struct InvalidRule {
    /// The text.
    pub text: String,
    /// What is wrong with it and what to write instead.
    pub reason: &'static str,
}

impl EgressRule {
    /// Parses `https://api.example.org`, `http://example.org:8080`, `example.org`, `*.example.org` or `example.org:443`.
    pub fn parse(text: &str) -> Result<Self, InvalidRule> {
        rule(text.trim()).map_err(|reason| InvalidRule { text: text.to_owned(), reason })
    }

    fn matches(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host_matches = match self.host.strip_prefix('*') {
            Some(suffix) => host.strip_suffix(suffix).is_some_and(|labels| !labels.is_empty()),
            None => host == self.host,
        };
        host_matches
            && self.scheme.as_ref().is_none_or(|wanted| wanted == scheme)
            && self.port.is_none_or(|wanted| wanted == port)
    }
}

fn rule(text: &str) -> Result<EgressRule, &'static str> {
    const NOT_AN_ORIGIN: &str = "write an origin without a path, such as https://api.example.org";
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    if scheme.as_ref().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err("only http:// and https:// can be reached");
    }
    let rest = if scheme.is_some() { rest.strip_suffix('/').unwrap_or(rest) } else { rest };
    if rest.contains(['/', '?', '#', '\\']) {
        return Err(NOT_AN_ORIGIN);
    }
    if rest.contains('@') {
        return Err("leave out the user name and password");
    }
    let (host, port) = split_port(rest).ok_or("its port is not a number")?;
    let default_port = scheme.as_ref().map(|scheme| if scheme == "https" { 443 } else { 80 });
    let port = port.or(default_port);
    if port.is_some_and(|port| !ALLOWED_PORTS.contains(&port)) {
        return Err("only ports 80, 443 and 8080 are open");
    }
    let host = match host.strip_prefix("*.") {
        Some(domain) => format!("*.{}", canonical_host(domain).filter(|host| is_domain(host)).ok_or(NOT_AN_ORIGIN)?),
        None if host == "*" => return Err("leave the whole key out to allow every public address"),
        None => canonical_host(host).ok_or(NOT_AN_ORIGIN)?,
    };
    Ok(EgressRule { scheme, host, port })
}

/// Splits `host:port`; the host may be an IPv6 address in brackets. `None` if what follows the colon is no port.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let after_brackets = text.rfind(']').map_or(0, |at| at + 1);
    match text.get(after_brackets..)?.find(':') {
        None => Some((text, None)),
        Some(colon) => {
            let (host, port) = text.split_at(after_brackets + colon);
            Some((host, Some(port.strip_prefix(':')?.parse().ok()?)))
        }
    }
}

/// A host in the one form that is compared: lower case, punycode, without the root's dot, addresses in plain notation.
fn canonical_host(text: &str) -> Option<String> {
    let host = url::Host::parse(text.strip_suffix('.').unwrap_or(text)).ok()?.to_string();
    if host.is_empty() || host.contains('*') { None } else { Some(host) }
}

fn is_domain(host: &str) -> bool {
    matches!(url::Host::parse(host), Ok(url::Host::Domain(_)))
}

impl EgressPolicy {
    /// Whether a request may be made at all, from the parts of its URL: before anything is resolved.
    pub fn check_request(&self, scheme: &str, host: &str, port: u16, has_userinfo: bool) -> Result<(), EgressDenied> {
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(EgressDenied::Scheme(scheme));
        }
        let authority = || EgressDenied::Authority(host.to_owned());
        let canonical = canonical_host(host).filter(|_| !has_userinfo).ok_or_else(authority)?;
        if !ALLOWED_PORTS.contains(&port) {
            return Err(EgressDenied::Port { host: canonical, port });
        }
        let is_listed =
            self.rules.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule.matches(&scheme, &canonical, port)));
        if !is_listed {
            return Err(EgressDenied::NotListed(format!("{scheme}://{canonical}:{port}")));
        }
        match url::Host::parse(&canonical) {
            Ok(url::Host::Ipv4(address)) => self.check_address(&canonical, address.into()),
            Ok(url::Host::Ipv6(address)) => self.check_address(&canonical, address.into()),
            _ => Ok(()),
        }
    }

    /// Whether an address that `host` resolved to may be connected to. What the operator allows comes before all else:
    /// a range inside the network, or one that an interface of this host is in.
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), EgressDenied> {
        let reached = address::reached(address);
        if self.operator_allow.iter().any(|range| range.contains(&address) || range.contains(&reached)) {
            return Ok(());
        }
        let is_own = self.own_addresses.iter().any(|own| *own == address || address::reached(*own) == reached);
        if is_own || !address::is_public(reached) {
            return Err(EgressDenied::Address { host: host.to_owned(), address });
        }
        Ok(())
    }
}

impl fmt::Display for EgressDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { host, port } => write!(f, "{host}:{port}: only ports 80, 443 and 8080 are open"),
            Self::Scheme(scheme) => write!(f, "{scheme}: only http and https are offered"),
            Self::Authority(text) => write!(f, "{text}: a request needs a host and no user name or password"),
            Self::NotListed(origin) => write!(f, "{origin}: not listed in the README's wasm.egress"),
            Self::Address { host, address } => write!(f, "{host}: {address} is not a public address"),
        }
    }
}

impl std::error::Error for EgressDenied {}
