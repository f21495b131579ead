//! Whose word counts for where a request comes from.
//!
//! | the peer is               | the address of the sender is                                             |
//! |---------------------------|--------------------------------------------------------------------------|
//! | nobody who is trusted     | the peer's; `X-Forwarded-For` is not read                                 |
//! | a trusted proxy           | the right-most address in `X-Forwarded-For` that is not a trusted proxy's |
//! | the same, and there is no such address, or something else stands in its place | the peer's             |
//!
//! Each proxy appends whom it heard from, so what a sender made up is on the left of what is believed.
//! Several lines of the field are one list ([RFC 9110 §5.3]). `Forwarded` ([RFC 7239]) is not read: few
//! proxies write it, and two fields could disagree.
//!
//! [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239
//! [RFC 9110 §5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-5.3

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The header field that proxies append to.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// How many addresses are looked at, from the right. A chain of proxies is shorter.
const MAX_HOPS: usize = 16;

/// The networks that proxies are in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TrustedProxies(Box<[IpNet]>);

impl TrustedProxies {
    /// Reads networks such as `10.0.0.0/8`, and single addresses.
    ///
    /// # Errors
    ///
    /// What is wrong with the first that is none.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| parse_network(text)).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn networks(&self) -> &[IpNet] {
        &self.0
    }

    /// Returns the address that a request comes from.
    // INVARIANT (no guessing): what cannot be read is not skipped to find something that can.
    pub(crate) fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trust(peer) {
            return peer;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries.take(MAX_HOPS) {
            match parse_entry(entry) {
                Some(address) if self.trust(address) => {}
                Some(address) => return address,
                None => return peer,
            }
        }
        peer
    }

    fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse().map_err(|_| {
            format!("`{text}` is neither a network such as \"10.0.0.0/8\" nor an address")
        })?,
    };
    if network.prefix_len() == 0 {
        return Err(format!("`{text}` is everybody: name the proxies"));
    }
    if network.trunc() != network {
        return Err(format!("`{text}` is no network: write `{}`", network.trunc()));
    }
    // A peer that is an IPv4 address in an IPv6 one is compared as what it is.
    match network {
        IpNet::V6(mapped) if mapped.addr().to_ipv4_mapped().is_some() => {
            Err(format!("`{text}` is IPv4 within IPv6: write it as IPv4"))
        }
        network => Ok(network),
    }
}

/// One entry: an address, which may have a port, and in brackets if it is IPv6.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(bare)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        let texts: Vec<_> = networks.iter().map(|&text| text.to_owned()).collect();
        TrustedProxies::parse(&texts).unwrap()
    }

    /// The sender of a request that `peer` hands over, with these lines of the field.
    fn sender(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        proxies(trusted).sender(peer.parse().unwrap(), &headers).to_string()
    }

    const OURS: &[&str] = &["10.0.0.0/8", "2001:db8:aa::/48", "127.0.0.1"];

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        for trusted in [&[], OURS] {
            assert_eq!(sender(trusted, "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
            assert_eq!(sender(trusted, "2001:db8::1", &["198.51.100.7"]), "2001:db8::1");
        }
        assert_eq!(sender(&[], "127.0.0.1", &["198.51.100.7"]), "127.0.0.1");
        assert_eq!(sender(&["127.0.0.1"], "127.0.0.2", &["198.51.100.7"]), "127.0.0.2");
    }

    #[test]
    fn the_sender_is_the_right_most_that_is_not_a_proxy() {
        for (lines, expected) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            // What stands further left is what somebody says.
            (&["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            (&["10.0.0.9, 198.51.100.7"], "198.51.100.7"),
            (&["garbage, 198.51.100.7"], "198.51.100.7"),
            // A chain of proxies.
            (&["203.0.113.9, 198.51.100.7, 10.1.2.3,10.0.0.2"], "198.51.100.7"),
            (&["198.51.100.7, 2001:db8:aa::1, 127.0.0.1"], "198.51.100.7"),
            // Several lines are one list.
            (&["203.0.113.9", "198.51.100.7", "10.1.2.3, 10.0.0.2"], "198.51.100.7"),
            (&["203.0.113.9, 198.51.100.7", "10.1.2.3"], "198.51.100.7"),
        ] {
            for peer in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:aa:1::9", "127.0.0.1"] {
                assert_eq!(sender(OURS, peer, lines), expected, "{peer} {lines:?}");
            }
        }
    }

    #[test]
    fn an_address_may_have_a_port_brackets_and_blanks() {
        for (entry, expected) in [
            ("198.51.100.7:1234", "198.51.100.7"),
            ("\t 198.51.100.7 ", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:1234", "2001:db8::7"),
            ("10.0.0.2:1234", "10.0.0.1"),
        ] {
            assert_eq!(sender(OURS, "10.0.0.1", &[entry]), expected, "{entry}");
        }
    }

    #[test]
    fn what_is_no_address_is_nobody_and_nothing_is_looked_for_beyond_it() {
        for entry in [
            "",
            ",",
            "unknown",
            "_hidden",
            "erp.example",
            "198.51.100",
            "198.51.100.7/32",
            "198.51.100.256",
            "198.51.100.7:99999",
            "[198.51.100.7]",
            "2001:db8::7]",
            "[::1",
            "for=198.51.100.7",
            "\"198.51.100.7\"",
            "198.51.100.7;",
            "198.51.100.7 10.0.0.2",
            "\u{e9}",
        ] {
            for lines in [vec![entry.to_owned()], vec![format!("198.51.100.7, {entry}")]] {
                let lines: Vec<_> = lines.iter().map(String::as_str).collect();
                assert_eq!(sender(OURS, "10.0.0.1", &lines), "10.0.0.1", "{lines:?}");
            }
            assert_eq!(sender(OURS, "10.0.0.1", &["198.51.100.7", entry]), "10.0.0.1", "{entry}");
        }
    }

    #[test]
    fn where_all_are_proxies_it_is_the_peer() {
        assert_eq!(sender(OURS, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(sender(OURS, "10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.1");
    }

    #[test]
    fn a_long_list_is_looked_at_to_a_bound() {
        let behind = |hops: usize| format!("198.51.100.7{}", ", 10.0.0.2".repeat(hops));

        assert_eq!(sender(OURS, "10.0.0.1", &[&behind(MAX_HOPS - 1)]), "198.51.100.7");
        assert_eq!(sender(OURS, "10.0.0.1", &[&behind(MAX_HOPS)]), "10.0.0.1");
        let lines: Vec<_> = std::iter::once("198.51.100.7")
            .chain(std::iter::repeat_n("10.0.0.2", MAX_HOPS))
            .collect();
        assert_eq!(sender(OURS, "10.0.0.1", &lines[..MAX_HOPS]), "198.51.100.7");
        assert_eq!(sender(OURS, "10.0.0.1", &lines), "10.0.0.1");
        assert_eq!(sender(OURS, "10.0.0.1", &[&"1".repeat(60_000)]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_network_is_said() {
        let refused = |text: &str| TrustedProxies::parse(&[text.to_owned()]).unwrap_err();
        for text in ["", "10.0.0.0/33", "10.0.0", "proxy.example", "10.0.0.0/8 ", "10.0.0.0/ 8"] {
            let said =
                format!("`{text}` is neither a network such as \"10.0.0.0/8\" nor an address");
            assert_eq!(refused(text), said);
        }
        for text in ["0.0.0.0/0", "::/0"] {
            assert_eq!(refused(text), format!("`{text}` is everybody: name the proxies"));
        }
        assert_eq!(refused("10.1.0.0/8"), "`10.1.0.0/8` is no network: write `10.0.0.0/8`");
        let mapped = "::ffff:10.0.0.0/104";
        assert_eq!(refused(mapped), format!("`{mapped}` is IPv4 within IPv6: write it as IPv4"));
        let read = proxies(&["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "2001:db8::1"]);
        let read: Vec<_> = read.networks().iter().map(ToString::to_string).collect();
        assert_eq!(read, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "2001:db8::1/128"]);
    }
}
