//! Where the keys of an issuer are.

use std::fmt;
use std::path::PathBuf;

/// Where the keys of an issuer come from.
#[derive(Clone, Eq, PartialEq)]
pub enum KeyLocation {
    /// From the issuer's metadata ([RFC 8414], then OpenID Connect Discovery).
    ///
    /// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
    Discovery,
    /// From a file with a JWK set or PEM public keys.
    File(PathBuf),
    /// From this JWK set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
    Jwks(Box<str>),
    /// From these PEM public keys.
    Pem(Box<str>),
    /// From this URL; it may hold `{tenant}` when the issuer does.
    Uri(Box<str>),
}

impl KeyLocation {
    /// What the setting is called.
    pub(crate) const fn setting(&self) -> &'static str {
        match self {
            Self::Discovery => "issuer",
            Self::File(_) | Self::Jwks(_) | Self::Pem(_) => "jwks_file",
            Self::Uri(_) => "jwks_uri",
        }
    }
}

// INVARIANT (secrets stay in): a document may hold a private key by mistake.
impl fmt::Debug for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovery => f.write_str("Discovery"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Jwks(_) => f.write_str("Jwks(..)"),
            Self::Pem(_) => f.write_str("Pem(..)"),
            Self::Uri(uri) => f.debug_tuple("Uri").field(uri).finish(),
        }
    }
}
