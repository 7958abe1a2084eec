//! Rules by table, addresses also against an independent list of ranges.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn policy(rules: &[&str]) -> EgressPolicy {
    let rules = rules.iter().map(|text| EgressRule::parse(text).unwrap()).collect();
    EgressPolicy { rules: Some(rules), ..EgressPolicy::default() }
}

fn open() -> EgressPolicy {
    EgressPolicy::default()
}

#[test]
fn a_rule_is_an_origin_or_a_host() {
    let rule =
        |scheme: Option<&str>, host: &str, port| EgressRule { scheme: scheme.map(Into::into), host: host.into(), port };
    for (text, expected) in [
        ("https://api.example.org", rule(Some("https"), "api.example.org", Some(443))),
        ("HTTPS://API.Example.ORG/", rule(Some("https"), "api.example.org", Some(443))),
        ("http://example.org", rule(Some("http"), "example.org", Some(80))),
        ("http://example.org:8080", rule(Some("http"), "example.org", Some(8080))),
        ("example.org", rule(None, "example.org", None)),
        ("example.org.", rule(None, "example.org", None)),
        (" example.org:443 ", rule(None, "example.org", Some(443))),
        ("*.example.org", rule(None, "*.example.org", None)),
        ("https://*.example.org:8080", rule(Some("https"), "*.example.org", Some(8080))),
        ("bücher.example", rule(None, "xn--bcher-kva.example", None)),
        ("0x7f000001", rule(None, "127.0.0.1", None)),
        ("[2606:4700:0::1]:80", rule(None, "[2606:4700::1]", Some(80))),
    ] {
        assert_eq!(EgressRule::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_rule_is_refused_with_what_to_write() {
    for (text, word) in [
        ("", "origin"),
        ("*", "leave the whole key out"),
        ("*.", "origin"),
        ("*.1.2.3.4", "origin"),
        ("a*.example.org", "origin"),
        ("ftp://example.org", "http://"),
        ("https://example.org/path", "without a path"),
        ("example.org/", "without a path"),
        ("https://example.org?x", "without a path"),
        ("https://me@example.org", "user name"),
        ("example.org:22", "80, 443 and 8080"),
        ("https://example.org:x", "not a number"),
        ("https://example.org:", "not a number"),
        ("exa mple.org", "origin"),
        ("::1", "not a number"),
        ("https://", "origin"),
    ] {
        let error = EgressRule::parse(text).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn only_three_ports_and_two_schemes_are_open() {
    for port in [80, 443, 8080] {
        assert_eq!(open().check_request("https", "example.org", port, false), Ok(()));
    }
    for port in [0, 22, 25, 81, 444, 6379, 8081, 65535] {
        let denied = open().check_request("http", "example.org", port, false);
        assert_eq!(denied, Err(EgressDenied::Port { host: "example.org".into(), port }));
    }
    for scheme in ["ftp", "file", "ws", ""] {
        assert_eq!(open().check_request(scheme, "example.org", 80, false), Err(EgressDenied::Scheme(scheme.into())));
    }
    assert_eq!(open().check_request("HTTPS", "example.org", 443, false), Ok(()));
}

#[test]
fn a_request_needs_a_host_and_no_user_name() {
    for (host, has_userinfo) in [("", false), (".", false), ("exa mple", false), ("a@b", false), ("example.org", true)]
    {
        assert_eq!(
            open().check_request("http", host, 80, has_userinfo),
            Err(EgressDenied::Authority(host.into())),
            "{host}"
        );
    }
}

#[test]
fn a_literal_address_is_checked_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",
    ] {
        let denied = open().check_request("http", host, 80, false);
        assert!(matches!(denied, Err(EgressDenied::Address { .. })), "{host}: {denied:?}");
    }
    assert_eq!(open().check_request("http", "1.1.1.1", 80, false), Ok(()));
}

#[test]
fn a_list_narrows_to_what_it_names() {
    let listed = policy(&["https://api.example.org", "*.cdn.example", "plain.example"]);
    for (scheme, host, port, is_open) in [
        ("https", "api.example.org", 443, true),
        ("https", "API.example.org.", 443, true),
        ("http", "api.example.org", 80, false),
        ("https", "api.example.org", 8080, false),
        ("https", "example.org", 443, false),
        ("https", "x.api.example.org", 443, false),
        ("http", "a.cdn.example", 80, true),
        ("https", "a.b.cdn.example", 8080, true),
        ("https", "cdn.example", 443, false),
        ("https", "evilcdn.example", 443, false),
        ("http", "plain.example", 8080, true),
        ("http", "plain.example.evil", 80, false),
    ] {
        assert_eq!(listed.check_request(scheme, host, port, false).is_ok(), is_open, "{scheme}://{host}:{port}");
    }
    let none = policy(&[]);
    assert!(matches!(none.check_request("https", "example.org", 443, false), Err(EgressDenied::NotListed(_))));
    let inside = policy(&["127.0.0.1"]);
    assert!(inside.check_request("http", "127.0.0.1", 80, false).is_err(), "a list cannot open what is closed");
}

#[test]
fn every_range_that_is_not_public_is_denied() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:0808:0808::1",
        "3fff::1",
        "5f00::1",
        "4000::1",
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert!(open().check_address("x", address).is_err(), "{address}");
    }
}

#[test]
fn public_addresses_are_open() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "2001:200::1",
        "2a00::1",
        "3ffe::1",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(open().check_address("x", address), Ok(()), "{address}");
    }
}

#[test]
fn own_addresses_are_closed_and_the_operator_opens_ranges() {
    let own = EgressPolicy { own_addresses: vec!["203.0.112.7".parse().unwrap()], ..open() };
    for address in ["203.0.112.7", "::ffff:203.0.112.7", "64:ff9b::203.0.112.7"] {
        assert!(own.check_address("x", address.parse().unwrap()).is_err(), "{address}");
    }
    assert_eq!(own.check_address("x", "203.0.112.8".parse().unwrap()), Ok(()));

    let allowing = EgressPolicy { operator_allow: vec!["198.51.100.0/24".parse().unwrap()], ..open() };
    for (address, is_open) in [
        ("198.51.100.9", true),
        ("::ffff:198.51.100.9", true),
        ("198.51.101.9", true),
        ("10.0.0.1", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(allowing.check_address("x", address.parse().unwrap()).is_ok(), is_open, "{address}");
    }
    let denied = allowing.check_request("http", "198.51.100.9", 22, false);
    assert!(matches!(denied, Err(EgressDenied::Port { .. })), "the port rule stays on");
    let own_and_allowed = EgressPolicy { own_addresses: vec!["198.51.100.1".parse().unwrap()], ..allowing };
    assert_eq!(own_and_allowed.check_address("x", "198.51.100.1".parse().unwrap()), Ok(()));
}

/// Ranges that are not public, as the registries write them; independent of how the code decides.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // All that is not global unicast, except the two prefixes that hold an IPv4 address.
    "::/3",
    "4000::/2",
    "8000::/1",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

fn expected(address: IpAddr) -> bool {
    if let IpAddr::V6(v6) = address {
        let bits = u128::from(v6);
        let prefix = bits >> 32;
        if prefix == 0xffff || prefix == 0x0064_ff9b_0000_0000_0000_0000 {
            return expected(IpAddr::V4(Ipv4Addr::from(bits as u32)));
        }
    }
    !NOT_PUBLIC.iter().any(|range| range.parse::<IpNet>().unwrap().contains(&address))
}

/// Addresses on and beside the borders of every range, and any others.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let borders: Vec<IpAddr> = NOT_PUBLIC
        .iter()
        .flat_map(|range| match range.parse::<IpNet>().unwrap() {
            IpNet::V4(net) => {
                let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
                [first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(|bits| IpAddr::V4(bits.into()))
            }
            IpNet::V6(net) => {
                let (first, last) = (u128::from(net.network()), u128::from(net.broadcast()));
                [first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(|bits| IpAddr::V6(bits.into()))
            }
        })
        .collect();
    let v4 = any::<u32>().prop_map(Ipv4Addr::from);
    prop_oneof![
        prop::sample::select(borders),
        v4.clone().prop_map(IpAddr::V4),
        v4.clone().prop_map(|v4| IpAddr::V6(v4.to_ipv6_mapped())),
        v4.prop_map(|v4| IpAddr::V6(Ipv6Addr::from(
            0x0064_ff9b_0000_0000_0000_0000u128 << 32 | u128::from(u32::from(v4))
        ))),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        (any::<u128>()).prop_map(|bits| IpAddr::V6((bits >> 3 | 1 << 125).into())),
        (0u128..1 << 40).prop_map(|bits| IpAddr::V6(bits.into())),
        (any::<u16>(), any::<u16>())
            .prop_map(|(second, rest)| Ipv6Addr::new(0x2001, second, rest, 0, 0, 0, 0, 1).into()),
    ]
}

proptest! {
    #[test]
    fn the_decision_agrees_with_the_registries(address in addresses()) {
        prop_assert_eq!(open().check_address("x", address).is_ok(), expected(address), "{}", address);
    }

    #[test]
    fn parsing_never_panics_and_what_parses_has_no_capitals(text in ".{0,40}") {
        if let Ok(rule) = EgressRule::parse(&text) {
            prop_assert!(!rule.host.is_empty());
            prop_assert!(!rule.host.chars().any(|c| c.is_ascii_uppercase()));
        }
        let _ = open().check_request("http", &text, 80, false);
    }
}
