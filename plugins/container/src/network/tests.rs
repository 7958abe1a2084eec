//! The rules in the kernel, in networks of the tests' own: a host with a bridge of Spaces and one of builds, containers
//! behind them, and an outside where every address answers on every port. Before there is a fence everything is reached,
//! so whatever is not reached afterwards is the fence's doing.

mod world;

use std::net::IpAddr;

use super::builds::Builds;
use super::held::{Held, Rules};
use super::policy::{Policy, Traffic};
use super::probe::{Attempt, Outcome, Place, attempts, holes};
use super::rules::Behind;
use super::{Unfenced, nft};
use world::{Namespace, World};

fn spaces() -> Behind {
    Behind::Spaces("sp0".parse().unwrap())
}

fn builds_table() -> Behind {
    Behind::Builds("dk0".parse().unwrap())
}

/// Both tables.
fn fence(world: &World, policy: &Policy) -> [Rules; 2] {
    [spaces(), builds_table()].map(|behind| world.run(Rules::put(behind, policy.clone())).unwrap())
}

fn policy() -> Policy {
    Policy {
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
    fence(&world, &policy);
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
    fence(&world, &policy());
    all(false, "with the fence");
}

/// What the probe finds from inside one of the networks.
fn probe(world: &World, from: &Namespace, behind: &Behind, policy: &Policy) -> Vec<String> {
    let text = |addresses: [&str; 2]| addresses.map(|address| address.parse().unwrap()).to_vec();
    let (own, place): (Vec<IpAddr>, Place) = match behind {
        Behind::Spaces(_) => {
            let (host, peer) = (text([world::HOST4, world::HOST6]), text([world::B4, world::B6]));
            let on_link = ["172.30.0.0/24", "fd42::/64"].map(|net| net.parse().unwrap()).to_vec();
            let place = Place { host, host_ports: vec![9999], peer, peer_ports: vec![80], on_link };
            (text([world::A4, world::A6]), place)
        }
        Behind::Builds(_) => {
            let (host, peer) = (text([world::BUILDS4, world::BUILDS6]), text([world::NEIGHBOUR4, world::NEIGHBOUR6]));
            let on_link = ["172.31.0.0/24", "fd43::/64"].map(|net| net.parse().unwrap()).to_vec();
            let place = Place { host, host_ports: vec![9999], peer, peer_ports: vec![80], on_link };
            (text([world::BUILD4, world::BUILD6]), place)
        }
    };
    let attempts = attempts(policy, &place);
    assert!(attempts.len() > 50, "{}", attempts.len());
    world.run(nft::watch(behind, &own)).unwrap();
    let outcomes = from.tries(&attempts);
    let of = |address: &IpAddr| world.run(nft::refused(behind, *address)).unwrap();
    holes(&attempts, &outcomes, &own.iter().flat_map(of).collect())
}

#[test]
fn the_probe_finds_no_hole_in_the_fence_and_every_hole_without_a_part_of_it() {
    let Some(world) = World::build() else { return };
    let policy = policy();
    fence(&world, &policy);
    let probe = || probe(&world, &world.a, &spaces(), &policy);
    assert_eq!(probe(), [""; 0]);

    let table = spaces().table();
    for (broken, word) in [
        (format!("flush chain inet {table} to_host"), "this host"),
        (
            format!(
                "insert rule inet {table} leaving oifname \"sp0\" accept\ninsert rule inet {table} incoming accept"
            ),
            "another Space",
        ),
        (format!("insert rule inet {table} outgoing udp dport 53 accept"), "DNS to the outside"),
        (format!("add element inet {table} allowed4 {{ 169.254.0.0/16 }}"), "the metadata service of a cloud"),
        (format!("add element inet {table} open6 {{ fc00::/7 }}"), "a private address (fdff"),
        // Nothing gets through here, and nobody knows why.
        (format!("insert rule inet {table} outgoing ip daddr 10.255.255.1 drop"), "was not refused by the rules"),
    ] {
        world.run(Rules::put(spaces(), policy.clone())).unwrap();
        world.run(nft::apply(&broken)).unwrap();
        let found = probe();
        assert!(found.iter().any(|hole| hole.contains(word)), "{broken}: {found:?}");
    }
}

#[test]
fn rules_that_were_removed_or_changed_are_put_in_place_again() {
    let Some(world) = World::build() else { return };
    let mut rules = world.run(Rules::put(spaces(), policy())).unwrap();
    assert_eq!(world.run(rules.check()).unwrap(), Held::Still);
    let own = [world::A4.parse().unwrap()];
    world.run(nft::watch(&spaces(), &own)).unwrap();
    assert_eq!(world.run(rules.check()).unwrap(), Held::Still, "the ledger is no change");
    let table = spaces().table();
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
    world.run(nft::apply(&spaces().remove())).unwrap();
    world.run(nft::apply(&spaces().remove())).unwrap();
    assert_eq!(world.run(nft::listing(&spaces())).unwrap(), None);
}

#[test]
fn what_the_operator_narrows_is_narrowed_for_connections_under_way() {
    let Some(world) = World::build() else { return };
    let policy = policy();
    fence(&world, &policy);
    let mut stream = world.a.connect("203.0.113.80:443");
    assert!(world::echoes(&mut stream));
    let narrower = Policy { allow: Vec::new(), ..policy };
    fence(&world, &narrower);
    assert!(!world::echoes(&mut stream));
}

/// A plugin's part in the rule for builds.
struct Part<'a> {
    world: &'a World,
    builds: Option<Builds>,
}

impl<'a> Part<'a> {
    fn new(world: &'a World, commons: &tempfile::TempDir) -> Self {
        let builds = world.host.within(|| Builds::on("dk0".parse().unwrap(), commons.path()).unwrap());
        Self { world, builds: Some(builds) }
    }

    /// Holds a rule; what the probe finds, and what builds may do then.
    fn holds(&mut self, policy: &Policy) -> (Vec<String>, Policy) {
        let builds = self.builds.as_mut().unwrap();
        let shared = self.world.run(async { builds.hold(policy.clone()).await.unwrap().1.clone() });
        (probe(self.world, &self.world.build, &builds_table(), &shared), shared)
    }

    fn check(&mut self) -> Result<Held, Unfenced> {
        self.world.run(self.builds.as_mut().unwrap().check())
    }

    fn leave(mut self) {
        self.world.run(self.builds.take().unwrap().leave(&policy().resolvers)).unwrap();
    }
}

#[test]
fn two_plugins_share_one_rule_for_builds_and_each_sees_it_hold() {
    let Some(world) = World::build() else { return };
    let commons = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (Part::new(&world, &commons), Part::new(&world, &commons));
    let wide = policy();
    let narrow = Policy { allow: vec!["fd00:5::/32".parse().unwrap()], ..policy() };
    let to = [attempt("203.0.113.80", Traffic::Tcp(443)), attempt("fd00:5::1", Traffic::Tcp(443))];
    let reached = || world.build.tries(&to).iter().map(|it| *it == Outcome::Reached).collect::<Vec<_>>();

    assert_eq!(one.holds(&wide).0, [""; 0]);
    assert_eq!(reached(), [true, true]);
    // The second narrows it for both, and each finds by trying that it holds.
    assert_eq!(other.holds(&narrow).0, [""; 0]);
    assert_eq!(reached(), [false, true]);
    assert_eq!(other.builds.as_ref().unwrap().lacks(), [""; 0]);
    assert_eq!(one.check().unwrap(), Held::Again, "the first is to try it anew");
    assert_eq!(one.builds.as_ref().unwrap().lacks(), ["203.0.113.0/24"]);
    assert_eq!([one.check().unwrap(), other.check().unwrap()], [Held::Still; 2]);
    let (holes, shared) = one.holds(&wide);
    assert_eq!(holes, [""; 0]);
    assert!(!shared.permits(to[0].to, to[0].traffic) && shared.permits(to[1].to, to[1].traffic));

    // Who is gone, however that was, narrows nothing; nobody's going opens anything.
    drop(other);
    assert_eq!(one.check().unwrap(), Held::Again);
    assert_eq!(reached(), [true, true]);
    let mut other = Part::new(&world, &commons);
    other.holds(&narrow);
    one.leave();
    assert_eq!(reached(), [false, true]);
    assert_eq!(other.check().unwrap(), Held::Still);
    assert_eq!(other.holds(&narrow).0, [""; 0]);
    other.leave();
    assert_eq!(world.run(nft::listing(&builds_table())).unwrap(), None, "the last takes it away");
}

#[test]
fn what_a_plugin_left_that_was_killed_is_the_rule_until_the_next_one_has_its_own() {
    let Some(world) = World::build() else { return };
    let commons = tempfile::tempdir().unwrap();
    let mut killed = Part::new(&world, &commons);
    killed.holds(&Policy { allow: vec![], ..policy() });
    drop(killed);
    let to = [attempt("203.0.113.80", Traffic::Tcp(443)), attempt("10.1.2.3", Traffic::Tcp(443))];
    let reached = || world.build.tries(&to).iter().map(|it| *it == Outcome::Reached).collect::<Vec<_>>();
    assert_eq!(reached(), [false, false], "what it built may go on");
    let mut next = Part::new(&world, &commons);
    assert_eq!(next.holds(&policy()).0, [""; 0]);
    assert_eq!(reached(), [true, false]);
    // Somebody cleans up the machine.
    world.run(nft::apply("flush ruleset")).unwrap();
    std::fs::remove_dir_all(commons.path()).unwrap();
    assert_eq!([next.check().unwrap(), next.check().unwrap()], [Held::Again, Held::Still]);
    assert_eq!(reached(), [true, false]);
}

#[test]
fn a_space_that_reaches_for_another_hosts_spaces_is_refused_by_its_own_hosts_rule() {
    let Some(world) = World::build() else { return };
    // The other host's table is there first.
    world.run(Rules::put(Behind::Spaces("dk0".parse().unwrap()), policy())).unwrap();
    world.run(Rules::put(spaces(), policy())).unwrap();
    let (to, own) = ([attempt(world::BUILD4, Traffic::Tcp(80))], world::A4.parse().unwrap());
    world.run(nft::watch(&spaces(), &[own])).unwrap();
    assert_ne!(world.a.tries(&to), [Outcome::Reached]);
    assert_eq!(world.run(nft::refused(&spaces(), own)).unwrap().len(), 1, "the ledger says so");
}
