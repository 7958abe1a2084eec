//! The rule itself, as plain values: which packet of a Space may go where. [`super::rules`] writes it for the kernel, the
//! probe derives from it what has to fail.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::ranges::{is_public, translated};

/// The port of name servers.
pub(super) const DNS: u16 = 53;

/// Name of a network interface: at most 15 bytes, and nothing that means something in a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface(String);

/// A text that names no network interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a network interface: 1 to 15 of a to z, A to Z, 0 to 9, . _ -")]
pub struct InvalidInterface(String);

impl FromStr for Interface {
    type Err = InvalidInterface;

    fn from_str(text: &str) -> Result<Self, InvalidInterface> {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let is_name = (1..=15).contains(&text.len()) && text.bytes().all(is_allowed) && text != "." && text != "..";
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidInterface(text.to_owned())) }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a packet is, as far as the rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// TCP to this port.
    Tcp(u16),
    /// UDP to this port.
    Udp(u16),
}

/// The rule for everything behind a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// The TCP ports that are open.
    pub(super) ports: Vec<u16>,
    /// Ranges the operator exempts from the private-address rule; the port rule stays on.
    pub(super) allow: Vec<IpNet>,
    /// The name servers that the engine asks on behalf of containers. It asks from inside their network, so the rule cannot tell
    /// it from them; nobody else is asked.
    pub(super) resolvers: Vec<IpAddr>,
}

impl Policy {
    /// Whether a Space or a build may send this beyond its bridge. To this host itself and to other Spaces it may send
    /// nothing, wherever they are.
    pub(super) fn permits(&self, to: IpAddr, traffic: Traffic) -> bool {
        match traffic {
            Traffic::Tcp(DNS) | Traffic::Udp(DNS) if self.resolvers.contains(&to) => true,
            Traffic::Tcp(port) => self.ports.contains(&port) && (self.is_allowed(to) || is_public(to)),
            Traffic::Udp(_) => false,
        }
    }

    /// The rule that lets through what each of several lets through, in a form that does not depend on their order. `None`
    /// without any. Name servers are the machine's, whoever asks.
    pub(super) fn of_all(policies: &[Self], resolvers: &[IpAddr]) -> Option<Self> {
        let plain = |policy: &Self| {
            let translated = policy.allow.iter().filter_map(|net| match net {
                IpNet::V4(net) => Some(IpNet::V6(translated(*net))),
                IpNet::V6(_) => None,
            });
            let allow = policy.allow.iter().copied().chain(translated).map(|net| net.trunc());
            (policy.ports.iter().copied().collect::<BTreeSet<_>>(), allow.collect::<BTreeSet<_>>())
        };
        let both = |(ports, allow): (BTreeSet<u16>, BTreeSet<IpNet>), (more_ports, more): (_, BTreeSet<IpNet>)| {
            let narrower = |one: &IpNet| more.iter().filter_map(|other| common(*one, *other)).collect::<Vec<_>>();
            (&ports & &more_ports, allow.iter().flat_map(narrower).collect())
        };
        let (ports, allow) = policies.iter().map(plain).reduce(both)?;
        let (ports, allow) = (ports.into_iter().collect(), allow.into_iter().collect());
        Some(Self { ports, allow, resolvers: resolvers.to_vec() })
    }

    /// The ranges that another rule allows and this one does not, or not whole.
    pub(super) fn allows_less_than<'a>(&self, other: &'a Self) -> Vec<&'a IpNet> {
        let is_whole = |net: &&IpNet| self.allow.iter().any(|own| own.contains(*net));
        other.allow.iter().filter(|net| !is_whole(net)).collect()
    }

    fn is_allowed(&self, to: IpAddr) -> bool {
        self.allow.iter().any(|range| match (range, to) {
            (IpNet::V4(range), IpAddr::V6(to)) => translated(*range).contains(&to),
            _ => range.contains(&to),
        })
    }
}

/// What lies in both of two ranges.
fn common(one: IpNet, other: IpNet) -> Option<IpNet> {
    if one.contains(&other) {
        Some(other)
    } else if other.contains(&one) {
        Some(one)
    } else {
        None
    }
}

/// What a file of name servers, such as `/etc/resolv.conf`, lists.
fn nameservers(file: &str) -> Vec<IpAddr> {
    let words = file.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| if words.first() == Some(&"nameserver") { words.get(1)?.parse().ok() } else { None })
        .collect()
}

/// Whom the engine asks if it finds nobody.
const FALLBACK: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
    IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844)),
];
/// Where a machine with systemd's resolver, and it alone in its `resolv.conf`, names those that it asks in turn.
const STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));

/// The name servers that the engine asks, by its own rules: those of its configuration, else those of the machine, behind
/// systemd's stub if that is all there is, without those on the loopback, which it asks from outside the containers.
pub(super) fn engine_resolvers(daemon_json: Option<&str>, resolv_conf: &str, behind_stub: Option<&str>) -> Vec<IpAddr> {
    let daemon: Option<serde_json::Value> = daemon_json.and_then(|text| serde_json::from_str(text).ok());
    let configured = daemon.as_ref().and_then(|daemon| daemon.get("dns")?.as_array());
    let configured = configured.into_iter().flatten().filter_map(|address| address.as_str()?.parse().ok());
    let mut found: Vec<IpAddr> = configured.collect();
    if found.is_empty() {
        found = nameservers(resolv_conf);
    }
    if found == [STUB] {
        found = nameservers(behind_stub.unwrap_or_default());
    }
    found.retain(|address| !address.is_loopback());
    if found.is_empty() { FALLBACK.to_vec() } else { found }
}

#[cfg(test)]
mod tests;
