//! Whether credentials are those of a registered client.
//!
//! The same work is done for a tenant that does not exist, a client that does not exist and a secret
//! that is wrong: the presented secret is hashed once and compared with one hash, which is that of
//! the client or nobody's. An assertion is likewise checked with a key of the client or nobody's, and
//! no key is read for what is no assertion.
//! [`Registrations::authenticate`](crate::registrations::Registrations::authenticate) sees to it
//! that the store is read once in each of the cases.

use std::sync::OnceLock;
use std::time::Duration;

use tenantry_core::TenantId;
use tenantry_jwks::KeySet;

use crate::assertion::{self, KeysRead, OnceOnly};
use crate::credentials::{Credentials, Proof};
use crate::issuer_name::IssuerName;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::records::{Client, ClientAuth, ClientId, Generation, Tenant, TenantStatus};
use crate::secret::SecretHash;

/// What a client is registered to authenticate with.
#[derive(Debug)]
pub(crate) struct Registered {
    auth: ClientAuth,
    /// Read when they are asked for.
    keys: OnceLock<Option<KeySet>>,
}

impl Registered {
    fn keys(&self) -> Option<&KeySet> {
        let read = || match &self.auth {
            ClientAuth::PrivateKeyJwt { jwks } => KeySet::parse(jwks.as_bytes()).ok(),
            ClientAuth::Basic(_) | ClientAuth::Post(_) => None,
        };
        self.keys.get_or_init(read).as_ref()
    }
}

impl From<ClientAuth> for Registered {
    fn from(auth: ClientAuth) -> Self {
        Self { auth, keys: OnceLock::new() }
    }
}

/// A client with its tenant.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) tenant: Tenant,
    pub(crate) client: Client,
    /// That of the store when it was read.
    pub(crate) generation: Generation,
    pub(crate) registered: Registered,
}

impl Registration {
    pub(crate) fn new((tenant, client, generation): (Tenant, Client, Generation)) -> Self {
        let registered = Registered::from(client.auth.clone());
        // Made once for many assertions, and for a client that has proven itself: at no refusal.
        registered.keys();
        Self { tenant, client, generation, registered }
    }

    /// Whether this is the client that `proven` was, and what proved it still does.
    pub(crate) fn is_still(&self, proven: &Self) -> bool {
        self.tenant.created_at == proven.tenant.created_at
            && self.client.created_at == proven.client.created_at
            && self.client.auth == proven.client.auth
    }

    /// Whether the client may do anything. Asked after it has proven itself, so it may know.
    pub(crate) fn require_standing(&self) -> Result<(), OAuthError> {
        if self.tenant.status == TenantStatus::Suspended {
            return Err(OAuthError::unauthorized_client(
                Reason::TenantSuspended,
                "the tenant is suspended",
            ));
        }
        if !self.client.enabled {
            return Err(OAuthError::unauthorized_client(
                Reason::ClientDisabled,
                "the client is disabled",
            ));
        }
        Ok(())
    }
}

/// What was presented, with the secret hashed: once, however often it is compared.
pub(crate) struct Presented<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) client: &'a ClientId,
    proof: HashedProof<'a>,
    /// The `iss` of this tenant's tokens is what an assertion has to be for.
    issuer: &'a IssuerName,
}

enum HashedProof<'a> {
    Basic(SecretHash),
    Post(SecretHash),
    Assertion(&'a str),
}

impl<'a> Presented<'a> {
    pub(crate) fn new(
        tenant: &'a TenantId,
        credentials: &'a Credentials,
        issuer: &'a IssuerName,
    ) -> Self {
        let proof = match &credentials.proof {
            Proof::Basic(secret) => HashedProof::Basic(SecretHash::of(secret)),
            Proof::Post(secret) => HashedProof::Post(SecretHash::of(secret)),
            Proof::Assertion(assertion) => HashedProof::Assertion(assertion),
        };
        Self { tenant, client: &credentials.client, proof, issuer }
    }

    /// Compares with what is registered, if anything is.
    ///
    /// # Errors
    ///
    /// Why it does not prove the client.
    pub(crate) fn proves(
        &self,
        registered: Option<&Registered>,
        read: KeysRead,
        now: Duration,
    ) -> Result<Option<OnceOnly>, Reason> {
        let auth = registered.map(|registered| &registered.auth);
        let (presented, secret) = match (&self.proof, auth) {
            (HashedProof::Assertion(assertion), _) => {
                let keys = || registered.and_then(Registered::keys);
                let (client, issuer) = (self.client.as_str(), self.issuer.of(self.tenant));
                let judged = assertion::judge(assertion, client, keys, read, issuer.as_str(), now);
                return match registered {
                    None => Err(Reason::ClientUnknown),
                    Some(_) => judged.map(Some),
                };
            }
            // The method that the client is registered for, and no other.
            (HashedProof::Basic(presented), Some(ClientAuth::Basic(secret)))
            | (HashedProof::Post(presented), Some(ClientAuth::Post(secret))) => {
                (presented, Some(secret))
            }
            (HashedProof::Basic(presented) | HashedProof::Post(presented), _) => (presented, None),
        };
        // All zero bytes is the hash of nothing that anybody knows.
        let nobodys = SecretHash::from_bytes([0; SecretHash::LEN]);
        let equal = *presented == *secret.unwrap_or(&nobodys);
        match (registered, secret) {
            (None, _) => Err(Reason::ClientUnknown),
            (Some(_), None) => Err(Reason::AuthenticationMethod),
            (Some(_), Some(_)) if equal => Ok(None),
            (Some(_), Some(_)) => Err(Reason::SecretWrong),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use serde_json::Map;

    use super::*;
    use crate::records::Grants;

    pub(crate) fn registration(auth: ClientAuth) -> Registration {
        let tenant: TenantId = "tenant1".parse().unwrap();
        Registration::new((
            Tenant {
                id: tenant.clone(),
                name: None,
                status: TenantStatus::Active,
                claims: Map::new(),
                created_at: Duration::ZERO,
            },
            Client {
                tenant,
                id: "a".parse().unwrap(),
                name: None,
                auth,
                grants: Grants { client_credentials: true, refresh_token: false },
                scopes: BTreeSet::new(),
                audiences: Vec::new(),
                claims: Map::new(),
                enabled: true,
                created_at: Duration::ZERO,
            },
            Generation::from_stored(0),
        ))
    }

    fn proves(proof: Proof, registration: Option<&Registration>) -> Result<(), &'static str> {
        let credentials = Credentials { client: "a".parse().unwrap(), proof };
        let tenant = "tenant1".parse().unwrap();
        let issuer = "https://auth.erp.example".parse().unwrap();
        let presented = Presented::new(&tenant, &credentials, &issuer);
        let registered = registration.map(|one| &one.registered);
        let proof = presented.proves(registered, KeysRead::Now, Duration::ZERO);
        proof.map(drop).map_err(Reason::code)
    }

    #[test]
    fn the_right_secret_by_the_registered_method_is_the_client() {
        let basic = registration(ClientAuth::Basic(SecretHash::of("s")));
        let post = registration(ClientAuth::Post(SecretHash::of("s")));

        assert_eq!(proves(Proof::Basic("s".into()), Some(&basic)), Ok(()));
        assert_eq!(proves(Proof::Post("s".into()), Some(&post)), Ok(()));
        assert_eq!(proves(Proof::Post("s".into()), Some(&basic)), Err("authentication_method"));
        assert_eq!(proves(Proof::Basic("s".into()), Some(&post)), Err("authentication_method"));
        assert_eq!(proves(Proof::Basic("S".into()), Some(&basic)), Err("secret_wrong"));
        assert_eq!(proves(Proof::Basic(String::new()), Some(&basic)), Err("secret_wrong"));
        assert_eq!(proves(Proof::Basic("s".into()), None), Err("client_unknown"));
    }

    #[test]
    fn a_client_with_keys_has_no_secret_and_one_with_a_secret_no_keys() {
        let keys = registration(ClientAuth::PrivateKeyJwt { jwks: r#"{"keys":[]}"#.into() });
        let basic = registration(ClientAuth::Basic(SecretHash::of("s")));
        let assertion = || Proof::Assertion("eyJhbGciOiJFUzI1NiJ9.e30.c2ln".into());

        assert_eq!(proves(Proof::Basic(String::new()), Some(&keys)), Err("authentication_method"));
        assert_eq!(proves(assertion(), Some(&basic)), Err("assertion_key"));
        assert_eq!(proves(assertion(), Some(&keys)), Err("assertion_key"));
        assert_eq!(proves(assertion(), None), Err("client_unknown"));
    }

    #[test]
    fn a_suspended_tenant_and_a_disabled_client_have_no_standing() {
        let mut one = registration(ClientAuth::Basic(SecretHash::of("s")));
        assert!(one.require_standing().is_ok());
        one.client.enabled = false;
        assert_eq!(one.require_standing().unwrap_err().reason(), "client_disabled");
        one.tenant.status = TenantStatus::Suspended;
        assert_eq!(one.require_standing().unwrap_err().reason(), "tenant_suspended");
    }
}
