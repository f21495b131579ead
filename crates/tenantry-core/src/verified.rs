//! What a verified access token says.

use std::any::Any;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::issuer::{ClientId, Issuer, Subject};
use crate::policy::Policy;
use crate::scope::Scope;
use crate::tenant::ProvenTenant;

/// An access token as it came: a string from outside, untrusted. Cloning it is one count up.
#[derive(Clone)]
pub struct AccessToken(Arc<str>);

impl AccessToken {
    /// Takes the text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text, shared.
impl From<AccessToken> for Arc<str> {
    fn from(token: AccessToken) -> Self {
        token.0
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// What an access token says, collected by whoever verified it.
#[derive(Clone)]
pub struct TokenFacts {
    /// `iss`
    pub issuer: Issuer,
    /// `sub`
    pub subject: Option<Subject>,
    /// `client_id`, or what the issuer calls it.
    pub client_id: Option<ClientId>,
    /// `aud`, every element.
    pub audience: Vec<Box<str>>,
    /// The configured tenant claims that are there.
    pub tenant_claims: Vec<TenantClaim>,
    /// `scope`, or what the issuer calls it.
    pub scope: Scope,
    /// `exp`, since the Unix epoch.
    pub expires_at: Duration,
    /// `iat`, since the Unix epoch.
    pub issued_at: Option<Duration>,
    /// `jti`
    pub jwt_id: Option<Box<str>>,
    /// All claims, as JSON.
    pub claims: Box<[u8]>,
}

/// A claim that names a tenant.
#[derive(Clone)]
pub struct TenantClaim {
    /// The claim's name.
    pub name: Box<str>,
    /// Its value, not yet known to be a tenant id.
    pub value: Box<str>,
}

// INVARIANT (secrets stay in)
impl fmt::Debug for TokenFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFacts").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl fmt::Debug for TenantClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantClaim").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An access token whose signature, issuer, audience and lifetime hold under one [`Policy`].
///
/// Cloning it is one count up. It is bound to the policy it was verified under: no other will
/// judge it.
#[derive(Clone)]
pub struct VerifiedToken(pub(crate) Arc<Verified>);

pub(crate) struct Verified {
    pub(crate) policy: Policy,
    pub(crate) facts: TokenFacts,
    /// The token itself, where a verifier kept it.
    pub(crate) token: OnceLock<AccessToken>,
    /// Where its issuer stands in the policy.
    pub(crate) issuer: Option<usize>,
    /// Set by the first decision. The signed sources and the policy do not change, so neither does it.
    pub(crate) tenant: OnceLock<ProvenTenant>,
    /// The claims as the user's type, deserialized once.
    pub(crate) typed: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// The epoch of the policy's revocations when it was last found not to be among them; 0: never.
    pub(crate) unrevoked: AtomicU64,
}

impl VerifiedToken {
    /// Asserts that `facts` come from an access token that was verified under `policy`.
    ///
    /// Every authenticated request in a program passes through a call of this function: to audit a
    /// code base, search for its name.
    ///
    /// # Security
    ///
    /// Call it once signature, issuer, audience, lifetime and any `cnf` have been checked against
    /// the policy's settings of the issuer, and nowhere else. The decision takes a `VerifiedToken`
    /// and is the only thing that makes a [`TenantAwareRequest`](crate::TenantAwareRequest) of it.
    #[must_use]
    pub fn assert_verified(policy: &Policy, facts: TokenFacts) -> Self {
        Self(Arc::new(Verified {
            policy: policy.clone(),
            issuer: policy.issuer_index(facts.issuer.as_str()),
            facts,
            token: OnceLock::new(),
            tenant: OnceLock::new(),
            typed: OnceLock::new(),
            unrevoked: AtomicU64::new(0),
        }))
    }

    /// Keeps the token that was verified, so that it can be judged again later:
    /// [`TenantAwareRequest::ended`](crate::TenantAwareRequest::ended) needs it. The first stays.
    #[must_use]
    pub fn keep(self, token: AccessToken) -> Self {
        let _ = self.0.token.set(token);
        self
    }

    /// What it says.
    #[must_use]
    pub fn facts(&self) -> &TokenFacts {
        &self.0.facts
    }

    /// Where its issuer stands in [`Policy::issuers`].
    #[must_use]
    pub fn issuer_index(&self) -> Option<usize> {
        self.0.issuer
    }

    /// The policy it was verified under.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedToken").field(&self.0.facts).finish()
    }
}
