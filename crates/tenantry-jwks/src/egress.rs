//! Which addresses are outside: the ones that a stranger's URL may lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// Returns whether `address` is one of the public Internet.
///
/// It is not if it is private, loopback, link-local, shared by a carrier (`100.64.0.0/10`),
/// unique-local, multicast, unspecified, broadcast, reserved, for documentation or for measuring, in
/// IPv4 or IPv6 ([RFC 6890]). An IPv6 address that holds an IPv4 one (mapped, 6to4, Teredo) is not
/// either, except behind the well-known prefix of NAT64, `64:ff9b::/96` ([RFC 6052 §2.1]): there the
/// IPv4 address is looked at, since in a network with IPv6 alone it is the way to all of IPv4.
///
/// [RFC 6890]: https://www.rfc-editor.org/rfc/rfc6890
/// [RFC 6052 §2.1]: https://www.rfc-editor.org/rfc/rfc6052#section-2.1
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether a URL with this host leads inside, without asking DNS.
pub(crate) fn is_inside_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => !is_public_v4(*address),
        Host::Ipv6(address) => !is_public_v6(*address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |[a, b, c, d]: [u8; 4], bits: u32| {
        let prefix = u32::from(Ipv4Addr::new(a, b, c, d));
        (u32::from(address) ^ prefix) >> (32 - bits) == 0
    };
    let inside = within([0, 0, 0, 0], 8)
        || within([10, 0, 0, 0], 8)
        || within([100, 64, 0, 0], 10)
        || within([127, 0, 0, 0], 8)
        || within([169, 254, 0, 0], 16)
        || within([172, 16, 0, 0], 12)
        || within([192, 0, 0, 0], 24)
        || within([192, 0, 2, 0], 24)
        || within([192, 88, 99, 0], 24)
        || within([192, 168, 0, 0], 16)
        || within([198, 18, 0, 0], 15)
        || within([198, 51, 100, 0], 24)
        || within([203, 0, 113, 0], 24)
        // Multicast, reserved, broadcast.
        || within([224, 0, 0, 0], 3);
    !inside
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        // Of global unicast: protocol assignments with Teredo, documentation, 6to4.
        [0x2001, second, ..] if second < 0x200 => false,
        [0x2001, 0xdb8, ..] | [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Nothing else than 2000::/3 is given out.
        [first, ..] => first >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(address: &str) -> bool {
        is_public_address(address.parse().unwrap())
    }

    #[test]
    fn inside_addresses_are_not_public_up_to_both_ends_of_their_blocks() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_public(address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "169.255.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.0.1",
            "198.20.0.0",
            "223.255.255.255",
        ] {
            assert!(is_public(address), "{address}");
        }
    }

    #[test]
    fn of_ipv6_only_given_out_unicast_is_public() {
        for address in [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::1.1.1.1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "64:ff9b:1::a00:1",
            "4000::1",
            "5f00::1",
        ] {
            assert!(!is_public(address), "{address}");
        }
        for address in ["2606:4700:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a00::1"] {
            assert!(is_public(address), "{address}");
        }
    }

    #[test]
    fn behind_nat64_the_address_inside_is_looked_at() {
        for (address, public) in [
            ("64:ff9b::1.1.1.1", true),
            ("64:ff9b::127.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::169.254.169.254", false),
        ] {
            assert_eq!(is_public(address), public, "{address}");
        }
    }
}
