//! URLs that keys may be fetched from, each with one spelling.

use crate::policy_error::PolicyError;

/// Refuses a URL that nothing may be fetched from.
pub(crate) fn check_url(setting: &str, url: &str, allow_http: bool) -> Result<(), PolicyError> {
    let refuse = |problem: &str| Err(PolicyError::new(setting, problem));
    if url.contains('#') || url.bytes().any(|byte| !(b'!'..=b'~').contains(&byte)) {
        return refuse("a URL to fetch from has no fragment and no blanks");
    }
    if setting == "issuer" && url.contains('?') {
        return refuse(
            "keys are discovered below an issuer without a query (RFC 8414, section 2): set jwks_uri",
        );
    }
    let scheme = url.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme));
    let Some((scheme, rest)) = scheme else {
        return refuse("this is not an https URL");
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        return refuse("a URL to fetch from has no user name");
    }
    match (scheme, is_loopback(authority), allow_http) {
        ("https", ..) if authority.is_empty() || authority.starts_with(':') => {
            refuse("the URL has no host")
        }
        ("https", ..) | ("http", true, true) => not_plain(scheme, rest).map_or(Ok(()), refuse),
        ("http", true, false) => refuse("plain http needs allow_http = true"),
        _ => refuse("plain http is for loopback only: use https"),
    }
}

/// What makes a URL another spelling of a plainer one.
// INVARIANT (isolation): one place has one spelling, so that two issuers' are told apart as text.
fn not_plain(scheme: &str, rest: &str) -> Option<&'static str> {
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let path = rest.strip_prefix(authority).unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    let default = if scheme == "https" { "443" } else { "80" };
    if port.is_some_and(|port| port == default || port.is_empty() || port.starts_with('0')) {
        return Some("leave the port out where it is the scheme's own, and write it plainly");
    }
    // `0x7f.1` is an address to some, too: a last label that starts with a digit makes an address.
    let last = host.rsplit('.').next().unwrap_or(host);
    let address = host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    if !address && last.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
        return Some("the host is not a name, nor an address as it is usually written");
    }
    if host.ends_with('.') || host.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'%') {
        return Some("write the host in lower case, without a dot at its end");
    }
    let (path, query) =
        path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let plain = path.is_empty() || !crate::path::is_ambiguous(path) && !path.contains('%');
    if !plain || query == Some("") {
        return Some(
            "write the path plainly: no `//`, dot segments, escapes, `;`, nor an empty query",
        );
    }
    None
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let v4 = || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    host == "localhost" || host == "[::1]" || v4()
}
