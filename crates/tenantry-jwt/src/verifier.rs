//! Verifies access tokens: cheap and offline first, the network last, the claims after the
//! signature.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::histogram;
use tenantry_core::{
    AccessToken, Algorithm, BoxFuture, Clock, Directory, Issuer, IssuerMatch, IssuerPolicy, Policy,
    Rejection, Standing, TenantId, TokenFacts, VerifiedToken, Verifier,
};
use tenantry_jwks::{FoundKey, IssuerKeys, Key, KeyError, KeyErrorKind, KeyStore};

use crate::builder::JwtVerifierBuilder;
use crate::claims::{Claims, Judged};
use crate::compact::Compact;
use crate::error::{VerifyError, VerifyErrorKind};
use crate::header::Header;
use crate::location;
use crate::seen::{Basis, Seen, SeenTokens};

/// Verifies JWT access tokens ([RFC 9068 §4]) and remembers those it verified.
///
/// See the [crate documentation](crate) for the order of the checks and an example.
///
/// [RFC 9068 §4]: https://www.rfc-editor.org/rfc/rfc9068#section-4
pub struct JwtVerifier {
    pub(crate) policy: Policy,
    pub(crate) keys: KeyStore,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seen: SeenTokens,
    pub(crate) cache_bytes: u64,
}

impl JwtVerifier {
    /// Starts a verifier that judges by `policy`.
    ///
    /// `keys` may hold keys already ([`KeyStore::pin`]); those of other issuers come from where the
    /// policy says. `directory` is asked for the tenants of issuers with `{tenant}` in their
    /// pattern, and for nothing else. `clock` tells the time that lifetimes are compared with.
    pub fn builder(
        policy: Policy,
        keys: KeyStore,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
    ) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(policy, keys, directory, clock)
    }

    /// Starts a verifier that takes the place of this one under another policy.
    ///
    /// It has the same clock, key settings and bound on memory, and takes over the keys of every
    /// issuer whose keys come from the same place as before, so that nothing is fetched again.
    /// Tokens are verified anew: a new policy may mean something else by them.
    pub fn successor(&self, policy: Policy, directory: Arc<dyn Directory>) -> JwtVerifierBuilder {
        let keys = self.keys.successor(|issuer| {
            let IssuerMatch { policy, tenant } = policy.issuer_for(issuer.as_str())?;
            let tenant = tenant.map(str::parse).transpose().ok()?;
            Some((location::source(policy, tenant.as_ref()).ok()?, tenant.is_none()))
        });
        JwtVerifierBuilder::new(policy, keys, directory, Arc::clone(&self.clock))
            .with_cache_bytes(self.cache_bytes)
    }

    /// Returns the policy it judges by.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the keys of the issuers, for readiness and to fetch them before the first request.
    #[must_use]
    pub const fn keys(&self) -> &KeyStore {
        &self.keys
    }

    /// Verifies `token`, without looking whether it was seen before, and remembers it.
    ///
    /// # Errors
    ///
    /// By the first check that fails, in the order of the [crate documentation](crate). With
    /// [`KeysUnavailable`](VerifyErrorKind::KeysUnavailable) and
    /// [`Directory`](VerifyErrorKind::Directory) the token was not judged.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing but its answer: a fetch of keys goes on for others.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, VerifyError> {
        if token.len() > self.policy.max_token_bytes() {
            return Err(VerifyErrorKind::TooLarge.into());
        }
        self.verify_shared(AccessToken::new(token)).await
    }

    async fn verify_shared(&self, token: AccessToken) -> Result<VerifiedToken, VerifyError> {
        let started = self.clock.monotonic();
        let verified = self.verify_now(token).await;
        let took = self.clock.monotonic().saturating_sub(started);
        self.record(&verified, took);
        verified
    }

    /// Records how long a verification took, its keys included.
    // INVARIANT (secrets stay in): the issuer is as the policy writes it, never as the token does.
    fn record(&self, verified: &Result<VerifiedToken, VerifyError>, took: Duration) {
        let issuer = match verified {
            Ok(token) => {
                let issuer = token.issuer_index().and_then(|at| self.policy.issuers().get(at));
                issuer.map(|issuer| issuer.pattern().as_str())
            }
            Err(error) => error.issuer(),
        };
        let issuer = issuer.unwrap_or_default().to_owned();
        histogram!("tenantry_verification_seconds", "issuer" => issuer).record(took);
    }

    async fn verify_now(&self, token: AccessToken) -> Result<VerifiedToken, VerifyError> {
        let compact = Compact::parse(token.as_str(), self.policy.max_token_bytes())?;
        let header = Header::parse(&compact.header)?;
        let claims = Claims::parse(&compact.payload)?;

        let iss = claims.issuer()?;
        // INVARIANT (isolation): from here on, this issuer's rules and keys and no others.
        let issuer = self.policy.issuer_for(iss).ok_or(VerifyErrorKind::Issuer)?;
        let judged = self.judge(iss, issuer, &header, &compact, &claims).await;
        let named = issuer.policy.pattern();
        let (mut facts, tenant, keys, basis) = judged.map_err(|error| error.at_issuer(named))?;
        drop(claims);
        facts.claims = compact.payload.into_boxed_slice();
        let verified = VerifiedToken::assert_verified(&self.policy, facts).keep(token.clone());
        self.seen.insert(token, Seen { token: verified.clone(), tenant, keys, basis });
        Ok(verified)
    }

    /// Judges a token by the rules of the issuer that it names.
    async fn judge(
        &self,
        iss: &str,
        IssuerMatch { policy: issuer, tenant }: IssuerMatch<'_>,
        header: &Header<'_>,
        compact: &Compact<'_>,
        claims: &Claims<'_>,
    ) -> Result<(TokenFacts, Option<TenantId>, Arc<IssuerKeys>, Basis), VerifyError> {
        let policy = self.policy.epoch();
        let algorithm = allowed(header, issuer)?;
        header.require_type(issuer.profile())?;
        let tenant = match tenant {
            Some(tenant) => Some(self.known(tenant, issuer).await?),
            None => None,
        };

        // INVARIANT (no network for strangers): nothing was fetched before this.
        let keys = self.keys_of(iss, issuer, tenant.as_ref())?;
        let FoundKey { key, epoch } =
            keys.key(header.kid.as_deref(), algorithm).await.map_err(unavailable_or_unknown)?;
        check_signature(compact, &key, algorithm)?;

        // After the last await: the keys may have been long in coming.
        let Judged { facts, valid } = claims.judge(&self.policy, issuer, self.clock.unix())?;
        Ok((facts, tenant, keys, Basis { policy, keys: epoch, valid }))
    }

    /// INVARIANT (no network for strangers): anybody can name a tenant in an `iss` that fits a
    /// pattern, so the directory must know it before its keys are looked for. Trusting the issuer
    /// to know its tenants is no answer here: which issuer it is depends on the tenant.
    async fn known(&self, tenant: &str, issuer: &IssuerPolicy) -> Result<TenantId, VerifyError> {
        let tenant: TenantId = tenant.parse().map_err(|_| VerifyErrorKind::Issuer)?;
        if !issuer.speaks_for(tenant.as_str()) || self.directory.trusts_issuers() {
            return Err(VerifyErrorKind::Issuer.into());
        }
        let standing = match self.directory.cached(&tenant) {
            Some(standing) => standing,
            None => Arc::clone(&self.directory)
                .fresh(tenant.clone())
                .await
                .map_err(VerifyError::directory)?,
        };
        match standing {
            // Whether a suspended tenant is admitted is for the decision to say, after the
            // signature: before it, the answer would tell strangers.
            Standing::Active | Standing::Suspended => Ok(tenant),
            Standing::Unknown => Err(VerifyErrorKind::Issuer.into()),
        }
    }

    /// INVARIANT (isolation): the keys of this `iss`, found by the whole of it.
    fn keys_of(
        &self,
        iss: &str,
        issuer: &IssuerPolicy,
        tenant: Option<&TenantId>,
    ) -> Result<Arc<IssuerKeys>, VerifyError> {
        if let Some(keys) = self.keys.get(iss) {
            return Ok(keys);
        }
        // A key set in the policy was read before, when this verifier was built.
        let source = location::source(issuer, tenant).map_err(|error| {
            VerifyError::new(VerifyErrorKind::KeysUnavailable).with_source(error)
        })?;
        Ok(self.keys.get_or_insert(&Issuer::new(iss), || source))
    }

    /// Whether the tenant of a remembered token's issuer is known still, from memory.
    fn still_known(&self, tenant: &TenantId) -> bool {
        matches!(self.directory.cached(tenant), Some(Standing::Active | Standing::Suspended))
    }
}

/// The algorithm is the issuer's choice, from a list; the header may name one of these
/// ([RFC 8725 §3.1]).
///
/// [RFC 8725 §3.1]: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
fn allowed(header: &Header<'_>, issuer: &IssuerPolicy) -> Result<Algorithm, VerifyErrorKind> {
    header
        .algorithm()
        .filter(|alg| issuer.algorithms().contains(alg))
        .ok_or(VerifyErrorKind::Algorithm)
}

fn unavailable_or_unknown(error: KeyError) -> VerifyError {
    let kind = match error.kind() {
        KeyErrorKind::Ambiguous => VerifyErrorKind::KeyAmbiguous,
        KeyErrorKind::Unknown => VerifyErrorKind::KeyUnknown,
        // INVARIANT (cannot judge is not invalid), for kinds to come as well.
        _ => VerifyErrorKind::KeysUnavailable,
    };
    VerifyError::new(kind).with_retry_after(error.retry_after())
}

fn check_signature(
    compact: &Compact<'_>,
    key: &Key,
    algorithm: Algorithm,
) -> Result<(), VerifyErrorKind> {
    key.verify(algorithm, compact.signing_input.as_bytes(), &compact.signature)
        .map_err(|_| VerifyErrorKind::Signature)
}

/// Checks the signature of a JWS in compact serialization and returns its payload.
///
/// It is the part of [`JwtVerifier::verify`] between the size limit and the claims, with the key
/// given: three parts in canonical base64url, the header's hygiene, an algorithm that the key fits,
/// the signature. For conformance vectors and diagnosis, which work below the claims.
///
/// # Errors
///
/// [`TooLarge`](VerifyErrorKind::TooLarge), [`Malformed`](VerifyErrorKind::Malformed),
/// [`Extension`](VerifyErrorKind::Extension), [`Algorithm`](VerifyErrorKind::Algorithm) if it is no
/// signature algorithm that is supported, [`KeyUnknown`](VerifyErrorKind::KeyUnknown) if the key
/// does not fit it, [`Signature`](VerifyErrorKind::Signature).
///
/// # Security
///
/// Nothing of what the payload says was judged, and nobody looked whose key this is.
pub fn verify_signature(token: &str, max_bytes: usize, key: &Key) -> Result<Vec<u8>, VerifyError> {
    let compact = Compact::parse(token, max_bytes)?;
    let header = Header::parse(&compact.header)?;
    let algorithm = header.algorithm().ok_or(VerifyErrorKind::Algorithm)?;
    if !key.fits(algorithm) {
        return Err(VerifyErrorKind::KeyUnknown.into());
    }
    check_signature(&compact, key, algorithm)?;
    Ok(compact.payload)
}

impl Verifier for JwtVerifier {
    fn cached(&self, token: &str) -> Option<VerifiedToken> {
        self.seen
            .get(token, self.clock.unix(), self.policy.epoch(), |tenant| self.still_known(tenant))
    }

    fn fresh(self: Arc<Self>, token: AccessToken) -> BoxFuture<Result<VerifiedToken, Rejection>> {
        Box::pin(async move { self.verify_shared(token).await.map_err(Rejection::from) })
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier").field("seen", &self.seen).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use VerifyErrorKind::{
        Algorithm as Alg, ClaimMissing, Directory as DirectoryDown, Extension, KeyAmbiguous,
        KeyUnknown, KeysUnavailable, Malformed, Signature, TooLarge, Type,
    };
    use tenantry_core::{
        IssuerSettings, KeyLocation, Reason, StaticDirectory, TokenProfile, TrustIssuers,
    };

    use crate::testing::{JWKS, Signer, Stage, Tenants, claims, encode, issuer, jwks, policy};

    async fn kind(stage: &Stage, token: &str) -> Option<VerifyErrorKind> {
        stage.verifier.verify(token).await.err().map(|error| error.kind())
    }

    #[tokio::test]
    async fn a_good_token_is_verified_and_carries_its_claims() {
        for signer in [Signer::ed25519("k1"), Signer::es256("k1")] {
            let stage = Stage::usual(&[&signer]);
            let claims = claims(&[("extra", r#"{"a":[1]}"#)]);

            let verified = stage.verifier.verify(&signer.token(&claims)).await.unwrap();

            assert_eq!(verified.facts().issuer.as_str(), "https://as.example");
            assert_eq!(&*verified.facts().claims, claims.as_bytes());
            assert_eq!(verified.policy().epoch(), stage.verifier.policy().epoch());
        }
    }

    #[tokio::test]
    async fn nothing_is_fetched_for_a_token_that_is_refused_before_its_key() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let good = signer.token(&claims(&[]));
        let (header, payload, signature) = {
            let mut parts = good.split('.');
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
        };
        let header_of = |json: &str| signer.token_with(json, &claims(&[]));
        let claims_of = |changes: &[(&str, &str)]| signer.token(&claims(changes));
        let padding = "x".repeat(16 * 1024);

        for (what, token, expected) in [
            ("size", signer.token(&claims(&[("padding", &format!("{padding:?}"))])), TooLarge),
            ("two parts", format!("{header}.{payload}"), Malformed),
            ("five parts", format!("{good}.{payload}.{signature}"), Malformed),
            ("padding", format!("{header}=.{payload}.{signature}"), Malformed),
            ("blank", format!(" {good}"), Malformed),
            ("header no JSON", format!("{}.{payload}.{signature}", encode("{")), Malformed),
            (
                "header alg twice",
                header_of(r#"{"alg":"none","alg":"EdDSA","typ":"at+jwt"}"#),
                Malformed,
            ),
            ("crit", header_of(r#"{"alg":"EdDSA","typ":"at+jwt","crit":["x"],"x":1}"#), Extension),
            ("b64", header_of(r#"{"alg":"EdDSA","typ":"at+jwt","b64":true}"#), Extension),
            ("zip", header_of(r#"{"alg":"EdDSA","typ":"at+jwt","zip":"DEF"}"#), Extension),
            ("claims no JSON", signer.token("x"), Malformed),
            (
                "claims iss twice",
                signer.token(r#"{"iss":"https://as.example","iss":"https://as.example"}"#),
                Malformed,
            ),
            ("no iss", claims_of(&[("iss", "")]), ClaimMissing),
            (
                "iss a list",
                claims_of(&[("iss", r#"["https://as.example"]"#)]),
                VerifyErrorKind::ClaimMalformed,
            ),
            (
                "another iss",
                claims_of(&[("iss", r#""https://evil.example""#)]),
                VerifyErrorKind::Issuer,
            ),
            (
                "iss with a slash",
                claims_of(&[("iss", r#""https://as.example/""#)]),
                VerifyErrorKind::Issuer,
            ),
            (
                "iss a prefix",
                claims_of(&[("iss", r#""https://as.exampl""#)]),
                VerifyErrorKind::Issuer,
            ),
            (
                "iss in capitals",
                claims_of(&[("iss", r#""HTTPS://as.example""#)]),
                VerifyErrorKind::Issuer,
            ),
            ("none", header_of(r#"{"alg":"none","typ":"at+jwt"}"#), Alg),
            ("HS256", header_of(r#"{"alg":"HS256","typ":"at+jwt"}"#), Alg),
            ("not in the list", header_of(r#"{"alg":"ES384","typ":"at+jwt"}"#), Alg),
            ("typ JWT", header_of(r#"{"alg":"EdDSA","typ":"JWT"}"#), Type),
            ("no typ", header_of(r#"{"alg":"EdDSA"}"#), Type),
            ("DPoP proof", header_of(r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#), Type),
        ] {
            assert_eq!(kind(&stage, &token).await, Some(expected), "{what}");
        }

        assert_eq!(stage.network.calls(), 0);
        // And it would have been fetched for a good one.
        assert_eq!(kind(&stage, &good).await, None);
        assert_eq!(stage.network.calls(), 1);
    }

    #[tokio::test]
    async fn the_order_of_the_checks_is_that_of_the_documentation() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        // Each token fails at one step and at all that come later.
        let worst = claims(&[("iss", r#""https://evil.example""#), ("exp", "1")]);
        let bad = claims(&[("exp", "1"), ("cnf", "{}")]);

        let crit = r#"{"alg":"none","typ":"x","crit":[]}"#;
        assert_eq!(kind(&stage, &signer.token_with(crit, &worst)).await, Some(Extension));
        let none = r#"{"alg":"none","typ":"x"}"#;
        assert_eq!(
            kind(&stage, &signer.token_with(none, &worst)).await,
            Some(VerifyErrorKind::Issuer)
        );
        assert_eq!(kind(&stage, &signer.token_with(none, &bad)).await, Some(Alg));
        let typ = r#"{"alg":"EdDSA","typ":"x","kid":"k9"}"#;
        assert_eq!(kind(&stage, &signer.token_with(typ, &bad)).await, Some(Type));
        let kid = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k9"}"#;
        assert_eq!(kind(&stage, &signer.token_with(kid, &bad)).await, Some(KeyUnknown));
        let forged = Signer::ed25519("k1").token(&bad);
        assert_eq!(kind(&stage, &forged).await, Some(Signature));
        assert_eq!(kind(&stage, &signer.token(&bad)).await, Some(VerifyErrorKind::Bound));
        let late = claims(&[("exp", "1"), ("jti", "")]);
        assert_eq!(kind(&stage, &signer.token(&late)).await, Some(VerifyErrorKind::Expired));
    }

    #[tokio::test]
    async fn a_signature_holds_for_its_text_and_key_only() {
        let (signer, other) = (Signer::ed25519("k1"), Signer::ed25519("k2"));
        let stage = Stage::usual(&[&signer, &other]);
        let token = signer.token(&claims(&[]));
        let (input, signature) = token.rsplit_once('.').unwrap();

        for (what, forged) in [
            ("no signature", format!("{input}.")),
            ("a zero byte", format!("{input}.AA")),
            (
                "another text",
                format!(
                    "{}.{signature}",
                    signer.token(&claims(&[("sub", r#""x""#)])).rsplit_once('.').unwrap().0
                ),
            ),
            ("another key's name", other.token_with(&signer.header(), &claims(&[]))),
            ("a key of nobody", Signer::ed25519("k1").token(&claims(&[]))),
        ] {
            assert_eq!(kind(&stage, &forged).await, Some(Signature), "{what}");
        }
        assert_eq!(kind(&stage, &token).await, None);
    }

    #[tokio::test]
    async fn a_key_in_the_header_is_not_used() {
        let (signer, evil) = (Signer::ed25519("k1"), Signer::ed25519("evil"));
        let stage = Stage::usual(&[&signer]);
        let header = |kid: &str| {
            let jwk = evil.jwk();
            format!(
                r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}","jwk":{jwk},"jku":"https://evil.example/jwks"}}"#
            )
        };

        assert_eq!(
            kind(&stage, &evil.token_with(&header("evil"), &claims(&[]))).await,
            Some(KeyUnknown)
        );
        assert_eq!(
            kind(&stage, &evil.token_with(&header("k1"), &claims(&[]))).await,
            Some(Signature)
        );
        assert_eq!(kind(&stage, &signer.token_with(&header("k1"), &claims(&[]))).await, None);
    }

    #[tokio::test]
    async fn ed25519_is_a_name_of_eddsa() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let header = r#"{"alg":"Ed25519","typ":"at+jwt","kid":"k1"}"#;

        assert_eq!(kind(&stage, &signer.token_with(header, &claims(&[]))).await, None);
    }

    #[tokio::test]
    async fn without_kid_a_token_is_judged_only_if_one_key_fits() {
        let header = r#"{"alg":"EdDSA","typ":"at+jwt"}"#;
        let (first, second, ec) =
            (Signer::ed25519("k1"), Signer::ed25519("k2"), Signer::es256("k3"));
        let token = first.token_with(header, &claims(&[]));

        assert_eq!(kind(&Stage::usual(&[&first, &ec]), &token).await, None);
        assert_eq!(kind(&Stage::usual(&[&first, &second]), &token).await, Some(KeyAmbiguous));
        assert_eq!(kind(&Stage::usual(&[&ec]), &token).await, Some(KeyUnknown));
    }

    #[tokio::test]
    async fn an_issuer_is_judged_by_its_own_keys_and_rules() {
        let (one, two) = (Signer::ed25519("k1"), Signer::ed25519("k1"));
        let issuers = policy().issuer(issuer().tenants(["tenant1"])).issuer(
            IssuerSettings::new("https://two.example")
                .jwks_uri("https://two.example/jwks")
                .algorithms([Algorithm::Es256])
                .tenants(["tenant2"]),
        );
        let stage = Stage::new(issuers);
        stage.network.serve(JWKS, jwks(&[&one]));
        stage.network.serve("https://two.example/jwks", jwks(&[&two]));

        assert_eq!(kind(&stage, &one.token(&claims(&[]))).await, None);
        // The same `kid` and algorithm, another issuer's key.
        assert_eq!(kind(&stage, &two.token(&claims(&[]))).await, Some(Signature));
        let of_two = claims(&[("iss", r#""https://two.example""#)]);
        assert_eq!(kind(&stage, &two.token(&of_two)).await, Some(Alg));
    }

    #[tokio::test]
    async fn the_profile_is_the_issuers() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::new(policy().issuer(issuer().profile(TokenProfile::Jwt)));
        stage.network.serve(JWKS, jwks(&[&signer]));
        let jwt = r#"{"alg":"EdDSA","typ":"JWT","kid":"k1"}"#;

        assert_eq!(kind(&stage, &signer.token_with(jwt, &claims(&[]))).await, None);
        let id_token = claims(&[("nonce", r#""n""#)]);
        assert_eq!(kind(&stage, &signer.token_with(jwt, &id_token)).await, Some(Type));
    }

    #[tokio::test]
    async fn keys_that_cannot_be_had_are_no_verdict_on_the_token() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::new(policy().issuer(issuer()));

        let error = stage.verifier.verify(&signer.token(&claims(&[]))).await.unwrap_err();
        assert_eq!(error.kind(), KeysUnavailable);
        assert_eq!(
            error.to_string(),
            "the issuer's keys are unavailable (issuer https://as.example)"
        );
        assert_eq!(error.issuer(), Some("https://as.example"));
        let rejection = Rejection::from(error);
        assert_eq!(rejection.reason(), Reason::KeysUnavailable);
        let response = rejection.to_response();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
    }

    fn pattern() -> IssuerSettings {
        IssuerSettings::new("https://as.example/{tenant}")
            .jwks_uri("https://as.example/{tenant}/jwks")
    }

    fn of(iss: &str) -> String {
        claims(&[("iss", &format!("{iss:?}"))])
    }

    #[tokio::test]
    async fn nothing_is_fetched_for_a_tenant_of_a_pattern_that_the_directory_does_not_know() {
        let signer = Signer::ed25519("k1");
        let known = Tenants::of(&["tenant1", "suspended", "unlisted"]);
        let listed = pattern().tenants(["tenant1", "tenant9", "suspended"]);
        let stage = Stage::with(policy().issuer(listed), known.clone(), |builder| builder);
        for tenant in ["tenant1", "tenant9", "suspended", "unlisted"] {
            stage.network.serve(&format!("https://as.example/{tenant}/jwks"), jwks(&[&signer]));
        }
        let token = |tenant: &str| signer.token(&of(&format!("https://as.example/{tenant}")));
        let unknown = Some(VerifyErrorKind::Issuer);

        // At hand, and when it has to be asked.
        for asked in [0, 1] {
            assert_eq!(kind(&stage, &token("tenant9")).await, unknown);
            assert_eq!(known.asked(), asked);
            assert_eq!(kind(&stage, &token("unlisted")).await, unknown);
            assert_eq!(kind(&stage, &token("no.id")).await, unknown);
            assert_eq!(known.asked(), asked, "not even the directory is asked");
            assert_eq!(stage.network.calls(), 0);
            known.forget();
        }
        // What is refused for its algorithm or type does not get as far as the directory.
        let none = signer
            .token_with(r#"{"alg":"none","typ":"at+jwt"}"#, &of("https://as.example/tenant1"));
        assert_eq!(kind(&stage, &none).await, Some(Alg));
        assert_eq!(known.asked(), 1);

        assert_eq!(kind(&stage, &token("tenant1")).await, None);
        assert_eq!(kind(&stage, &token("suspended")).await, None);
        assert_eq!(stage.network.calls(), 2);
    }

    #[tokio::test]
    async fn a_directory_that_trusts_issuers_knows_no_tenant_of_a_pattern() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::new(policy().issuer(pattern()));
        stage.network.serve("https://as.example/tenant1/jwks", jwks(&[&signer]));

        let token = signer.token(&of("https://as.example/tenant1"));
        assert_eq!(kind(&stage, &token).await, Some(VerifyErrorKind::Issuer));
        assert_eq!(stage.network.calls(), 0);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_asked_is_no_verdict_on_the_token() {
        let signer = Signer::ed25519("k1");
        let known = Tenants::of(&["tenant1"]);
        known.fail();
        let stage = Stage::with(policy().issuer(pattern()), known, |builder| builder);

        let token = signer.token(&of("https://as.example/tenant1"));
        let error = stage.verifier.verify(&token).await.unwrap_err();
        assert_eq!(error.kind(), DirectoryDown);
        let response = Rejection::from(error).to_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(stage.network.calls(), 0);
    }

    #[tokio::test]
    async fn each_tenant_of_a_pattern_has_keys_of_its_own() {
        let (one, two) = (Signer::ed25519("k1"), Signer::ed25519("k1"));
        let known = Tenants::of(&["tenant1", "tenant2"]);
        let stage = Stage::with(policy().issuer(pattern()), known, |builder| builder);
        stage.network.serve("https://as.example/tenant1/jwks", jwks(&[&one]));
        stage.network.serve("https://as.example/tenant2/jwks", jwks(&[&two]));

        assert_eq!(kind(&stage, &one.token(&of("https://as.example/tenant1"))).await, None);
        assert_eq!(kind(&stage, &two.token(&of("https://as.example/tenant2"))).await, None);
        assert_eq!(
            kind(&stage, &one.token(&of("https://as.example/tenant2"))).await,
            Some(Signature)
        );
        assert_eq!(
            kind(&stage, &two.token(&of("https://as.example/tenant1"))).await,
            Some(Signature)
        );
    }

    #[tokio::test]
    async fn keys_that_were_pinned_before_are_kept() {
        let (pinned, published) = (Signer::ed25519("k1"), Signer::ed25519("k1"));
        let mut stage = Stage::usual(&[&published]);
        let source = tenantry_jwks::KeySource::jwks(&jwks(&[&pinned])).unwrap();
        let mut keys = KeyStore::new(
            tenantry_jwks::KeySettings::default(),
            stage.network.clone(),
            stage.clock.clone(),
        );
        keys.pin(Issuer::new("https://as.example"), source);
        let policy = stage.verifier.policy().clone();
        let builder =
            JwtVerifier::builder(policy, keys, Arc::new(TrustIssuers), stage.clock.clone());
        stage.verifier = builder.build().unwrap();

        assert_eq!(kind(&stage, &pinned.token(&claims(&[]))).await, None);
        assert_eq!(stage.network.calls(), 0);
    }

    #[test]
    fn keys_in_the_policy_that_cannot_be_read_stop_the_start() {
        let network = Arc::new(crate::testing::Network::default());
        let clock = crate::testing::ManualClock::at(0);
        for location in [KeyLocation::Jwks("{}".into()), KeyLocation::Pem("nothing".into())] {
            let settings = IssuerSettings::new("https://as.example").keys(location);
            let policy = policy().issuer(settings).build().unwrap();
            let keys = KeyStore::new(Default::default(), network.clone(), clock.clone());
            let directory = Arc::new(StaticDirectory::default());
            let error =
                JwtVerifier::builder(policy, keys, directory, clock.clone()).build().unwrap_err();
            assert_eq!(error.issuer(), "https://as.example");
            assert!(std::error::Error::source(&error).is_some());
        }
    }

    #[test]
    fn what_needs_no_fetch_is_ready_at_the_first_poll() {
        let signer = Signer::ed25519("k1");
        let keys = KeyLocation::Jwks(jwks(&[&signer]).into());
        let stage = Stage::new(policy().issuer(issuer().keys(keys)));
        let verifier = Arc::new(stage.verifier);
        let token = AccessToken::new(signer.token(&claims(&[])));

        let mut fresh = verifier.fresh(token);
        let polled = fresh.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(_))));
    }

    #[tokio::test]
    async fn every_kind_becomes_the_rejection_of_its_name() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let verifier = Arc::new(stage.verifier);
        for (token, reason) in [
            ("x".repeat(16 * 1024 + 1), Reason::TokenTooLarge),
            ("x".into(), Reason::TokenMalformed),
            (
                signer.token_with(r#"{"alg":"EdDSA","crit":[]}"#, &claims(&[])),
                Reason::TokenExtension,
            ),
            (signer.token(&of("https://evil.example")), Reason::IssuerUnknown),
            (signer.token_with(r#"{"alg":"none"}"#, &claims(&[])), Reason::AlgorithmNotAllowed),
            (signer.token_with(r#"{"alg":"EdDSA"}"#, &claims(&[])), Reason::TokenType),
            (Signer::ed25519("k2").token(&claims(&[])), Reason::KeyUnknown),
            (Signer::ed25519("k1").token(&claims(&[])), Reason::SignatureInvalid),
            (signer.token(&claims(&[("cnf", "{}")])), Reason::TokenBound),
            (signer.token(&claims(&[("aud", r#""x""#)])), Reason::AudienceMismatch),
            (signer.token(&claims(&[("exp", "1")])), Reason::TokenExpired),
            (signer.token(&claims(&[("nbf", "1790000099")])), Reason::TokenNotYetValid),
            (signer.token(&claims(&[("jti", "")])), Reason::ClaimMissing),
            (signer.token(&claims(&[("jti", "1")])), Reason::ClaimMalformed),
        ] {
            let rejection = Arc::clone(&verifier).fresh(AccessToken::new(token)).await.unwrap_err();
            assert_eq!(rejection.reason(), reason);
            assert_eq!(rejection.to_response().status(), 401, "{reason:?}");
        }
    }

    #[tokio::test]
    async fn nothing_of_a_token_gets_into_an_error() {
        let signer = Signer::ed25519("secret-kid");
        let stage = Stage::usual(&[&Signer::ed25519("k1")]);
        for changes in [
            &[("sub", r#""secret-sub""#), ("cnf", r#""secret-cnf""#)][..],
            &[("jti", r#"["secret-jti"]"#)],
            &[("iss", r#""https://secret.example""#)],
        ] {
            let error = stage.verifier.verify(&signer.token(&claims(changes))).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        assert!(!format!("{:?}", stage.verifier).contains("secret"));
    }

    #[test]
    fn the_signature_level_alone_judges_form_header_key_and_signature() {
        let (signer, other, ec) =
            (Signer::ed25519("k1"), Signer::ed25519("k1"), Signer::es256("k1"));
        let key = |signer: &Signer| {
            let set = tenantry_jwks::KeySet::parse(jwks(&[signer]).as_bytes()).unwrap();
            Arc::clone(&set.keys()[0])
        };
        let kind = |token: &str, signer: &Signer| {
            verify_signature(token, 1000, &key(signer)).map_err(|error| error.kind())
        };
        let token = signer.token("no JSON");

        assert_eq!(kind(&token, &signer), Ok(b"no JSON".to_vec()));
        assert_eq!(kind(&token, &other), Err(Signature));
        assert_eq!(kind(&token, &ec), Err(KeyUnknown));
        assert_eq!(kind(&signer.token_with(r#"{"alg":"HS256"}"#, ""), &signer), Err(Alg));
        assert_eq!(
            kind(&signer.token_with(r#"{"alg":"EdDSA","crit":[]}"#, ""), &signer),
            Err(Extension)
        );
        assert_eq!(kind("..", &signer), Err(Malformed));
        assert_eq!(kind(&"x".repeat(1001), &signer), Err(TooLarge));
    }

    #[tokio::test]
    async fn a_token_that_expires_while_its_key_is_fetched_is_expired() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let token = signer.token(&claims(&[("exp", "1790000010")]));
        let clock = Arc::clone(&stage.clock);
        let later = Duration::from_secs(1_790_000_040);
        stage.network.meanwhile(move || clock.set_unix(later));

        assert_eq!(kind(&stage, &token).await, Some(VerifyErrorKind::Expired));
        assert_eq!(stage.network.calls(), 1);
    }
}
