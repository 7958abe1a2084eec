//! Who is connected: caps over all and per address, and the way to tell every connection to end.
//!
//! The lock is taken when a connection begins and ends, never for a request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::config::EdgeConfig;
use super::connection::{Peer, Signal};
use super::context::is_trusted;

/// The connections of one server.
pub(super) struct Connections {
    max: usize,
    max_per_ip: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    is_closing: bool,
    next: u64,
    live: HashMap<u64, Arc<Peer>>,
    by_ip: HashMap<IpAddr, usize>,
}

/// A place for one connection, given back on drop.
pub(super) struct Permit {
    connections: Arc<Connections>,
    number: u64,
    counted_as: Option<IpAddr>,
}

impl Connections {
    /// None yet, under the caps of the configuration.
    pub(super) fn new(config: &EdgeConfig) -> Arc<Self> {
        Arc::new(Self {
            max: config.max_connections,
            max_per_ip: config.max_connections_per_ip,
            table: Mutex::default(),
        })
    }

    /// A place for this peer, if there is one. Loopback and trusted proxies speak for many visitors and count towards the
    /// whole only.
    pub(super) fn admit(self: &Arc<Self>, peer: &Arc<Peer>, config: &EdgeConfig) -> Option<Permit> {
        let is_exempt = peer.ip.is_loopback() || is_trusted(peer.ip, &config.trusted_proxies);
        let counted_as = (!is_exempt).then(|| network_of(peer.ip));
        let mut table = self.table.lock();
        if table.is_closing || table.live.len() >= self.max {
            return None;
        }
        if let Some(ip) = counted_as {
            let count = table.by_ip.entry(ip).or_default();
            if *count >= self.max_per_ip {
                return None;
            }
            *count += 1;
        }
        let number = table.next;
        table.next += 1;
        table.live.insert(number, peer.clone());
        Some(Permit { connections: self.clone(), number, counted_as })
    }

    /// Tells every connection, and admits none from now on.
    pub(super) fn end(&self, signal: Signal) {
        let peers: Vec<Arc<Peer>> = {
            let mut table = self.table.lock();
            table.is_closing = true;
            table.live.values().cloned().collect()
        };
        for peer in peers {
            peer.signal(signal);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.lock().live.len()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.connections.table.lock();
        table.live.remove(&self.number);
        if let Some(ip) = self.counted_as
            && let Some(count) = table.by_ip.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                table.by_ip.remove(&ip);
            }
        }
    }
}

/// What counts as one visitor: an IPv4 address, or the /64 that one IPv6 customer has to itself.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Arc<Peer> {
        Peer::new(ip.parse().unwrap())
    }

    fn config(max: usize, per_ip: usize) -> EdgeConfig {
        EdgeConfig { max_connections: max, max_connections_per_ip: per_ip, ..EdgeConfig::new("localhost") }
    }

    #[test]
    fn one_network_gets_its_share_and_no_more() {
        let config = config(10, 2);
        let connections = Connections::new(&config);
        let first = connections.admit(&peer("2001:db8:1:2::1"), &config);
        let second = connections.admit(&peer("2001:db8:1:2:ffff::2"), &config);
        assert!(first.is_some() && second.is_some());
        assert!(connections.admit(&peer("2001:db8:1:2::3"), &config).is_none());
        assert!(connections.admit(&peer("2001:db8:1:3::1"), &config).is_some());
        drop(first);
        assert!(connections.admit(&peer("2001:db8:1:2::3"), &config).is_some());
    }

    #[test]
    fn loopback_and_proxies_are_bounded_by_the_whole_only() {
        let mut config = config(4, 1);
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let connections = Connections::new(&config);
        let permits: Vec<_> =
            ["127.0.0.1", "127.0.0.1", "10.0.0.1", "10.0.0.1"].map(|ip| connections.admit(&peer(ip), &config)).into();
        assert!(permits.iter().all(Option::is_some));
        assert!(connections.admit(&peer("127.0.0.1"), &config).is_none());
        drop(permits);
        assert_eq!(connections.len(), 0);
        assert!(connections.table.lock().by_ip.is_empty());
    }
}
