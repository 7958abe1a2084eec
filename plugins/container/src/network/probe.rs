//! The probe: before anything of anybody's runs, what must fail is tried from inside two containers on the very network that
//! Spaces get, and what was expected is not taken for granted.
//!
//! That a connection comes to nothing proves little: perhaps nobody is there. So each attempt has to have been refused *by
//! the fence*, which keeps a ledger of what it refuses to the prober; and where something does listen (this host, the
//! other container) it has been seen to listen. An attempt that is neither refused nor without any route is a hole.

mod inside;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::nft::{Refused, key};
use super::policy::{Policy, Traffic};

#[cfg(test)]
pub(super) use inside::try_here;
pub use inside::{INSIDE, inside};
pub(super) use inside::{Listener, try_from_inside, with_route};

/// Public addresses of nobody in particular: the servers that exist to sink misdirected questions (AS112). Nothing is to
/// reach them, and if something does, it is what they are for.
const PUBLIC: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 175, 48, 1)), IpAddr::V6(Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 1))];

/// Ranges inside somebody's network, with a word for people and the address that is tried in each.
const INNER: [(&str, &str, &str); 9] = [
    ("a private address", "10.0.0.0/8", "10.255.255.1"),
    ("a private address", "172.16.0.0/12", "172.31.255.1"),
    ("a private address", "192.168.0.0/16", "192.168.255.1"),
    ("an address of a carrier's inside", "100.64.0.0/10", "100.127.255.1"),
    ("the metadata service of a cloud", "169.254.169.254/32", "169.254.169.254"),
    ("an address for benchmarks", "198.18.0.0/15", "198.19.255.1"),
    ("a private address", "fc00::/7", "fdff:ffff::1"),
    ("the metadata service of a cloud", "fd00:ec2::254/128", "fd00:ec2::254"),
    ("an address behind 6to4", "2002::/16", "2002:a00:1::1"),
];

/// What is tried at a public address and must fail, with a word for people.
const SHUT: [(&str, Traffic); 6] = [
    ("mail to the outside", Traffic::Tcp(25)),
    ("SSH to the outside", Traffic::Tcp(22)),
    ("a high port outside", Traffic::Tcp(8443)),
    ("DNS over TCP to the outside", Traffic::Tcp(53)),
    ("DNS to the outside", Traffic::Udp(53)),
    ("QUIC to the outside", Traffic::Udp(443)),
];

/// Into how many parts a range is divided to find an address that is not the network's own, as a power of two.
const PARTS: u8 = 3;

/// What is tried at this host beside the ports that do listen: what often listens there, the engine among it.
const AT_HOST: [Traffic; 5] =
    [Traffic::Tcp(22), Traffic::Tcp(80), Traffic::Tcp(2375), Traffic::Tcp(7860), Traffic::Udp(53)];

/// One thing to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    /// What it is, in words.
    pub(super) what: String,
    /// Where to.
    pub(super) to: IpAddr,
    /// What.
    pub(super) traffic: Traffic,
    /// Whether something is known to listen there, so that not to reach it proves enough.
    pub(super) listens: bool,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Something answered.
    Reached,
    /// It failed at once: by a word of the fence's or of whoever is there.
    Failed,
    /// Nothing came back.
    Silent,
    /// It could not even be sent: there is no such network in the container.
    NoRoute,
}

/// Where the probe stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Addresses of this host: gateways of the bridge and those that it is reached by from elsewhere.
    pub(super) host: Vec<IpAddr>,
    /// Ports on which this host listens for the probe's sake.
    pub(super) host_ports: Vec<u16>,
    /// Addresses of the other container.
    pub(super) peer: Vec<IpAddr>,
    /// Ports on which it listens.
    pub(super) peer_ports: Vec<u16>,
    /// The network's own addresses: what is sent there never leaves the bridge, so that no rule is asked.
    pub(super) on_link: Vec<IpNet>,
}

/// Everything that must fail under this policy from this place.
pub(super) fn attempts(policy: &Policy, place: &Place) -> Vec<Attempt> {
    let mut found = Vec::new();
    let mut tell = |what: &str, to: IpAddr, traffic: Traffic, listens: bool| {
        found.push(Attempt { what: what.to_owned(), to, traffic, listens });
    };
    for (what, to) in INNER.into_iter().filter_map(|(what, range, to)| Some((what, within(range, to, &place.on_link)?)))
    {
        for traffic in [Traffic::Tcp(80), Traffic::Tcp(443), Traffic::Udp(53)] {
            if !policy.permits(to, traffic) {
                tell(what, to, traffic, false);
            }
        }
    }
    for (to, (what, traffic)) in PUBLIC.into_iter().flat_map(|to| SHUT.map(|shut| (to, shut))) {
        if !policy.permits(to, traffic) {
            tell(what, to, traffic, false);
        }
    }
    for to in &place.host {
        AT_HOST.iter().for_each(|traffic| tell("this host", *to, *traffic, false));
        place.host_ports.iter().for_each(|port| tell("a port of this host", *to, Traffic::Tcp(*port), false));
    }
    for to in &place.peer {
        place.peer_ports.iter().for_each(|port| tell("another Space", *to, Traffic::Tcp(*port), true));
    }
    let mut seen = HashSet::new();
    found.retain(|attempt| seen.insert((attempt.to, key(attempt.traffic))));
    found
}

/// The address to try in a range: the given one, or another where the network itself has that. `None` if it has them all.
fn within(range: &str, to: &str, on_link: &[IpNet]) -> Option<IpAddr> {
    let (range, to): (IpNet, IpAddr) = (range.parse().ok()?, to.parse().ok()?);
    // Addresses all over the range: a network within it, however large, is in one of these parts.
    let most = range.max_prefix_len().min(range.prefix_len().saturating_add(PARTS));
    let parts = range.subnets(most).ok()?.map(last);
    let is_beyond = |to: &IpAddr| !on_link.iter().any(|net| net.contains(to));
    std::iter::once(to).chain(parts).find(is_beyond)
}

/// The last address of a part that an interface can have.
fn last(part: IpNet) -> IpAddr {
    match part {
        IpNet::V4(part) => part.hosts().next_back().unwrap_or(part.network()).into(),
        IpNet::V6(part) => part.broadcast().into(),
    }
}

/// The holes: each attempt that got through, or of which nobody knows why it did not.
pub(super) fn holes(attempts: &[Attempt], outcomes: &[Outcome], refused: &Refused) -> Vec<String> {
    let mut holes = Vec::new();
    for (position, attempt) in attempts.iter().enumerate() {
        let is_refused = refused.contains(&(attempt.to, key(attempt.traffic)));
        let why = match outcomes.get(position) {
            Some(Outcome::Reached) => "was reached",
            Some(Outcome::NoRoute) => continue,
            Some(Outcome::Failed | Outcome::Silent) if is_refused || attempt.listens => continue,
            Some(Outcome::Failed | Outcome::Silent) => "was not refused by the rules",
            None => "was not tried",
        };
        let (protocol, port) = match attempt.traffic {
            Traffic::Tcp(port) => ("TCP", port),
            Traffic::Udp(port) => ("UDP", port),
        };
        holes.push(format!("{} ({}, {protocol} port {port}) {why}", attempt.what, attempt.to));
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy { ports: vec![80, 443, 8080], allow: vec!["10.0.0.0/8".parse().unwrap()], resolvers: vec![] }
    }

    fn place() -> Place {
        Place {
            host: vec!["172.18.0.1".parse().unwrap()],
            host_ports: vec![40000],
            peer: vec!["172.18.0.3".parse().unwrap()],
            peer_ports: vec![80],
            on_link: vec!["172.18.0.0/16".parse().unwrap()],
        }
    }

    #[test]
    fn every_range_is_tried_beyond_the_networks_own_addresses() {
        let tried = |own: &str, range: &str| -> Vec<IpAddr> {
            let place = Place { on_link: vec![own.parse().unwrap()], ..place() };
            let (own, range): (IpNet, IpNet) = (own.parse().unwrap(), range.parse().unwrap());
            let attempts = attempts(&Policy { allow: vec![], ..policy() }, &place);
            let inside: Vec<IpAddr> =
                attempts.iter().map(|attempt| attempt.to).filter(|to| range.contains(to)).collect();
            assert!(inside.iter().all(|to| !own.contains(to) || place.peer.contains(to)), "{own}: {inside:?}");
            inside
        };
        for (own, range) in [
            ("192.168.240.0/20", "192.168.0.0/16"),
            ("192.168.128.0/17", "192.168.0.0/16"),
            ("172.31.0.0/16", "172.16.0.0/12"),
            ("10.0.0.0/9", "10.0.0.0/8"),
            ("10.128.0.0/9", "10.0.0.0/8"),
            ("100.127.255.0/24", "100.64.0.0/10"),
            ("fdff:ffff::/64", "fc00::/7"),
            ("172.18.0.0/16", "192.168.0.0/16"),
        ] {
            assert!(tried(own, range).len() >= 3, "{own} in {range}");
        }
        // One that has the whole range, or the very address: there is nothing beyond it to try.
        assert!(tried("10.0.0.0/8", "10.0.0.0/8").is_empty());
        assert!(tried("169.254.0.0/16", "169.254.0.0/16").is_empty());
    }

    #[test]
    fn only_what_must_fail_is_tried() {
        let found = attempts(&policy(), &place());
        let inside: IpAddr = "10.255.255.1".parse().unwrap();
        let at = |to: IpAddr| found.iter().filter(move |attempt| attempt.to == to).map(|attempt| attempt.traffic);
        assert_eq!(at(inside).collect::<Vec<_>>(), [Traffic::Udp(53)], "what the operator allows is not tried");
        assert!(at("169.254.169.254".parse().unwrap()).any(|traffic| traffic == Traffic::Tcp(80)));
        assert!(at("172.18.0.1".parse().unwrap()).any(|traffic| traffic == Traffic::Tcp(40000)));
        assert!(at(PUBLIC[0]).any(|traffic| traffic == Traffic::Udp(53)));
        assert!(found.iter().any(|attempt| attempt.listens && attempt.to == place().peer[0]));
        let mut keys: Vec<_> = found.iter().map(|attempt| (attempt.to, key(attempt.traffic))).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "nothing is tried twice");
    }

    #[test]
    fn a_hole_is_what_got_through_and_what_nobody_refused() {
        let attempt = |what: &str, to: &str, traffic, listens| Attempt {
            what: what.into(),
            to: to.parse().unwrap(),
            traffic,
            listens,
        };
        let attempts = [
            attempt("reached", "10.0.0.1", Traffic::Tcp(80), false),
            attempt("refused", "10.0.0.2", Traffic::Tcp(80), false),
            attempt("silent", "10.0.0.3", Traffic::Udp(53), false),
            attempt("no route", "fd00::1", Traffic::Tcp(80), false),
            attempt("other", "172.18.0.3", Traffic::Tcp(80), true),
            attempt("untried", "10.0.0.4", Traffic::Tcp(80), false),
        ];
        let outcomes = [Outcome::Reached, Outcome::Failed, Outcome::Silent, Outcome::NoRoute, Outcome::Silent];
        let refused = Refused::from([(attempts[1].to, key(attempts[1].traffic))]);
        assert_eq!(
            holes(&attempts, &outcomes, &refused),
            [
                "reached (10.0.0.1, TCP port 80) was reached",
                "silent (10.0.0.3, UDP port 53) was not refused by the rules",
                "untried (10.0.0.4, TCP port 80) was not tried",
            ]
        );
        let even_refused = Refused::from([(attempts[0].to, key(attempts[0].traffic))]);
        assert_eq!(holes(&attempts[..1], &[Outcome::Reached], &even_refused).len(), 1, "reached is reached");
    }
}
