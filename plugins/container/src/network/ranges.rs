//! Which addresses are public, as ranges that a firewall can hold.
//!
//! IPv4 by exclusion, from the registry of special-purpose addresses. IPv6 by inclusion: the global unicast block, less the
//! ranges in it that are set aside or lead somewhere else, and the prefix behind which a translator hides IPv4, where
//! what holds for the IPv4 address holds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// IPv4 ranges that belong to somebody's inside, or to nobody.
pub(super) const CLOSED_V4: [Ipv4Net; 15] = [
    // This network; private; shared by carriers; loopback.
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    // Link-local, with the metadata services of clouds.
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    // Protocol assignments; documentation; relays of 6to4.
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    // Benchmarks; documentation.
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast; reserved, with broadcast.
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The block of IPv6 that is handed out to the public.
pub(super) const OPEN_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Ranges of that block which are not public.
pub(super) const CLOSED_V6: [Ipv6Net; 4] = [
    // Protocol assignments, with Teredo; documentation; 6to4, which leads to any IPv4 address; documentation.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// The prefix behind which a translator hides IPv4 addresses.
pub(super) const TRANSLATED: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

/// Where a range of IPv4 lies behind the translator.
pub(super) fn translated(net: Ipv4Net) -> Ipv6Net {
    let bits = u128::from(TRANSLATED.network()) | u128::from(u32::from(net.network()));
    Ipv6Net::new_assert(bits.into(), TRANSLATED.prefix_len() + net.prefix_len())
}

/// Whether everybody reaches this address and nobody's inside lies behind it.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) if TRANSLATED.contains(&address) => {
            !CLOSED_V4.iter().any(|net| translated(*net).contains(&address))
        }
        IpAddr::V6(address) => OPEN_V6.contains(&address) && !CLOSED_V6.iter().any(|net| net.contains(&address)),
    }
}
