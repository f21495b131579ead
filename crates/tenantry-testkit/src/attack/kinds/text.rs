//! Changes to tokens and paths, as texts.

/// The three parts of a token.
pub(super) fn parts(token: &str) -> [&str; 3] {
    let mut parts = token.splitn(3, '.');
    let mut next = || parts.next().unwrap_or_default();
    [next(), next(), next()]
}

/// `claims` under the header and the signature of `token`.
pub(super) fn with_claims_of(token: &str, claims: &str) -> String {
    let [header, _, signature] = parts(token);
    let [_, claims, _] = parts(claims);
    format!("{header}.{claims}.{signature}")
}

/// The same token with another signature in its place.
pub(super) fn with_signature(token: &str, signature: &str) -> String {
    let [header, claims, _] = parts(token);
    format!("{header}.{claims}.{signature}")
}

/// A signature with its first character changed: the first holds no padding bits.
pub(super) fn other_signature(token: &str) -> String {
    let [_, _, signature] = parts(token);
    let first = if signature.starts_with('A') { "B" } else { "A" };
    with_signature(token, &format!("{first}{}", signature.get(1..).unwrap_or_default()))
}

/// A signature without its second half.
pub(super) fn half_signature(token: &str) -> String {
    let [_, _, signature] = parts(token);
    with_signature(token, signature.get(..signature.len() / 2).unwrap_or_default())
}

/// The first byte as an escape.
pub(super) fn escape_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if first.is_ascii() => format!("%{:02x}{}", u32::from(first), chars.as_str()),
        _ => text.into(),
    }
}

/// Every byte as an escape.
pub(super) fn escape_all(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
