//! A request whose tenant is proven, and one that named nobody.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::facts::RequestFacts;
use crate::issuer::{ClientId, Issuer, Subject};
use crate::observer::{Check, Observer, Source, Unobserved, Verdict};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rejection::Rejection;
use crate::scope::{Reading, ScopeNeed};
use crate::tenant::{ProvenTenant, TenantId};
use crate::verified::{TokenFacts, VerifiedToken};
use crate::verifier::BoxFuture;
use crate::watch::Watch;

/// What verification and the decision proved about a request: its tenant, issuer, subject, client
/// and scopes.
///
/// It comes only out of [`Agreed::admit`](crate::Agreed::admit). Whoever holds one knows that
/// signature, issuer, audience, lifetime, tenant and standing were checked; nothing downstream needs
/// to check again. Cloning it is one count up.
#[derive(Clone)]
pub struct TenantAwareRequest {
    token: VerifiedToken,
    tenant: ProvenTenant,
    watch: Option<Arc<dyn Watch>>,
}

impl TenantAwareRequest {
    // INVARIANT (agreement): called by `Agreed::admit` alone.
    pub(crate) const fn admitted(token: VerifiedToken, tenant: ProvenTenant) -> Self {
        Self { token, tenant, watch: None }
    }

    /// Says who tells when it [ends](Self::ended).
    #[must_use]
    pub fn watched_by(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    fn facts(&self) -> &TokenFacts {
        self.token.facts()
    }

    /// The tenant, as a proof that repositories can ask for.
    #[must_use]
    pub const fn tenant(&self) -> &ProvenTenant {
        &self.tenant
    }

    /// The issuer of the token.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.facts().issuer
    }

    /// Where the issuer stands in [`Policy::issuers`].
    #[must_use]
    pub fn issuer_index(&self) -> Option<usize> {
        self.token.issuer_index()
    }

    /// Whom the token is about. Unique within one issuer only: see [`identity`](Self::identity).
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.facts().subject.as_ref()
    }

    /// The client that the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        self.facts().client_id.as_ref()
    }

    /// The caller, in a form that is unique over all issuers and tenants: use it as a key. `None` if
    /// the token has no `sub`, which only an issuer with relaxed required claims permits.
    #[must_use]
    pub fn identity(&self) -> Option<Identity<'_>> {
        let subject = self.subject()?;
        Some(Identity { issuer: self.issuer(), tenant: &self.tenant, subject })
    }

    /// When the token expires, since the Unix epoch.
    #[must_use]
    pub fn expires_at(&self) -> Duration {
        self.facts().expires_at
    }

    /// Resolves when a new request with the same token would be refused, to the reason it would be
    /// refused for: the token expired or was revoked, its tenant was suspended, its key withdrawn, the
    /// policy changed. For handlers that answer for long: end the stream then.
    ///
    /// The layers look once a second. What cannot be judged for 30 s, because keys or the directory
    /// are not to be had, has ended, too. A request that no layer admitted ends at once, as
    /// [`Misconfigured`](Reason::Misconfigured); those of the test kit never end.
    pub fn ended(&self) -> BoxFuture<Reason> {
        match (&self.watch, self.token.0.token.get()) {
            (Some(watch), Some(token)) => {
                Arc::clone(watch).ended(token.clone(), self.tenant.clone())
            }
            // INVARIANT (fail closed): nobody would notice its end.
            _ => Box::pin(std::future::ready(Reason::Misconfigured)),
        }
    }

    /// The token's `jti`, for audit logs.
    #[must_use]
    pub fn jwt_id(&self) -> Option<&str> {
        self.facts().jwt_id.as_deref()
    }

    /// The scopes of this tenant, without the tenant's prefix. Scopes of others are not among them.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let rule = self.token.policy().scopes();
        self.facts().scope.tokens().filter_map(|token| {
            match rule.read(self.tenant.as_str(), token) {
                Reading::Own(scope) => Some(scope),
                Reading::Ambiguous | Reading::Foreign | Reading::Other => None,
            }
        })
    }

    /// How many scopes of the token are those of other tenants. They are ignored: in strict mode the
    /// token would have been refused.
    #[must_use]
    pub fn foreign_scopes(&self) -> usize {
        let rule = self.token.policy().scopes();
        let tenant = self.tenant.as_str();
        let tokens = self.facts().scope.tokens();
        tokens.filter(|token| matches!(rule.read(tenant, token), Reading::Foreign)).count()
    }

    /// Whether the tenant's scopes hold `scope`, written without the prefix.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|held| held == scope)
    }

    /// Checks that the scopes of this tenant suffice.
    ///
    /// # Errors
    ///
    /// 403 `insufficient_scope`; the challenge names the scopes needed, as this tenant's tokens
    /// write them ([RFC 6750 §3.1]).
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    pub fn require(&self, need: &ScopeNeed) -> Result<(), Rejection> {
        self.require_observed(need, &mut Unobserved)
    }

    /// Does what [`require`](Self::require) does, and tells `observer`.
    ///
    /// # Errors
    ///
    /// As [`require`](Self::require).
    pub fn require_observed(
        &self,
        need: &ScopeNeed,
        observer: &mut impl Observer,
    ) -> Result<(), Rejection> {
        let met = need.is_met(|scope| self.has_scope(scope));
        for scope in need.first() {
            let verdict = match (self.has_scope(scope), met) {
                (true, _) => Verdict::Holds,
                // Another alternative is met.
                (false, true) => Verdict::Ignored,
                (false, false) => Verdict::Fails(Reason::ScopeMissing),
            };
            observer.check(Check {
                source: Source::Scope,
                named: Some(scope),
                origin: "required",
                verdict,
            });
        }
        if met {
            return Ok(());
        }
        let rule = self.token.policy().scopes();
        let needed: Vec<_> = need.first().map(|scope| rule.render(&self.tenant, scope)).collect();
        Err(Rejection::new(Reason::ScopeMissing)
            .under(self.token.policy())
            .of_token(&self.token)
            .for_tenant(&self.tenant)
            .about_resource(Some(&self.tenant))
            .with_scope(needed.join(" ")))
    }

    /// Returns the token's claims as a type of your own.
    ///
    /// They are deserialized once per token and shared by all its requests; the first type asked
    /// for is the one that is kept.
    ///
    /// # Errors
    ///
    /// If the claims are not a `C`.
    pub fn claims<C>(&self) -> Result<Arc<C>, ClaimsError>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let kept = self.token.0.typed.get().cloned();
        if let Some(claims) = kept.and_then(|claims| claims.downcast().ok()) {
            return Ok(claims);
        }
        let claims: Arc<C> = Arc::new(
            serde_json::from_slice(&self.facts().claims)
                .map_err(|error| ClaimsError { column: error.column() })?,
        );
        let shared: Arc<dyn Any + Send + Sync> = claims.clone();
        // Another type may have been kept meanwhile; this one is then used unshared.
        let _ = self.token.0.typed.set(shared);
        Ok(claims)
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for TenantAwareRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantAwareRequest")
            .field("tenant", &self.tenant)
            .field("issuer", self.issuer())
            .finish_non_exhaustive()
    }
}

/// Who calls: unique over all issuers and tenants, as `sub` alone is not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Identity<'a> {
    /// Who says so.
    pub issuer: &'a Issuer,
    /// For which tenant.
    pub tenant: &'a ProvenTenant,
    /// Whom.
    pub subject: &'a Subject,
}

/// The claims of a token are not of the type asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimsError {
    // Not the parser's own error: that may quote a value.
    column: usize,
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the claims do not have the expected form (column {})", self.column)
    }
}

impl Error for ClaimsError {}

/// Left in the extensions by an extractor that looked, is set to optional, and found no credentials.
#[derive(Clone, Debug)]
pub struct Anonymous {
    policy: Policy,
    /// Whom the request asked for.
    asked: Option<TenantId>,
}

impl Anonymous {
    /// Notes that a request under `policy` has no credentials.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self { policy: policy.clone(), asked: None }
    }

    /// Does what [`new`](Self::new) does, and keeps what a challenge has to say about the resource
    /// that was asked for: see [`Rejection::under_request`].
    #[must_use]
    pub fn for_request(policy: &Policy, request: &RequestFacts<'_>) -> Self {
        let known = policy.has_resource() && request.policy == policy.epoch();
        let asked = if known { request.asked() } else { None };
        Self { policy: policy.clone(), asked }
    }

    /// Refuses after all: the route needs a tenant.
    #[must_use]
    pub fn unauthenticated(&self) -> Rejection {
        Rejection::new(Reason::CredentialsMissing)
            .under(&self.policy)
            .about_resource(self.asked.as_ref())
    }
}
