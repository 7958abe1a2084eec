//! Who is connected: caps over all and for each address. A place is a value that gives itself back.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::{CONNECTIONS, CONNECTIONS_PER_ADDRESS, STRANGERS};

/// Bits of an IPv6 address that are whose network it is: whoever has one address of it has all of them.
const NETWORK: u32 = 64;

/// The connections of one server.
#[derive(Debug, Default)]
pub(crate) struct Caps {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    all: usize,
    strangers: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place for one connection, of a stranger until [`Place::known`].
#[derive(Debug)]
pub(crate) struct Place {
    caps: Arc<Caps>,
    counted_as: Option<IpAddr>,
    is_stranger: bool,
}

impl Caps {
    /// A place for somebody from this address, if there is one. Whatever connects from the machine itself may speak for many,
    /// as a proxy does, and counts towards the whole only.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let counted_as = (!address.to_canonical().is_loopback()).then(|| network_of(address));
        let mut table = self.table.lock();
        if table.all >= CONNECTIONS || table.strangers >= STRANGERS {
            return None;
        }
        if let Some(network) = counted_as {
            let count = table.by_address.entry(network).or_default();
            if *count >= CONNECTIONS_PER_ADDRESS {
                return None;
            }
            *count += 1;
        }
        table.all += 1;
        table.strangers += 1;
        Some(Place { caps: self.clone(), counted_as, is_stranger: true })
    }
}

impl Place {
    /// Somebody has signed in.
    pub(crate) fn known(&mut self) {
        if std::mem::take(&mut self.is_stranger) {
            self.caps.table.lock().strangers -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.known();
        let mut table = self.caps.table.lock();
        table.all -= 1;
        if let Some(network) = self.counted_as
            && let Some(count) = table.by_address.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                table.by_address.remove(&network);
            }
        }
    }
}

fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> NETWORK << NETWORK)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(caps: &Arc<Caps>, address: &str) -> Option<Place> {
        caps.admit(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_places_and_no_more() {
        let caps = Arc::<Caps>::default();
        let mut places: Vec<Place> =
            (0..CONNECTIONS_PER_ADDRESS).map(|_| admitted(&caps, "192.0.2.1").unwrap()).collect();
        assert!(admitted(&caps, "192.0.2.1").is_none() && admitted(&caps, "::ffff:192.0.2.1").is_none());
        let _other = admitted(&caps, "192.0.2.2").unwrap();
        places.pop();
        places.push(admitted(&caps, "192.0.2.1").unwrap());
        assert!(admitted(&caps, "192.0.2.1").is_none());
        drop(places);
        let _network: Vec<Place> =
            (0..CONNECTIONS_PER_ADDRESS).map(|n| admitted(&caps, &format!("2001:db8::{n:x}")).unwrap()).collect();
        assert!(admitted(&caps, "2001:db8::ffff").is_none());
        assert!(admitted(&caps, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn strangers_have_few_places_and_leave_them_when_they_sign_in() {
        let caps = Arc::<Caps>::default();
        let mut places: Vec<Place> = (0..STRANGERS).map(|_| admitted(&caps, "127.0.0.1").unwrap()).collect();
        assert!(admitted(&caps, "127.0.0.1").is_none());
        places[0].known();
        places[0].known();
        places.push(admitted(&caps, "127.0.0.1").unwrap());
        assert!(admitted(&caps, "::1").is_none());
        for _ in STRANGERS + 1..CONNECTIONS {
            places.iter_mut().for_each(Place::known);
            places.push(admitted(&caps, "127.0.0.1").unwrap());
        }
        places.iter_mut().for_each(Place::known);
        assert!(admitted(&caps, "127.0.0.1").is_none(), "there are as many as there may be");
        drop(places);
        let table = caps.table.lock();
        assert_eq!((table.all, table.strangers), (0, 0));
    }
}
