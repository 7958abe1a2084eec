//! The rules in the kernel, in networks of the tests' own: a host with a bridge of Spaces and one of builds, containers
//! behind them, and an outside where every address answers on every port. Before there is a fence everything is reached,
//! so whatever is not reached afterwards is the fence's doing.

mod world;

use std::net::IpAddr;

use super::policy::{Policy, Traffic};
use super::probe::{Attempt, Outcome, Place, attempts, holes};
use super::{Held, Rules, nft, rules};
use world::World;

fn policy() -> Policy {
    Policy {
        spaces: "sp0".parse().unwrap(),
        builds: Some("dk0".parse().unwrap()),
        ports: vec![80, 443, 8080],
        allow: vec!["203.0.113.0/24".parse().unwrap(), "fd00:5::/32".parse().unwrap()],
        resolvers: vec!["10.0.0.53".parse().unwrap()],
    }
}

fn attempt(to: &str, traffic: Traffic) -> Attempt {
    Attempt { what: "it".into(), to: to.parse().unwrap(), traffic, listens: false }
}

/// Addresses of every kind, each with every kind of traffic.
fn beyond() -> Vec<Attempt> {
    let addresses = [
        "192.175.48.1",
        "9.255.255.255",
        "10.1.2.3",
        "10.0.0.53",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.80",
        "2620:4f:8000::1",
        "64:ff9b::c0af:3001",
        "64:ff9b::a01:203",
        "fd00:5::1",
        "fd00:ec2::254",
        "2001:db8::1",
        "2002:a00:1::1",
    ];
    let (tcp, udp) = (Traffic::Tcp, Traffic::Udp);
    let kinds = [tcp(80), tcp(443), tcp(8080), tcp(22), tcp(25), tcp(53), tcp(8443), udp(53), udp(443)];
    addresses.iter().flat_map(|to| kinds.iter().map(|traffic| attempt(to, *traffic))).collect()
}

/// Attempts whose outcome is not what was expected.
fn unexpected(attempts: &[Attempt], outcomes: &[Outcome], is_open: impl Fn(&Attempt) -> bool) -> Vec<String> {
    let wrong = |(attempt, outcome): (&Attempt, &Outcome)| {
        let is_wrong = (*outcome == Outcome::Reached) != is_open(attempt);
        is_wrong.then(|| format!("{} {:?}: {outcome:?}", attempt.to, attempt.traffic))
    };
    attempts.iter().zip(outcomes).filter_map(wrong).collect()
}

#[test]
fn the_kernel_does_what_the_policy_says() {
    let Some(world) = World::build() else { return };
    let (policy, beyond) = (policy(), beyond());
    for inside in [&world.a, &world.build] {
        assert_eq!(unexpected(&beyond, &inside.tries(&beyond), |_| true), [""; 0], "without a fence");
    }
    world.run(Rules::put(policy.clone())).unwrap();
    for inside in [&world.a, &world.build] {
        let is_open = |attempt: &Attempt| policy.permits(attempt.to, attempt.traffic);
        assert_eq!(unexpected(&beyond, &inside.tries(&beyond), is_open), [""; 0], "with the fence");
    }
}

#[test]
fn nobody_reaches_a_neighbour_or_the_host_and_the_host_reaches_all() {
    let Some(world) = World::build() else { return };
    let to = |address: &str, port: u16| attempt(address, Traffic::Tcp(port));
    let spaces = [to(world::B4, 80), to(world::B6, 80)];
    let host = [to(world::HOST4, 80), to(world::HOST6, 80), to(world::OUTER4, 443), to(world::BUILDS4, 80)];
    let neighbours = [to(world::BUILD4, 80), to(world::NEIGHBOUR4, 80)];
    let from_a: Vec<Attempt> = spaces.iter().chain(&host).chain(&neighbours).cloned().collect();
    let from_build = [to(world::A4, 80), to(world::NEIGHBOUR4, 80), to(world::HOST4, 80), to(world::BUILDS4, 80)];
    let from_outside = [to(world::A4, 80), to(world::A6, 80)];
    let from_host = [to(world::A4, 80), to(world::A6, 80), to(world::B4, 80), to(world::BUILD4, 80)];

    let all = |is_open: bool, said: &str| {
        assert_eq!(unexpected(&from_a, &world.a.tries(&from_a), |_| is_open), [""; 0], "a Space, {said}");
        assert_eq!(unexpected(&from_build, &world.build.tries(&from_build), |_| is_open), [""; 0], "a build, {said}");
        assert_eq!(unexpected(&from_outside, &world.outside.tries(&from_outside), |_| is_open), [""; 0], "all, {said}");
        assert_eq!(unexpected(&from_host, &world.host.tries(&from_host), |_| true), [""; 0], "the host, {said}");
        // What comes in to others' containers beside the builds is nobody's business here.
        let published = [to(world::NEIGHBOUR4, 80)];
        assert_eq!(unexpected(&published, &world.outside.tries(&published), |_| true), [""; 0], "published, {said}");
    };
    all(true, "without a fence");
    world.run(Rules::put(policy())).unwrap();
    all(false, "with the fence");
}

#[test]
fn the_probe_finds_no_hole_in_the_fence_and_every_hole_without_a_part_of_it() {
    let Some(world) = World::build() else { return };
    let policy = policy();
    world.run(Rules::put(policy.clone())).unwrap();
    let place = Place {
        host: [world::HOST4, world::HOST6].map(|address| address.parse().unwrap()).into(),
        host_ports: vec![9999],
        peer: [world::B4, world::B6].map(|address| address.parse().unwrap()).into(),
        peer_ports: vec![80],
    };
    let own: Vec<IpAddr> = [world::A4, world::A6].map(|address| address.parse().unwrap()).into();
    let probe = || {
        let attempts = attempts(&policy, &place);
        assert!(attempts.len() > 50, "{}", attempts.len());
        world.run(nft::watch(&policy.spaces, &own)).unwrap();
        let outcomes = world.a.tries(&attempts);
        let of = |address: &IpAddr| world.run(nft::refused(&policy.spaces, *address)).unwrap();
        holes(&attempts, &outcomes, &own.iter().flat_map(of).collect())
    };
    assert_eq!(probe(), [""; 0]);

    let table = rules::table(&policy.spaces);
    for (broken, word) in [
        (format!("flush chain inet {table} to_host"), "this host"),
        (format!("insert rule inet {table} spaces oifname \"sp0\" accept"), "another Space"),
        (format!("insert rule inet {table} outgoing udp dport 53 accept"), "DNS to the outside"),
        (format!("add element inet {table} allowed4 {{ 169.254.0.0/16 }}"), "the metadata service of a cloud"),
        (format!("add element inet {table} open6 {{ fc00::/7 }}"), "a private address (fdff"),
        // Nothing gets through here, and nobody knows why.
        (format!("insert rule inet {table} outgoing ip daddr 10.255.255.1 drop"), "was not refused by the rules"),
    ] {
        world.run(Rules::put(policy.clone())).unwrap();
        world.run(nft::apply(&broken)).unwrap();
        let found = probe();
        assert!(found.iter().any(|hole| hole.contains(word)), "{broken}: {found:?}");
    }
}

#[test]
fn rules_that_were_removed_or_changed_are_put_in_place_again() {
    let Some(world) = World::build() else { return };
    let policy = policy();
    let mut rules = world.run(Rules::put(policy.clone())).unwrap();
    assert_eq!(world.run(rules.check()).unwrap(), Held::Still);
    let own = [world::A4.parse().unwrap()];
    world.run(nft::watch(&policy.spaces, &own)).unwrap();
    assert_eq!(world.run(rules.check()).unwrap(), Held::Still, "the ledger is no change");
    let table = rules::table(&policy.spaces);
    for change in [
        "flush ruleset".to_owned(),
        format!("delete table inet {table}"),
        format!("flush chain inet {table} to_host"),
        format!("insert rule inet {table} outgoing accept"),
        format!("add element inet {table} allowed4 {{ 10.0.0.0/8 }}"),
    ] {
        world.run(nft::apply(&change)).unwrap();
        assert_eq!(world.run(rules.check()).unwrap(), Held::Again, "{change}");
        assert_eq!(world.run(rules.check()).unwrap(), Held::Still, "{change}");
    }
    world.run(nft::apply(&rules::remove(&policy.spaces))).unwrap();
    world.run(nft::apply(&rules::remove(&policy.spaces))).unwrap();
    assert_eq!(world.run(nft::listing(&policy.spaces)).unwrap(), None);
}

#[test]
fn what_the_operator_narrows_is_narrowed_for_connections_under_way() {
    let Some(world) = World::build() else { return };
    let policy = policy();
    world.run(Rules::put(policy.clone())).unwrap();
    let mut stream = world.a.connect("203.0.113.80:443");
    assert!(world::echoes(&mut stream));
    let narrower = Policy { allow: Vec::new(), ..policy };
    world.run(Rules::put(narrower)).unwrap();
    assert!(!world::echoes(&mut stream));
}
