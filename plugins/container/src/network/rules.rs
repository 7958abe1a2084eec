//! The rule as a table for `nft`: a table of our own, put in place whole.
//!
//! Why nftables beside an engine that works with iptables: a base chain of one's own is asked for every packet whatever
//! others put into theirs, before them and without them. A verdict to refuse is final; one to accept leaves the engine's
//! own rules to be asked. The engine knows nothing of the table, so its restarts, and those of other firewalls, leave it alone.
//!
//! Every packet that a Space sends is judged by where it goes, never by a connection that was there before: a rule that has
//! become narrower narrows what is under way too.

use std::fmt::{Display, Write};
use std::net::IpAddr;

use ipnet::IpNet;

use super::policy::{Interface, Policy};
use super::ranges::{CLOSED_V4, CLOSED_V6, OPEN_V6, TRANSLATED, translated};

/// When what comes from a bridge is judged: before the chains of iptables, whose place is 0.
const LEAVING: i32 = -10;
/// When what goes to one is.
const ARRIVING: i32 = -9;
/// How long the ledger keeps what the fence refused to a prober. A probe takes seconds.
const KEPT: &str = "2m";
/// Entries of the ledger: several times what one probe tries.
const ENTRIES: usize = 1024;

/// What answers comes in, and what tells of trouble on the way.
const ANSWERS: &str = "ct direction reply ct state established accept
        ct state related meta l4proto { icmp, ipv6-icmp } accept";
/// The chains that are the same for all. To see its neighbours on the link IPv6 has messages of its own.
const COMMON: &str = "    chain outgoing {
        ip daddr @resolvers4 meta l4proto { tcp, udp } th dport 53 accept
        ip6 daddr @resolvers6 meta l4proto { tcp, udp } th dport 53 accept
        meta l4proto != tcp goto refuse
        tcp dport != @ports goto refuse
        ip daddr @allowed4 accept
        ip6 daddr @allowed6 accept
        ip daddr @closed4 goto refuse
        meta nfproto ipv4 accept
        ip6 daddr @closed6 goto refuse
        ip6 daddr @open6 accept
        goto refuse
    }
    chain to_host {
        ct direction reply ct state established accept
        ct state related meta l4proto { icmp, ipv6-icmp } accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
        goto refuse
    }
    chain refuse {
        ip saddr @probers4 meta l4proto { tcp, udp } update @refused4 { ip saddr . ip daddr . meta l4proto . th dport }
        ip6 saddr @probers6 meta l4proto { tcp, udp } update @refused6 { ip6 saddr . ip6 daddr . meta l4proto . th dport }
        meta l4proto tcp reject with tcp reset
        reject with icmpx type admin-prohibited
    }
";

/// Whose packets a table judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behind {
    /// The bridge of one host's Spaces: nothing else is on it.
    Spaces(Interface),
    /// The bridge on which the engine runs the steps of everybody's builds. Others' containers may be on it, so that what
    /// comes in there is left alone.
    Builds(Interface),
}

impl Behind {
    /// The table's name: one for each bridge, so that two plugins on one machine do not undo each other's.
    pub(super) fn table(&self) -> String {
        let (kind, bridge) = match self {
            Self::Spaces(bridge) => ("", bridge),
            Self::Builds(bridge) => ("builds_", bridge),
        };
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        format!("spaceport_{kind}{}", bridge.to_string().chars().map(word).collect::<String>())
    }

    /// The script that puts the table in place, in one transaction and whatever was there before.
    pub(super) fn render(&self, policy: &Policy) -> String {
        let table = self.table();
        let (sets, chains) = (sets(policy), self.chains());
        format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{sets}{chains}{COMMON}}}\n")
    }

    /// The script that takes the table away, whether it is there or not.
    pub(super) fn remove(&self) -> String {
        let table = self.table();
        format!("table inet {table}\ndelete table inet {table}\n")
    }

    /// The chains that differ. What is sent is judged before what arrives, of all bridges: so a packet from one host's
    /// bridge to another's is refused by the table of who sends it, where the probe looks for it.
    fn chains(&self) -> String {
        match self {
            Self::Spaces(bridge) => format!(
                "{}    chain arriving {{
        type filter hook forward priority {ARRIVING}; policy accept;
        oifname \"{bridge}\" jump incoming
    }}
    chain leaving {{
        oifname \"{bridge}\" goto refuse
        goto outgoing
    }}
    chain incoming {{
        {ANSWERS}
        drop
    }}
",
                base(bridge)
            ),
            Self::Builds(bridge) => format!(
                "{}    chain leaving {{
        ct direction reply ct state established accept
        oifname \"{bridge}\" goto refuse
        goto outgoing
    }}
",
                base(bridge)
            ),
        }
    }
}

/// Where the kernel asks the table about what comes from a bridge.
fn base(bridge: &Interface) -> String {
    format!(
        "    chain forward {{
        type filter hook forward priority {LEAVING}; policy accept;
        iifname \"{bridge}\" jump leaving
    }}
    chain input {{
        type filter hook input priority {LEAVING}; policy accept;
        iifname \"{bridge}\" jump to_host
    }}
"
    )
}

fn sets(policy: &Policy) -> String {
    let allowed = |wanted: fn(&IpNet) -> bool| policy.allow.iter().filter(move |net| wanted(net)).map(IpNet::to_string);
    let translated_allow = policy.allow.iter().filter_map(|net| match net {
        IpNet::V4(net) => Some(translated(*net).to_string()),
        IpNet::V6(_) => None,
    });
    let resolvers =
        |is_v4: bool| policy.resolvers.iter().filter(move |to| to.is_ipv4() == is_v4).map(IpAddr::to_string);
    let closed_v6 = CLOSED_V6.into_iter().chain(CLOSED_V4.into_iter().map(translated));
    let (v4, v6) = ("ipv4_addr", "ipv6_addr");
    let mut text = String::new();
    set(&mut text, "ports", "inet_service", &policy.ports);
    set(&mut text, "closed4", v4, CLOSED_V4);
    set(&mut text, "closed6", v6, closed_v6);
    set(&mut text, "open6", v6, [OPEN_V6, TRANSLATED]);
    set(&mut text, "allowed4", v4, allowed(|net| matches!(net, IpNet::V4(_))));
    set(&mut text, "allowed6", v6, allowed(|net| matches!(net, IpNet::V6(_))).chain(translated_allow));
    set(&mut text, "resolvers4", v4, resolvers(true));
    set(&mut text, "resolvers6", v6, resolvers(false));
    for (family, kind) in [(4, v4), (6, v6)] {
        let _ = writeln!(text, "    set probers{family} {{ type {kind}; flags timeout; }}");
        let key = format!("{kind} . {kind} . inet_proto . inet_service");
        let _ = writeln!(
            text,
            "    set refused{family} {{ type {key}; flags dynamic,timeout; timeout {KEPT}; size {ENTRIES}; }}"
        );
    }
    text
}

fn set<T: Display>(text: &mut String, name: &str, kind: &str, elements: impl IntoIterator<Item = T>) {
    let elements: Vec<String> = elements.into_iter().map(|element| element.to_string()).collect();
    let elements = match elements.is_empty() {
        true => String::new(),
        false => format!(" elements = {{ {} }}", elements.join(", ")),
    };
    // Ranges that the operator names may lie within each other.
    let _ = writeln!(text, "    set {name} {{ type {kind}; flags interval; auto-merge;{elements} }}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces() -> Behind {
        Behind::Spaces("spaceport0".parse().unwrap())
    }

    fn builds() -> Behind {
        Behind::Builds("docker0".parse().unwrap())
    }

    fn policy() -> Policy {
        Policy {
            ports: vec![80, 443, 8080],
            allow: vec!["203.0.113.0/24".parse().unwrap(), "fd00:5::/32".parse().unwrap()],
            resolvers: vec!["10.0.0.53".parse().unwrap()],
        }
    }

    #[test]
    fn the_table_replaces_itself_in_one_transaction() {
        for (behind, table) in [(spaces(), "spaceport_spaceport0"), (builds(), "spaceport_builds_docker0")] {
            let script = behind.render(&policy());
            let start = format!("table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n");
            assert!(script.starts_with(&start), "{script}");
            assert_eq!(script.matches('{').count(), script.matches('}').count());
            assert_eq!(behind.remove(), start.split_inclusive('\n').take(2).collect::<String>());
        }
    }

    #[test]
    fn nothing_is_said_of_packets_that_come_from_elsewhere() {
        let rules = |behind: &Behind| -> Vec<String> {
            let script = behind.render(&policy());
            let base = script.split("chain ").filter(|chain| chain.contains("hook"));
            let rules = base.flat_map(|chain| chain.lines().skip(2)).map(str::trim);
            rules.filter(|line| line.contains(' ')).map(str::to_owned).collect()
        };
        let leaving = |bridge: &str| ["leaving", "to_host"].map(|chain| format!("iifname \"{bridge}\" jump {chain}"));
        let mut of_spaces = leaving("spaceport0").to_vec();
        of_spaces.push("oifname \"spaceport0\" jump incoming".to_owned());
        assert_eq!(rules(&spaces()), of_spaces);
        assert_eq!(rules(&builds()), leaving("docker0"));
    }

    #[test]
    fn what_the_policy_names_is_in_the_sets() {
        let script = spaces().render(&policy());
        let set = |name: &str| script.lines().find(|line| line.contains(&format!("set {name} "))).unwrap().to_owned();
        assert!(set("allowed4").contains("{ 203.0.113.0/24 }"), "{}", set("allowed4"));
        assert!(set("allowed6").contains("{ fd00:5::/32, 64:ff9b::cb00:7100/120 }"), "{}", set("allowed6"));
        assert!(set("ports").contains("{ 80, 443, 8080 }"), "{}", set("ports"));
        assert!(set("resolvers4").contains("{ 10.0.0.53 }"), "{}", set("resolvers4"));
        assert!(!set("resolvers6").contains("elements"), "{}", set("resolvers6"));
    }
}
