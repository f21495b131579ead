//! Remembers tokens that were verified.
//!
//! INVARIANT (cache the identity): what is remembered is who the token speaks for, never what that
//! permits. Scopes, standing and the request are judged each time, elsewhere. The time and the
//! epochs of all that a verification rests on are compared at each hit, so that a remembered answer
//! equals a fresh one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{AccessToken, Epoch, TenantId, VerifiedToken};
use tenantry_jwks::IssuerKeys;

use crate::generations::Generations;

/// The cache: bounded in bytes, keyed by the whole text of the token.
///
/// The hash is seeded and only finds the place: the text is compared in full, so two tokens never
/// share an entry. A token that expires and never comes again goes with its generation.
#[derive(Debug)]
pub(crate) struct SeenTokens {
    tokens: Option<Generations<Arc<Seen>>>,
}

/// A verified token, and what its verification rests on.
pub(crate) struct Seen {
    pub(crate) token: VerifiedToken,
    /// The tenant of the issuer, where the issuer was found by pattern.
    pub(crate) tenant: Option<TenantId>,
    /// The keys of its issuer, to ask for their epoch.
    pub(crate) keys: Arc<IssuerKeys>,
    pub(crate) basis: Basis,
}

/// When, and under which policy and keys, a verification holds.
#[derive(Debug)]
pub(crate) struct Basis {
    /// Of the policy, taken before the token was verified.
    pub(crate) policy: Epoch,
    /// Of the issuer's keys, taken before one was looked up.
    pub(crate) keys: Epoch,
    /// When the token may be accepted, skew included.
    pub(crate) valid: Range<Duration>,
}

impl Basis {
    /// Whether verifying again would be done by the same rules and keys, and at a good time.
    ///
    /// `keys` is `None` while there are no keys to judge by: then nothing holds.
    pub(crate) fn holds(&self, now: Duration, policy: Epoch, keys: Option<Epoch>) -> bool {
        self.valid.contains(&now) && self.policy == policy && keys == Some(self.keys)
    }
}

impl SeenTokens {
    /// Remembers up to `max_bytes` bytes of tokens and facts; with 0, nothing.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        Self { tokens: (max_bytes > 0).then(|| Generations::new(max_bytes)) }
    }

    /// Returns the verified token if it still holds; `known` tells whether the tenant of a pattern's
    /// issuer is still known.
    pub(crate) fn get(
        &self,
        token: &str,
        now: Duration,
        policy: Epoch,
        known: impl Fn(&TenantId) -> bool,
    ) -> Option<VerifiedToken> {
        let tokens = self.tokens.as_ref()?;
        let found = tokens.get(token, |seen| {
            if !seen.basis.holds(now, policy, seen.keys.epoch()) {
                return Err(Stale);
            }
            // An answer that is not at hand may come back: the entry stays.
            let known = seen.tenant.as_ref().is_none_or(&known);
            Ok(known.then(|| seen.token.clone()))
        })?;
        match found {
            Ok(verified) => verified,
            Err(Stale) => {
                tokens.remove(token);
                None
            }
        }
    }

    pub(crate) fn insert(&self, token: AccessToken, seen: Seen) {
        if let Some(tokens) = &self.tokens {
            let weight = weight(token.as_str(), &seen);
            tokens.insert(token.into(), Arc::new(seen), weight);
        }
    }

    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        self.tokens.as_ref().map_or((0, 0), Generations::size)
    }
}

/// What was remembered does not hold any more.
struct Stale;

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("basis", &self.basis).finish_non_exhaustive()
    }
}

/// Roughly the bytes that an entry holds: the token, the claims and the parts of them that are
/// copied out (and once more as a type of the user's), the blocks these are in, and the map's own.
fn weight(token: &str, seen: &Seen) -> usize {
    const ENTRY: usize = 1024;
    const BLOCK: usize = 48;
    let facts = seen.token.facts();
    let blocks =
        facts.audience.len() + facts.scope.tokens().count() + 2 * facts.tenant_claims.len();
    ENTRY + token.len() + 3 * facts.claims.len() + BLOCK * blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::HashMap;

    use proptest::prelude::*;
    use tenantry_core::{Algorithm, IssuerSettings, Policy, PolicyBuilder, Verifier};

    use crate::testing::{JWKS, NOW, Signer, Stage, Tenants, claims, issuer, jwks, policy, settle};

    #[test]
    fn a_verification_holds_in_its_time_under_its_policy_and_keys() {
        let (policy, keys) = (Epoch::new(), Epoch::new());
        let seconds = Duration::from_secs;
        let basis = Basis { policy, keys, valid: seconds(10)..seconds(20) };

        assert!(basis.holds(seconds(10), policy, Some(keys)));
        assert!(basis.holds(seconds(19), policy, Some(keys)));
        assert!(!basis.holds(seconds(20), policy, Some(keys)));
        assert!(!basis.holds(seconds(9), policy, Some(keys)));
        assert!(!basis.holds(seconds(10), Epoch::new(), Some(keys)));
        assert!(!basis.holds(seconds(10), policy, Some(Epoch::new())));
        assert!(!basis.holds(seconds(10), policy, None));
    }

    #[tokio::test]
    async fn a_verified_token_is_remembered_and_only_in_full() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let token = signer.token(&claims(&[("scope", r#""a b""#)]));
        assert!(stage.verifier.cached(&token).is_none());

        let fresh = stage.verifier.verify(&token).await.unwrap();
        let cached = stage.verifier.cached(&token).unwrap();

        assert!(same(&fresh, &cached));
        assert!(stage.verifier.cached(&token[..token.len() - 1]).is_none());
        assert!(stage.verifier.cached(&format!("{token}A")).is_none());
        assert!(stage.verifier.cached("").is_none());
    }

    #[tokio::test]
    async fn a_refused_token_is_not_remembered() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let token = signer.token(&claims(&[("aud", r#""https://other.example""#)]));
        assert!(stage.verifier.verify(&token).await.is_err());
        assert!(stage.verifier.cached(&token).is_none());
    }

    #[tokio::test]
    async fn a_remembered_token_expires_by_the_second() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let token = signer.token(&claims(&[("exp", "1790000300"), ("iat", "1789999990")]));
        stage.verifier.verify(&token).await.unwrap();

        for (unix, held) in [(1_790_000_329, true), (1_789_999_960, true), (1_789_999_959, false)] {
            stage.clock.set_unix(Duration::from_secs(unix));
            assert_eq!(stage.verifier.cached(&token).is_some(), held, "{unix}");
        }

        stage.clock.set_unix(Duration::from_secs(NOW));
        stage.verifier.verify(&token).await.unwrap();
        stage.clock.set_unix(Duration::from_secs(1_790_000_330));
        assert!(stage.verifier.cached(&token).is_none());
        // It was dropped, not only passed over.
        stage.clock.set_unix(Duration::from_secs(NOW));
        assert!(stage.verifier.cached(&token).is_none());
    }

    #[tokio::test]
    async fn a_remembered_token_goes_with_its_key() {
        let (old, new) = (Signer::ed25519("k1"), Signer::es256("k2"));
        let stage = Stage::usual(&[&old]);
        let token = old.token(&claims(&[("exp", "1790009999")]));
        stage.verifier.verify(&token).await.unwrap();

        // A key that comes changes nothing.
        stage.network.serve(JWKS, jwks(&[&old, &new]));
        let other = new.token(&claims(&[]));
        stage.verifier.verify(&other).await.unwrap();
        assert!(stage.verifier.cached(&token).is_some());

        stage.network.serve(JWKS, jwks(&[&new]));
        stage.clock.advance(Duration::from_secs(700));
        let _ = stage.verifier.cached(&token);
        settle().await;
        assert!(stage.verifier.cached(&token).is_none());
        assert!(stage.verifier.verify(&token).await.is_err());
    }

    #[tokio::test]
    async fn a_remembered_token_does_not_outlive_the_bound_for_stale_keys() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::usual(&[&signer]);
        let token = signer.token(&claims(&[("exp", "1790099999")]));
        stage.verifier.verify(&token).await.unwrap();

        stage.network.cut(JWKS);
        stage.clock.advance(Duration::from_secs(60 * 60));
        let _ = stage.verifier.cached(&token);
        settle().await;
        assert!(stage.verifier.cached(&token).is_some());
        stage.clock.advance(Duration::from_secs(10 * 60 + 1));
        assert!(stage.verifier.cached(&token).is_none());
    }

    #[tokio::test]
    async fn a_remembered_token_goes_with_the_policy() {
        let signer = Signer::ed25519("k1");
        let mut stage = Stage::usual(&[&signer]);
        let token = signer.token(&claims(&[]));
        stage.verifier.verify(&token).await.unwrap();

        stage.verifier.policy = policy().issuer(issuer()).build().unwrap();
        assert!(stage.verifier.cached(&token).is_none());
    }

    fn pattern() -> IssuerSettings {
        IssuerSettings::new("https://as.example/{tenant}")
            .jwks_uri("https://as.example/{tenant}/jwks")
    }

    #[tokio::test]
    async fn a_remembered_token_goes_with_the_tenant_of_its_issuer() {
        let signer = Signer::ed25519("k1");
        let known = Tenants::of(&["tenant1", "suspended"]);
        let stage = Stage::with(policy().issuer(pattern()), known.clone(), |builder| builder);
        for tenant in ["tenant1", "suspended"] {
            stage.network.serve(&format!("https://as.example/{tenant}/jwks"), jwks(&[&signer]));
            let iss = format!(r#""https://as.example/{tenant}""#);
            let token = signer.token(&claims(&[("iss", &iss)]));
            stage.verifier.verify(&token).await.unwrap();
            assert!(stage.verifier.cached(&token).is_some());

            known.set(tenant, false);
            assert!(stage.verifier.cached(&token).is_none());
            known.set(tenant, true);
            assert!(stage.verifier.cached(&token).is_some());
        }
        // An answer that is not at hand is not guessed.
        known.forget();
        let token = signer.token(&claims(&[("iss", r#""https://as.example/tenant1""#)]));
        stage.verifier.verify(&token).await.unwrap();
        assert!(stage.verifier.cached(&token).is_none());
    }

    #[tokio::test]
    async fn no_bytes_remember_nothing() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::with(
            policy().issuer(issuer()),
            Arc::new(tenantry_core::TrustIssuers),
            |builder| builder.with_cache_bytes(0),
        );
        stage.network.serve(JWKS, jwks(&[&signer]));
        let token = signer.token(&claims(&[]));
        stage.verifier.verify(&token).await.unwrap();
        assert!(stage.verifier.cached(&token).is_none());
    }

    #[tokio::test]
    async fn the_bytes_are_bounded_and_a_heavy_token_weighs_more() {
        let signer = Signer::ed25519("k1");
        let stage = Stage::with(
            policy().issuer(issuer()),
            Arc::new(tenantry_core::TrustIssuers),
            |builder| builder.with_cache_bytes(20_000),
        );
        stage.network.serve(JWKS, jwks(&[&signer]));
        stage.verifier.verify(&signer.token(&claims(&[]))).await.unwrap();
        let (_, light) = stage.verifier.seen.size();
        for index in 0..100 {
            let jti = format!(r#""j-{index}""#);
            stage.verifier.verify(&signer.token(&claims(&[("jti", &jti)]))).await.unwrap();
        }
        let (count, weight) = stage.verifier.seen.size();
        assert!(count > 1 && count < 20, "{count} entries");
        assert!(weight <= 20_000);

        // Many short scopes take far more memory than text.
        let usual = Stage::usual(&[&signer]);
        let scope = format!("{:?}", ["a"; 1000].join(" "));
        let token = signer.token(&claims(&[("scope", &scope)]));
        usual.verifier.verify(&token).await.unwrap();
        let (_, heavy) = usual.verifier.seen.size();
        assert!(heavy > light + 1000 * 48, "{heavy} bytes");
    }

    fn same(a: &VerifiedToken, b: &VerifiedToken) -> bool {
        let (x, y) = (a.facts(), b.facts());
        let claims = |token: &VerifiedToken| {
            let claims = &token.facts().tenant_claims;
            claims.iter().map(|c| (c.name.clone(), c.value.clone())).collect::<HashMap<_, _>>()
        };
        a.policy().epoch() == b.policy().epoch()
            && x.issuer == y.issuer
            && x.subject == y.subject
            && x.client_id == y.client_id
            && x.audience == y.audience
            && claims(a) == claims(b)
            && x.scope == y.scope
            && x.expires_at == y.expires_at
            && x.jwt_id == y.jwt_id
            && x.claims == y.claims
    }

    /// What can happen between two requests.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Ask(usize),
        /// Seconds pass.
        Pass(u64),
        /// Somebody sets the wall clock, seconds from the start.
        SetClock(i64),
        /// The issuer publishes the first key, the second, or both; or cannot be reached.
        Publish(u8),
        ChangePolicy(usize),
        /// The directory learns of or forgets the tenant of the pattern.
        Know(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..4_usize).prop_map(Step::Ask),
            2 => prop_oneof![Just(1), Just(100), Just(500), Just(700), Just(4000)].prop_map(Step::Pass),
            1 => prop_oneof![Just(-100_i64), Just(-20), Just(0), Just(329), Just(330)].prop_map(Step::SetClock),
            2 => (0..4_u8).prop_map(Step::Publish),
            1 => (0..3_usize).prop_map(Step::ChangePolicy),
            1 => any::<bool>().prop_map(Step::Know),
        ]
    }

    fn rules() -> [PolicyBuilder; 3] {
        let of_tenant1 = || issuer().tenants(["tenant1"]);
        let of_tenant2 = || pattern().tenants(["tenant2"]);
        [
            policy().issuer(of_tenant1()).issuer(of_tenant2()),
            policy().issuer(of_tenant1().algorithms([Algorithm::Es256])).issuer(of_tenant2()),
            Policy::builder()
                .audience("https://other.example")
                .issuer(of_tenant1())
                .issuer(of_tenant2()),
        ]
    }

    async fn play(steps: &[Step]) -> (usize, Result<(), TestCaseError>) {
        let (first, second) = (Signer::ed25519("k1"), Signer::es256("k2"));
        let known = Tenants::of(&["tenant2"]);
        let [usual, ..] = rules();
        let mut stage = Stage::with(usual, known.clone(), |builder| builder);
        let policies = rules().map(|rules| rules.build().unwrap());
        let pattern_jwks = "https://as.example/tenant2/jwks";
        stage.network.serve(JWKS, jwks(&[&first, &second]));
        stage.network.serve(pattern_jwks, jwks(&[&first]));
        let iss = r#""https://as.example/tenant2""#;
        let tokens = [
            first.token(&claims(&[("exp", "1790099999")])),
            second.token(&claims(&[])),
            first.token(&claims(&[("nbf", "1790000050"), ("exp", "1790000800")])),
            first.token(&claims(&[("iss", iss), ("exp", "1790099999")])),
        ];
        let mut hits = 0;
        for step in steps {
            match *step {
                Step::Ask(index) => {
                    let token = &tokens[index];
                    let cached = stage.verifier.cached(token);
                    // A key that is there is found without waiting, so no task runs in between.
                    let fresh = stage.verifier.verify(token).await;
                    if let Some(cached) = cached {
                        hits += 1;
                        let equal = fresh.as_ref().is_ok_and(|fresh| same(fresh, &cached));
                        if !equal {
                            let error = TestCaseError::fail(format!("cached, but {fresh:?}"));
                            return (hits, Err(error));
                        }
                    }
                    if fresh.is_ok() && stage.verifier.cached(token).is_none() {
                        return (hits, Err(TestCaseError::fail("verified and not remembered")));
                    }
                }
                Step::Pass(seconds) => stage.clock.advance(Duration::from_secs(seconds)),
                Step::SetClock(offset) => {
                    stage.clock.set_unix(Duration::from_secs(NOW.saturating_add_signed(offset)));
                }
                Step::Publish(which) => match which {
                    0 => stage.network.serve(JWKS, jwks(&[&first])),
                    1 => stage.network.serve(JWKS, jwks(&[&second])),
                    2 => stage.network.serve(JWKS, jwks(&[&first, &second])),
                    _ => stage.network.cut(JWKS),
                },
                Step::ChangePolicy(index) => stage.verifier.policy = policies[index].clone(),
                Step::Know(tenant) => known.set("tenant2", tenant),
            }
            settle().await;
        }
        (hits, Ok(()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_cached_answer_equals_a_fresh_one(steps in prop::collection::vec(step(), 1..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (_, outcome) = runtime.block_on(play(&steps));
            outcome?;
        }
    }

    #[tokio::test]
    async fn the_play_of_that_property_has_cached_answers() {
        let (hits, outcome) = play(&[Step::Ask(0), Step::Ask(0), Step::Ask(3), Step::Ask(3)]).await;
        assert_eq!(hits, 2);
        outcome.unwrap();
    }
}
