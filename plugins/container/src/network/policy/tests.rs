//! The rule by table, and against the rule for components, which decides on its own.

use proptest::prelude::*;
use spaceport_core::egress::EgressPolicy;

use super::*;

fn policy(allow: &[&str], resolvers: &[&str]) -> Policy {
    Policy {
        ports: vec![80, 443, 8080],
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        resolvers: resolvers.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

#[test]
fn three_ports_of_public_addresses_are_open_and_nothing_else() {
    let policy = policy(&["203.0.113.0/24", "fd00:5::/32"], &["10.0.0.53"]);
    let (tcp, udp) = (Traffic::Tcp, Traffic::Udp);
    for (to, traffic, is_open) in [
        ("192.175.48.1", tcp(80), true),
        ("192.175.48.1", tcp(443), true),
        ("192.175.48.1", tcp(8080), true),
        ("192.175.48.1", tcp(25), false),
        ("192.175.48.1", tcp(53), false),
        ("192.175.48.1", udp(443), false),
        ("192.175.48.1", udp(53), false),
        ("2620:4f:8000::1", tcp(443), true),
        ("2620:4f:8000::1", udp(53), false),
        ("10.0.0.1", tcp(80), false),
        ("169.254.169.254", tcp(80), false),
        ("fd00:ec2::254", tcp(80), false),
        ("fe80::1", tcp(80), false),
        ("203.0.113.80", tcp(443), true),
        ("203.0.113.80", tcp(22), false),
        ("64:ff9b::203.0.113.80", tcp(443), true),
        ("64:ff9b::10.0.0.1", tcp(443), false),
        ("64:ff9b::192.175.48.1", tcp(443), true),
        ("fd00:5::9", tcp(443), true),
        ("10.0.0.53", udp(53), true),
        ("10.0.0.53", tcp(53), true),
        ("10.0.0.53", tcp(80), false),
    ] {
        assert_eq!(policy.permits(to.parse().unwrap(), traffic), is_open, "{to} {traffic:?}");
    }
}

#[test]
fn a_name_that_means_something_in_a_rule_is_no_interface() {
    for name in ["spaceport0", "br-0123456789ab", "a"] {
        assert!(name.parse::<Interface>().is_ok(), "{name}");
    }
    for name in ["", ".", "..", "a b", "a\"", "a;", "a*", "a/b", "ä", "0123456789abcdef"] {
        assert!(name.parse::<Interface>().is_err(), "{name:?}");
    }
}

#[test]
fn the_engines_name_servers_are_found_as_the_engine_finds_them() {
    let of = |daemon: Option<&str>, conf: &str, behind: Option<&str>| -> Vec<String> {
        engine_resolvers(daemon, conf, behind).iter().map(IpAddr::to_string).collect()
    };
    let plain = "# comment\nsearch example.org\nnameserver 10.0.0.53\n nameserver fd00::53\nnameserver x\noptions a\n";
    assert_eq!(of(None, plain, None), ["10.0.0.53", "fd00::53"]);
    assert_eq!(of(Some(r#"{"dns": ["10.9.9.9"]}"#), plain, None), ["10.9.9.9"]);
    assert_eq!(of(Some("not json"), plain, None), ["10.0.0.53", "fd00::53"]);
    let stub = "nameserver 127.0.0.53\n";
    assert_eq!(of(None, stub, Some("nameserver 192.168.1.1\n")), ["192.168.1.1"]);
    assert_eq!(of(None, "nameserver 127.0.0.1\nnameserver 10.0.0.53\n", None), ["10.0.0.53"]);
    assert_eq!(of(None, stub, None), FALLBACK.map(|address| address.to_string()));
    assert_eq!(of(None, "", None), FALLBACK.map(|address| address.to_string()));
}

/// Addresses of any kind, near the borders more often than not.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let borders: Vec<IpAddr> = CLOSED
        .iter()
        .flat_map(|net| match net.parse::<IpNet>().unwrap() {
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
    let behind = |v4: u32| IpAddr::V6((0x64_ff9b_u128 << 96 | u128::from(v4)).into());
    prop_oneof![
        prop::sample::select(borders),
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u32>().prop_map(behind),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6((bits >> 3 | 1 << 125).into())),
    ]
}

const CLOSED: [&str; 9] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "198.18.0.0/15",
    "224.0.0.0/3",
    "2001::/23",
    "2002::/16",
    "64:ff9b::a00:0/104",
];

#[test]
fn what_several_share_lets_through_what_each_of_them_does() {
    let one = policy(&["10.0.0.0/8", "203.0.113.0/24", "fd00::/8"], &[]);
    let other = Policy { ports: vec![443, 80], ..policy(&["10.1.0.0/16", "fd00:5::/32", "192.168.0.0/16"], &[]) };
    let resolvers = ["10.0.0.53".parse().unwrap()];
    let shared = Policy::of_all(&[one.clone(), other.clone()], &resolvers).unwrap();
    let allow: Vec<String> = shared.allow.iter().map(IpNet::to_string).collect();
    assert_eq!(allow, ["10.1.0.0/16", "64:ff9b::a01:0/112", "fd00:5::/32"]);
    assert_eq!((shared.ports.as_slice(), shared.resolvers.as_slice()), ([80, 443].as_slice(), resolvers.as_slice()));
    assert_eq!(Policy::of_all(&[other.clone(), one.clone()], &resolvers), Some(shared.clone()), "whoever is first");
    assert_eq!(shared.allows_less_than(&one).len(), 3);
    assert_eq!(shared.allows_less_than(&other), [&"192.168.0.0/16".parse::<IpNet>().unwrap()]);
    let alone = Policy::of_all(std::slice::from_ref(&one), &[]).unwrap();
    assert!(alone.allows_less_than(&one).is_empty());
    assert_eq!(Policy::of_all(&[], &resolvers), None);
}

proptest! {
    #[test]
    fn nobody_gets_further_by_another_hosts_rule(to in addresses(), (one, other) in (0..4_usize, 0..4_usize)) {
        let allow = [&["10.0.0.0/8"][..], &["10.20.0.0/16", "64:ff9b::/96"], &["100.64.0.0/10", "fd00::/8"], &[]];
        let (one, other) = (policy(allow[one], &[]), policy(allow[other], &[]));
        let shared = Policy::of_all(&[one.clone(), other.clone()], &[]).unwrap();
        let [shared, one, other] = [shared, one, other].map(|policy| policy.permits(to, Traffic::Tcp(443)));
        prop_assert_eq!(shared, one && other, "{}", to);
    }

    #[test]
    fn containers_may_go_where_components_may(to in addresses(), allow in any::<bool>()) {
        let allow: &[&str] = if allow { &["10.20.0.0/16", "fd00::/8"] } else { &[] };
        let ours = policy(allow, &[]);
        let theirs = EgressPolicy { operator_allow: ours.allow.clone(), ..EgressPolicy::default() };
        // A wrapped IPv4 address is a spelling that programs have; packets have none.
        let is_wrapped = matches!(to, IpAddr::V6(to) if to.to_ipv4_mapped().is_some());
        prop_assume!(!is_wrapped);
        prop_assert_eq!(ours.permits(to, Traffic::Tcp(443)), theirs.check_address("x", to).is_ok(), "{}", to);
    }
}
