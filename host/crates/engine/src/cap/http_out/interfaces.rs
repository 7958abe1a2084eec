//! The addresses of this host's own interfaces.
//!
//! A public one of them leads back to ports of the host itself, past every firewall in front of it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses by which this host can be reached. What cannot be read counts as none: the rule for private addresses
/// holds without it.
pub fn own_addresses() -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    if let Ok(text) = fs::read_to_string("/proc/net/fib_trie") {
        addresses.extend(ipv4(&text).map(IpAddr::V4));
    }
    if let Ok(text) = fs::read_to_string("/proc/net/if_inet6") {
        addresses.extend(ipv6(&text).map(IpAddr::V6));
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The routing table names an address in one line and says in the next that it is the host's own.
fn ipv4(fib_trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut last = None;
    fib_trie.lines().filter_map(move |line| {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.trim().parse().ok();
            return None;
        }
        line.starts_with("/32 host LOCAL").then_some(last).flatten()
    })
}

/// One interface address a line, its 32 hexadecimal digits first.
fn ipv6(if_inet6: &str) -> impl Iterator<Item = Ipv6Addr> {
    if_inet6.lines().filter_map(|line| {
        let digits = line.split_whitespace().next()?;
        (digits.len() == 32).then_some(())?;
        u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.0\n        /8 host LOCAL\n     |-- 127.0.0.1\n        \
                    /32 host LOCAL\n     |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        assert_eq!(ipv4(trie).collect::<Vec<_>>(), [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 2)]);
        let inet6 =
            "fd000000000000000000000000000002 04 40 00 82     eth0\n00000000000000000000000000000001 01 80 10 80 lo\n";
        assert_eq!(ipv6(inet6).collect::<Vec<_>>(), ["fd00::2".parse::<Ipv6Addr>().unwrap(), Ipv6Addr::LOCALHOST]);
    }

    #[test]
    fn this_machine_has_a_loopback_address() {
        let addresses = own_addresses();
        assert!(addresses.iter().any(IpAddr::is_loopback), "{addresses:?}");
    }
}
