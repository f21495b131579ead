//! A client of one tenant.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use tenantry_core::TenantId;

use crate::records::ClientId;
use crate::secret::SecretHash;

/// A client as it was registered. It belongs to one tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The tenant that it is a client of.
    pub tenant: TenantId,
    /// Its id, unique within the tenant.
    pub id: ClientId,
    /// A name for people.
    pub name: Option<String>,
    /// How it authenticates. No other way is accepted.
    pub auth: ClientAuth,
    /// The grants that it may use.
    pub grants: Grants,
    /// The scopes that it may obtain, plain: without the tenant.
    pub scopes: BTreeSet<String>,
    /// The audiences that it may obtain tokens for, in full. They are of its tenant.
    pub audiences: Vec<String>,
    /// Claims of every token of this client. They come after those of the tenant.
    pub claims: Map<String, Value>,
    /// Whether it obtains anything.
    pub enabled: bool,
    /// When it was registered, since the Unix epoch; kept to the millisecond.
    pub created_at: Duration,
}

/// How a client authenticates, by the names of [RFC 7591 §2].
///
/// [RFC 7591 §2]: https://www.rfc-editor.org/rfc/rfc7591#section-2
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// `client_secret_basic`: the secret by HTTP Basic.
    Basic(SecretHash),
    /// `client_secret_post`: the secret in the body.
    Post(SecretHash),
    /// `private_key_jwt`: an assertion that is signed with one of these keys.
    PrivateKeyJwt {
        /// The public keys: a JWK Set as JSON text.
        jwks: String,
    },
}

impl ClientAuth {
    /// The name of the method in [RFC 7591 §2].
    ///
    /// [RFC 7591 §2]: https://www.rfc-editor.org/rfc/rfc7591#section-2
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Basic(_) => "client_secret_basic",
            Self::Post(_) => "client_secret_post",
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
        }
    }

    /// The public keys of a client that has any: a JWK Set as JSON text.
    #[must_use]
    pub fn jwks(&self) -> Option<&str> {
        match self {
            Self::Basic(_) | Self::Post(_) => None,
            Self::PrivateKeyJwt { jwks } => Some(jwks),
        }
    }
}

/// The grants that a client may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grants {
    /// `client_credentials` ([RFC 6749 §4.4]).
    ///
    /// [RFC 6749 §4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
    pub client_credentials: bool,
    /// `refresh_token` ([RFC 6749 §6]).
    ///
    /// [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
    pub refresh_token: bool,
}
