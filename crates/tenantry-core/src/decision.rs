//! The decision: which tenant is this request, and may it be served?
//!
//! Pure functions, in the order of a request; what waits stands between them, elsewhere.
//!
//! ```text
//! agree(policy, request, token) -> Agreed              every source names one tenant
//! Agreed::admit(standing)       -> TenantAwareRequest  the directory knows it as active
//! TenantAwareRequest::require   -> ()                  its scopes suffice
//! ```
//!
//! Each tells an [`Observer`] every check it makes. The verdict does not depend on the observer:
//! all checks are made, and the first that fails, in the order of the decision, is the cause.

use crate::directory::Standing;
use crate::facts::RequestFacts;
use crate::observer::{Check, Observer, Source, Verdict};
use crate::pattern::Match;
use crate::policy::{IssuerMatch, Policy};
use crate::reason::Reason;
use crate::rejection::Rejection;
use crate::request::TenantAwareRequest;
use crate::scope::Reading;
use crate::tenant::{ProvenTenant, TenantId, is_tenant_id};
use crate::verified::{TokenFacts, Verified, VerifiedToken};

/// A verified token and the request it came with: all that name a tenant name this one.
///
/// Not yet a permission: the directory has to know the tenant. See [`admit`](Self::admit).
#[derive(Debug)]
#[must_use = "the directory has not been asked yet"]
pub struct Agreed {
    token: VerifiedToken,
    tenant: ProvenTenant,
}

/// Checks that every configured source names one tenant, byte for byte.
///
/// The tenant comes from the token's signed parts; path, header and host can only confirm it.
///
/// # Errors
///
/// - 401 when the signed parts lack a tenant, disagree, name one that the issuer does not speak
///   for, or hold a scope that the policy does not let stand; and when the token was revoked;
/// - 400 when a source that the request must have is absent;
/// - 403 when a source of the request names another tenant;
/// - 500 when the token was verified under another policy.
// INVARIANT (agreement)
pub fn agree(
    policy: &Policy,
    request: &RequestFacts<'_>,
    token: VerifiedToken,
    observer: &mut impl Observer,
) -> Result<Agreed, Rejection> {
    if !policy.is(token.policy()) || request.policy != policy.epoch() {
        return Err(Rejection::misconfigured(
            "token, request facts and decision are of different policies",
        )
        .under(policy));
    }
    let facts = token.facts();
    let mut trial = Trial { observer, cause: None };
    let signed = trial.signed_tenant(policy, token.0.issuer, facts);
    if let Some(tenant) = signed {
        trial.revocations(policy, &token.0, tenant);
        trial.scopes(policy, facts, tenant);
        trial.request_sources(policy, request, tenant);
    }
    let cause = trial.cause;
    let Some(tenant) = signed.and_then(|tenant| token.prove(tenant)) else {
        // Nothing signed names a tenant: the first failed check says why.
        let cause = cause.unwrap_or(Reason::ClaimMissing);
        return Err(Rejection::new(cause).under_request(policy, request).of_token(&token));
    };
    match cause {
        None => Ok(Agreed { token, tenant }),
        // The tenant is proven only once the token's own parts agree: 401 does not name it.
        Some(cause) if cause.error() == Some("invalid_token") => {
            Err(Rejection::new(cause).under_request(policy, request).of_token(&token))
        }
        Some(cause) => {
            let rejection = Rejection::new(cause).under_request(policy, request);
            Err(rejection.of_token(&token).for_tenant(&tenant))
        }
    }
}

impl Agreed {
    /// The tenant to ask the directory about.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Admits the request if the tenant is active.
    ///
    /// # Errors
    ///
    /// 403 when the tenant is suspended, or the directory does not know it.
    pub fn admit(
        self,
        standing: Standing,
        observer: &mut impl Observer,
    ) -> Result<TenantAwareRequest, Rejection> {
        let cause = match standing {
            Standing::Active => None,
            Standing::Suspended => Some(Reason::TenantSuspended),
            Standing::Unknown => Some(Reason::TenantUnknown),
        };
        observer.check(Check {
            source: Source::Directory,
            named: Some(self.tenant.as_str()),
            origin: "standing",
            verdict: cause.map_or(Verdict::Holds, Verdict::Fails),
        });
        match cause {
            None => Ok(TenantAwareRequest::admitted(self.token, self.tenant)),
            Some(cause) => Err(self.refuse(Rejection::new(cause))),
        }
    }

    /// Refuses because the directory could not be asked.
    #[must_use]
    pub fn refuse(self, rejection: Rejection) -> Rejection {
        let rejection = rejection.under(self.token.policy()).of_token(&self.token);
        let rejection = rejection.for_tenant(&self.tenant);
        // All that the request names is this tenant.
        rejection.about_resource(Some(&self.tenant))
    }
}

impl VerifiedToken {
    /// Makes the proof, once per token. The tenant follows from the token's signed parts and its
    /// policy, which do not change: another one is never exchanged for it.
    fn prove(&self, tenant: &str) -> Option<ProvenTenant> {
        let proven = match self.0.tenant.get() {
            Some(proven) => proven,
            None => {
                let parsed = tenant.parse().ok()?;
                self.0.tenant.get_or_init(|| ProvenTenant::proven(parsed))
            }
        };
        (proven.as_str() == tenant).then(|| proven.clone())
    }
}

/// Makes checks, tells the observer, keeps the first that failed.
struct Trial<'o, O> {
    observer: &'o mut O,
    cause: Option<Reason>,
}

impl<O: Observer> Trial<'_, O> {
    fn note(&mut self, source: Source, named: Option<&str>, origin: &str, verdict: Verdict) {
        if let Verdict::Fails(reason) = verdict {
            self.cause = self.cause.or(Some(reason));
        }
        self.observer.check(Check { source, named, origin, verdict });
    }

    /// Compares what the token's signed parts say, and returns the tenant that they name.
    fn signed_tenant<'a>(
        &mut self,
        policy: &'a Policy,
        issuer: Option<usize>,
        facts: &'a TokenFacts,
    ) -> Option<&'a str> {
        let Some(issuer) = issuer.and_then(|at| policy.issuer_at(at, facts.issuer.as_str())) else {
            self.note(Source::Issuer, None, "iss", Verdict::Fails(Reason::IssuerUnknown));
            return None;
        };
        let mut signed = None;
        self.claims(issuer, facts, &mut signed);
        self.audiences(policy, facts, &mut signed);
        if let Some(named) = issuer.tenant {
            let verdict = meets(&mut signed, named, Reason::TokenConflictIssuer);
            self.note(Source::Issuer, Some(named), issuer.policy.pattern().as_str(), verdict);
        }
        if let (Some(tenant), Some(_)) = (signed, issuer.policy.tenants()) {
            let verdict = match issuer.policy.speaks_for(tenant) {
                true => Verdict::Holds,
                false => Verdict::Fails(Reason::TenantNotOfIssuer),
            };
            self.note(
                Source::IssuerTenants,
                Some(tenant),
                issuer.policy.pattern().as_str(),
                verdict,
            );
        }
        signed
    }

    fn claims<'a>(
        &mut self,
        issuer: IssuerMatch<'_>,
        facts: &'a TokenFacts,
        signed: &mut Option<&'a str>,
    ) {
        for name in issuer.policy.tenant_claims() {
            for claim in facts.tenant_claims.iter().filter(|claim| claim.name == *name) {
                let verdict = match is_tenant_id(&claim.value) {
                    true => meets(signed, &claim.value, Reason::TokenConflictClaim),
                    false => Verdict::Fails(Reason::ClaimMalformed),
                };
                self.note(Source::Claim, Some(&claim.value), name, verdict);
            }
        }
        let configured = issuer.policy.tenant_claims();
        let present = facts.tenant_claims.iter().any(|claim| configured.contains(&claim.name));
        // INVARIANT (configured means required)
        if let (Some(name), false) = (configured.first(), present) {
            self.note(Source::Claim, None, name, Verdict::Fails(Reason::ClaimMissing));
        }
    }

    fn audiences<'a>(
        &mut self,
        policy: &Policy,
        facts: &'a TokenFacts,
        signed: &mut Option<&'a str>,
    ) {
        let mut accepted = false;
        for audience in &facts.audience {
            for pattern in policy.audiences() {
                match pattern.matches(audience) {
                    None => {}
                    Some(Match::Exact) => accepted = true,
                    Some(Match::Tenant(named)) => {
                        accepted = true;
                        let verdict = meets(signed, named, Reason::TokenConflictAudience);
                        self.note(Source::Audience, Some(named), pattern.as_str(), verdict);
                    }
                }
            }
        }
        if !accepted {
            self.note(Source::Audience, None, "aud", Verdict::Fails(Reason::AudienceMismatch));
        }
    }

    /// Authentication, so before the sources of the request: a revoked token is refused as that
    /// wherever it is sent.
    fn revocations(&mut self, policy: &Policy, token: &Verified, tenant: &str) {
        let Some(revocations) = policy.revocations() else {
            return;
        };
        let revoked = revocations.revoked_by(token, tenant, policy.clock_skew());
        self.note(
            Source::Revocations,
            Some(tenant),
            revoked.unwrap_or("list"),
            revoked.map_or(Verdict::Holds, |_| Verdict::Fails(Reason::TokenRevoked)),
        );
    }

    fn scopes(&mut self, policy: &Policy, facts: &TokenFacts, tenant: &str) {
        let origin = policy.scope_pattern().as_str();
        for token in facts.scope.tokens() {
            let verdict = match policy.scopes().read(tenant, token) {
                Reading::Ambiguous => Verdict::Fails(Reason::ScopeAmbiguous),
                Reading::Foreign if policy.refuses_foreign_scopes() => {
                    Verdict::Fails(Reason::ScopeForeign)
                }
                Reading::Foreign | Reading::Other => Verdict::Ignored,
                Reading::Own(_) => Verdict::Holds,
            };
            self.note(Source::Scope, Some(token), origin, verdict);
        }
    }

    /// Compares what the request names with what the token proved: absence first, then difference.
    fn request_sources(&mut self, policy: &Policy, request: &RequestFacts<'_>, tenant: &str) {
        let path = policy.path().map(|pattern| {
            (
                Source::Path,
                request.path.as_deref(),
                pattern.as_str(),
                true,
                Reason::TenantMissingPath,
                Reason::TenantMismatchPath,
            )
        });
        let header = policy.header().map(|name| {
            let required = policy.header_required();
            (
                Source::Header,
                request.header.as_deref(),
                name.as_str(),
                required,
                Reason::TenantMissingHeader,
                Reason::TenantMismatchHeader,
            )
        });
        let host = policy.host().map(|pattern| {
            let required = !policy.host_optional();
            (
                Source::Host,
                request.host.as_deref(),
                pattern.as_str(),
                required,
                Reason::TenantMissingHost,
                Reason::TenantMismatchHost,
            )
        });
        let sources = [path, header, host];
        for (source, named, origin, required, missing, _) in sources.into_iter().flatten() {
            if named.is_none() {
                let verdict = if required { Verdict::Fails(missing) } else { Verdict::Ignored };
                self.note(source, None, origin, verdict);
            }
        }
        for (source, named, origin, _, _, mismatch) in sources.into_iter().flatten() {
            if let Some(named) = named {
                let verdict =
                    if named == tenant { Verdict::Holds } else { Verdict::Fails(mismatch) };
                self.note(source, Some(named), origin, verdict);
            }
        }
    }
}

/// Compares `named` with what was named before it; the first to name a tenant sets it.
fn meets<'a>(signed: &mut Option<&'a str>, named: &'a str, conflict: Reason) -> Verdict {
    match *signed.get_or_insert(named) == named {
        true => Verdict::Holds,
        false => Verdict::Fails(conflict),
    }
}
