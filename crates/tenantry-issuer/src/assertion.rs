//! A client's signed statement that it is itself: `private_key_jwt` ([RFC 7523 §3]).
//!
//! | the assertion                                              | then                                  |
//! |------------------------------------------------------------|---------------------------------------|
//! | is signed by a key that the client registered, fitting `alg` | go on                                 |
//! | has `typ` absent, `JWT` or `client-authentication+jwt`       | go on                                 |
//! | has `iss` and `sub` equal to the client's id                 | go on                                 |
//! | has `aud` equal to the issuer, and nothing else              | go on: another server cannot pass it on |
//! | has `exp` in the future, at most ten minutes ahead           | go on                                 |
//! | has `nbf` and `iat` in the past, or not at all               | go on                                 |
//! | has a `jti` that was not used until `exp`                    | it is the client                      |
//!
//! Thirty seconds of clock skew are permitted throughout. Everything else is `invalid_client`.
//!
//! [RFC 7523 §3]: https://www.rfc-editor.org/rfc/rfc7523#section-3

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use tenantry_core::Algorithm;
use tenantry_jwks::{Key, KeySet, Selection};
use tenantry_jwt::verify_signature;

use crate::reason::Reason;
use crate::secret::TokenHash;

/// The longest assertion, in bytes. Real ones are below 1 KiB.
const MAX_BYTES: usize = 8 * 1024;

/// How far ahead `exp` may be.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How far the clocks of client and server may be apart.
const SKEW: Duration = Duration::from_secs(30);

/// What has to be remembered so that an assertion is not used twice.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct OnceOnly {
    /// Of the issuer, the client, the key and the `jti`.
    pub(crate) used: TokenHash,
    /// Until when, since the Unix epoch.
    pub(crate) until: Duration,
}

impl OnceOnly {
    // INVARIANT (isolation): the tenant is not a part of it, since `aud` does not name it: the issuer
    // may be that of several tenants, and who gets an assertion at one must not use it at another.
    // The key is: a namesake in another tenant cannot use up what it cannot sign.
    fn new(issuer: &str, client: &str, key: &Key, jti: &str, until: Duration) -> Self {
        let signer = BASE64_URL_SAFE_NO_PAD.encode(key.thumbprint());
        // None but the last can hold what is between them.
        Self { used: TokenHash::of(&format!("{issuer}\n{client}\n{signer}\n{jti}")), until }
    }
}

/// When the keys that an assertion is judged by were read from JSON. What is nobody's takes the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeysRead {
    /// Long before.
    Before,
    /// For this assertion.
    Now,
}

/// Judges `assertion` as one of `client`, whose keys are `keys`, for the server named `issuer`.
///
/// Without keys, and if none of them fits, a key is read and a signature is checked all the same, by
/// a key that is nobody's: how long it takes does not tell who is registered.
///
/// # Errors
///
/// Why not.
pub(crate) fn judge<'k>(
    assertion: &str,
    client: &str,
    keys: impl FnOnce() -> Option<&'k KeySet>,
    read: KeysRead,
    issuer: &str,
    now: Duration,
) -> Result<OnceOnly, Reason> {
    let header: Header = part(assertion, 0).ok_or(Reason::AssertionMalformed)?;
    let algorithm: Algorithm = header.alg.parse().map_err(|_| Reason::AssertionAlgorithm)?;
    // Not before, so that what is no assertion takes the same time whoever it names.
    let Some(key) = keys().and_then(|keys| one(keys, header.kid.as_deref(), algorithm)) else {
        check_by_nobodys_key(assertion, algorithm, read);
        return Err(Reason::AssertionKey);
    };
    let payload =
        verify_signature(assertion, MAX_BYTES, key).map_err(|_| Reason::AssertionSignature)?;
    header.require_type()?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Reason::AssertionClaims)?;
    let (jti, until) = claims.judge(client, issuer, now)?;
    Ok(OnceOnly::new(issuer, client, key, &jti, until))
}

fn one<'k>(keys: &'k KeySet, kid: Option<&str>, algorithm: Algorithm) -> Option<&'k Key> {
    match keys.select(kid, algorithm) {
        Selection::One(key) => Some(key),
        Selection::Ambiguous | Selection::None => None,
    }
}

/// The `sub` of an assertion that nobody verified: whose keys to judge it by.
pub(crate) fn unverified_subject(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        sub: String,
    }
    part::<Named>(assertion, 1).map(|named| named.sub)
}

fn part<T: serde::de::DeserializeOwned>(assertion: &str, index: usize) -> Option<T> {
    if assertion.len() > MAX_BYTES {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

impl Header {
    /// So that a token of another kind, signed by the same key, is no assertion ([RFC 8725 §3.11]).
    ///
    /// [RFC 8725 §3.11]: https://www.rfc-editor.org/rfc/rfc8725#section-3.11
    fn require_type(&self) -> Result<(), Reason> {
        let Some(typ) = &self.typ else {
            return Ok(());
        };
        let typ = typ.to_ascii_lowercase();
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "jwt" | "client-authentication+jwt" => Ok(()),
            _ => Err(Reason::AssertionType),
        }
    }
}

/// The derived reader refuses a member of these that is there twice.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Only([String; 1]),
}

impl Claims {
    /// Returns the `jti`, and until when it has to be remembered.
    fn judge(
        self,
        client: &str,
        issuer: &str,
        now: Duration,
    ) -> Result<(String, Duration), Reason> {
        if self.iss != client || self.sub != client {
            return Err(Reason::AssertionSubject);
        }
        // The issuer alone: a URL that several servers share would let one pass it on to another.
        let (Audience::One(audience) | Audience::Only([audience])) = &self.aud;
        if audience != issuer {
            return Err(Reason::AssertionAudience);
        }
        let time =
            |seconds| Duration::try_from_secs_f64(seconds).map_err(|_| Reason::AssertionTime);
        let until = time(self.exp)?.checked_add(SKEW).ok_or(Reason::AssertionTime)?;
        if until <= now {
            return Err(Reason::AssertionExpired);
        }
        if until > now + MAX_LIFETIME + 2 * SKEW {
            return Err(Reason::AssertionLifetime);
        }
        for start in [self.nbf, self.iat].into_iter().flatten() {
            if time(start)? > now + SKEW {
                return Err(Reason::AssertionEarly);
            }
        }
        if self.jti.is_empty() {
            return Err(Reason::AssertionJti);
        }
        Ok((self.jti, until))
    }
}

/// Does what reading a client's key and checking a signature takes, for a client that has none.
fn check_by_nobodys_key(assertion: &str, algorithm: Algorithm, read: KeysRead) {
    let just_read;
    let keys = match read {
        KeysRead::Before => NOBODYS_KEYS.get(&algorithm),
        KeysRead::Now => {
            just_read = KeySet::parse(nobodys_keys(algorithm).as_bytes()).ok();
            just_read.as_ref()
        }
    };
    let checked = keys
        .and_then(|keys| one(keys, None, algorithm))
        .map(|key| verify_signature(assertion, MAX_BYTES, key));
    drop(std::hint::black_box(checked));
}

static NOBODYS_KEYS: LazyLock<BTreeMap<Algorithm, KeySet>> = LazyLock::new(|| {
    let keys = |algorithm| KeySet::parse(nobodys_keys(algorithm).as_bytes()).ok();
    Algorithm::ALL.into_iter().filter_map(|one| Some((one, keys(one)?))).collect()
});

/// A key set as a client has it, with one key that is nobody's.
///
/// They are published examples, by which nobody signs in: of RFC 8037 §A.2, RFC 7517 §A.1, RFC 6979
/// §A.2.6, RFC 7520 §3.1 and RFC 7517 §A.1.
fn nobodys_keys(algorithm: Algorithm) -> String {
    let members = match algorithm {
        Algorithm::EdDsa => {
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#
        }
        Algorithm::Es256 => {
            r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#
        }
        Algorithm::Es384 => {
            r#""kty":"EC","crv":"P-384",
            "x":"7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT",
            "y":"gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg""#
        }
        Algorithm::Es512 => {
            r#""kty":"EC","crv":"P-521",
            "x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
            "y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1""#
        }
        _ => {
            r#""kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw""#
        }
    };
    format!(r#"{{"keys":[{{"kid":"nobodys","use":"sig","alg":"{algorithm}",{members}}}]}}"#)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use tenantry_testkit::SigningKey;

    use super::*;

    const ISSUER: &str = "https://auth.erp.example";
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Es256, "k1")
    }

    fn set(key: &SigningKey) -> KeySet {
        KeySet::parse(json!({ "keys": [key.public_jwk()] }).to_string().as_bytes()).unwrap()
    }

    fn good() -> Value {
        json!({ "iss": "a", "sub": "a", "aud": ISSUER, "exp": 1_800_000_060, "jti": "1" })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = good();
        claims[name] = value;
        claims
    }

    fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes())))
    }

    fn judge_by(keys: Option<&KeySet>, assertion: &str) -> Result<OnceOnly, Reason> {
        judge(assertion, "a", || keys, KeysRead::Before, ISSUER, NOW)
    }

    fn judged(header: &Value, claims: &Value) -> Result<OnceOnly, Reason> {
        let key = key();
        judge_by(Some(&set(&key)), &signed(&key, header, claims))
    }

    fn judged_claims(claims: &Value) -> Result<OnceOnly, Reason> {
        judged(&json!({ "alg": "ES256", "kid": "k1" }), claims)
    }

    #[test]
    fn a_signed_statement_about_itself_is_the_client() {
        let once = judged_claims(&good()).unwrap();

        assert_eq!(once.until, Duration::from_secs(1_800_000_090));
        assert!(judged_claims(&with("aud", json!([ISSUER]))).is_ok());
        assert!(judged_claims(&with("extra", json!({ "a": [1] }))).is_ok());
    }

    #[test]
    fn issuer_and_subject_are_the_client() {
        for (name, value) in [("iss", "b"), ("sub", "b"), ("sub", "A"), ("iss", ISSUER)] {
            assert_eq!(judged_claims(&with(name, json!(value))), Err(Reason::AssertionSubject));
        }
    }

    #[test]
    fn the_audience_is_the_issuer_and_nothing_else() {
        for audience in [
            json!("https://auth.erp.example/"),
            json!("https://auth.erp.example/oauth/token"),
            json!("https://other.example"),
            json!(["https://other.example"]),
        ] {
            assert_eq!(judged_claims(&with("aud", audience)), Err(Reason::AssertionAudience));
        }
        for audience in [json!([ISSUER, "https://other.example"]), json!([]), json!(1), json!([1])]
        {
            assert_eq!(judged_claims(&with("aud", audience)), Err(Reason::AssertionClaims));
        }
    }

    #[test]
    fn the_times_are_judged() {
        let now = 1_800_000_000_i64;
        for (name, value, expected) in [
            ("exp", json!(now - 29), None),
            ("exp", json!(now - 30), Some(Reason::AssertionExpired)),
            ("exp", json!(now as f64 + 0.5), None),
            ("exp", json!(now + 630), None),
            ("exp", json!(now + 631), Some(Reason::AssertionLifetime)),
            ("exp", json!(-1), Some(Reason::AssertionTime)),
            ("exp", json!(1e300), Some(Reason::AssertionTime)),
            ("exp", json!("1800000060"), Some(Reason::AssertionClaims)),
            ("exp", Value::Null, Some(Reason::AssertionClaims)),
            ("nbf", json!(now + 30), None),
            ("nbf", json!(now + 31), Some(Reason::AssertionEarly)),
            ("iat", json!(now + 30), None),
            ("iat", json!(now + 31), Some(Reason::AssertionEarly)),
            ("iat", json!(-1), Some(Reason::AssertionTime)),
            ("iat", json!("x"), Some(Reason::AssertionClaims)),
        ] {
            let verdict = judged_claims(&with(name, value.clone())).err();
            assert_eq!(verdict, expected, "{name} = {value}");
        }
    }

    #[test]
    fn what_is_required_is_there_once() {
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(judged_claims(&claims), Err(Reason::AssertionClaims), "without {name}");
        }
        assert_eq!(judged_claims(&with("jti", json!(""))), Err(Reason::AssertionJti));
        let twice: Result<Claims, _> =
            serde_json::from_str(r#"{"iss":"a","sub":"a","sub":"a","aud":"x","exp":1,"jti":"1"}"#);
        assert!(twice.is_err());
    }

    #[test]
    fn a_token_of_another_kind_is_no_assertion() {
        let typed = |typ: &str| judged(&json!({ "alg": "ES256", "typ": typ }), &good());
        for typ in
            ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"]
        {
            assert!(typed(typ).is_ok(), "{typ}");
        }
        for typ in ["at+jwt", "dpop+jwt", "application/at+jwt", "", "jwtx"] {
            assert_eq!(typed(typ), Err(Reason::AssertionType), "{typ}");
        }
    }

    #[test]
    fn only_a_registered_key_that_fits_counts() {
        let (key, other) = (key(), key());
        let held = set(&key);
        let judge = |assertion: &str, keys| judge_by(keys, assertion);
        let header = json!({ "alg": "ES256", "kid": "k1" });
        let assertion = signed(&other, &header, &good());
        assert_eq!(judge(&assertion, Some(&held)), Err(Reason::AssertionSignature));
        assert_eq!(judge(&assertion, None), Err(Reason::AssertionKey));
        let renamed = signed(&key, &json!({ "alg": "ES256", "kid": "k2" }), &good());
        assert_eq!(judge(&renamed, Some(&held)), Err(Reason::AssertionKey));
        let confused = signed(&key, &json!({ "alg": "RS256", "kid": "k1" }), &good());
        assert_eq!(judge(&confused, Some(&held)), Err(Reason::AssertionKey));
        for alg in ["none", "HS256", "es256", ""] {
            let assertion = signed(&key, &json!({ "alg": alg }), &good());
            assert_eq!(judge(&assertion, Some(&held)), Err(Reason::AssertionAlgorithm), "{alg}");
        }
        for text in ["", "a", "a.b.c", "e30.e30.e30", &"a".repeat(MAX_BYTES + 1)] {
            assert_eq!(judge(text, Some(&held)), Err(Reason::AssertionMalformed));
        }
    }

    #[test]
    fn what_is_used_once_is_the_jti_of_one_key_of_one_client_for_one_issuer() {
        let (keys, others) = (set(&key()), set(&key()));
        let used = |issuer: &str, client: &str, keys: &KeySet, jti: &str| {
            OnceOnly::new(issuer, client, &keys.keys()[0], jti, NOW).used
        };
        let all = [
            used(ISSUER, "a", &keys, "1"),
            used("https://auth.erp.example/tenant1", "a", &keys, "1"),
            used(ISSUER, "b", &keys, "1"),
            used(ISSUER, "a", &others, "1"),
            used(ISSUER, "a", &keys, "2"),
        ];
        assert_eq!(used(ISSUER, "a", &keys, "1"), all[0]);
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
    }

    #[test]
    fn every_algorithm_has_a_key_that_is_nobodys() {
        for algorithm in Algorithm::ALL {
            let keys = KeySet::parse(nobodys_keys(algorithm).as_bytes()).unwrap();
            assert!(one(&keys, None, algorithm).is_some(), "{algorithm}");
            assert!(one(&NOBODYS_KEYS[&algorithm], None, algorithm).is_some(), "{algorithm}");
        }
    }

    /// Whoever holds the private half of a published example is nobody.
    #[test]
    fn a_decoy_lets_nobody_in() {
        // RFC 8037 §A.1, d.
        let seed =
            BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let input = format!(
            "{}.{}",
            encode(json!({ "alg": "EdDSA" }).to_string()),
            encode(good().to_string())
        );
        let signature = BASE64_URL_SAFE_NO_PAD.encode(pair.sign(input.as_bytes()));
        let assertion = format!("{input}.{signature}");

        let decoy = one(&NOBODYS_KEYS[&Algorithm::EdDsa], None, Algorithm::EdDsa).unwrap();
        assert!(verify_signature(&assertion, MAX_BYTES, decoy).is_ok());
        for read in [KeysRead::Before, KeysRead::Now] {
            for keys in [None, Some(&set(&key()))] {
                let judged = judge(&assertion, "a", || keys, read, ISSUER, NOW);
                assert_eq!(judged, Err(Reason::AssertionKey));
            }
        }
    }
}
