//! Which addresses are public: reachable by everybody, belonging to nobody's inside.
//!
//! IPv4 by exclusion, from the IANA registry of special-purpose addresses. IPv6 by inclusion: only the global unicast
//! block is public, less the ranges in it that are set aside or lead somewhere else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that a packet to this one finally reaches: the IPv4 address inside an IPv4-mapped one or behind the
/// well-known NAT64 prefix, else the address itself. Other ways to wrap an address are not unwrapped but refused.
pub(super) fn reached(address: IpAddr) -> IpAddr {
    let IpAddr::V6(wrapped) = address else { return address };
    match wrapped.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Ipv4Addr::new(a, b, c, d).into()
        }
        _ => address,
    }
}

/// Whether an address is public.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // This network; private; loopback.
        [0 | 10 | 127, ..]
        // Shared by carriers.
        | [100, 64..=127, ..]
        // Link-local, with the metadata services of clouds.
        | [169, 254, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        // Protocol assignments; documentation; 6to4 relays.
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        // Benchmarks; documentation.
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // Multicast, reserved, broadcast.
        | [224..=255, ..]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global_unicast = first & 0xe000 == 0x2000;
    let is_set_aside = match first {
        // Protocol assignments with Teredo, benchmarks and ORCHID; documentation.
        0x2001 => second < 0x200 || second == 0xdb8,
        // 6to4, which leads to any IPv4 address.
        0x2002 => true,
        // Documentation.
        0x3fff => second < 0x1000,
        _ => false,
    };
    is_global_unicast && !is_set_aside
}
