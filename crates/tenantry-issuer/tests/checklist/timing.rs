//! How long a refusal takes: row 9.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use tenantry_core::Algorithm;
use tenantry_issuer::ClientAuth;
use tenantry_testkit::SigningKey;

use crate::stack::{ISSUER, NOW, Sent, Stack, TOKEN, signed};

const ROUNDS: u32 = 5_000;

/// What is presented, and where.
struct Kind {
    name: &'static str,
    tenant: &'static str,
    client: &'static str,
}

const fn kind(name: &'static str, tenant: &'static str, client: &'static str) -> Kind {
    Kind { name, tenant, client }
}

/// The first again: how far their medians are apart is what the machine adds.
const AGAIN: Kind = kind("unknown tenant again", "tenant4", "nobody");

const UNKNOWN: [Kind; 2] =
    [kind("unknown tenant", "tenant3", "nobody"), kind("unknown client", "tenant1", "nobody-1")];

#[tokio::test]
#[ignore = "measures: run it alone, on a machine that does nothing else"]
async fn a9_how_long_a_refusal_takes_does_not_tell_what_exists() {
    let stack = Measured::new().await;
    let wrong = stack.stack.secret("tenant2").to_owned();
    let basic = |sent: Sent<'static>, client: &str| sent.basic(client, &wrong);
    let kinds = [
        kind("client with a secret", "tenant1", "erp-sync"),
        kind("the same, remembered", "tenant1", "renewing"),
        kind("client with a key", "tenant1", "es256"),
        kind("client with eight", "tenant1", "eight"),
    ];
    let mut apart = stack.measure("Basic", kinds, basic).await;
    for (algorithm, own) in [
        (Algorithm::Es256, "es256"),
        (Algorithm::Es384, "es384"),
        (Algorithm::Es512, "es512"),
        (Algorithm::EdDsa, "eddsa"),
        (Algorithm::Rs256, "rs256"),
    ] {
        let forged = |kid: &'static str| {
            let key = SigningKey::generate(algorithm, "forged");
            move |sent: Sent<'static>, client: &str| {
                let header = json!({ "alg": algorithm.as_str(), "kid": kid });
                let assertion = signed(&key, &header, &claims(client, "1"));
                match assertion.rsplit_once('.') {
                    // A signature above the modulus is refused without the work: this is below all.
                    Some((input, _)) if algorithm == Algorithm::Rs256 => {
                        let signature = BASE64_URL_SAFE_NO_PAD.encode([1; 256]);
                        by_assertion(sent, &format!("{input}.{signature}"))
                    }
                    _ => by_assertion(sent, &assertion),
                }
            }
        };
        let kinds = [
            kind("client with a secret", "tenant1", "erp-sync"),
            kind("client with this key", "tenant1", own),
            kind("client with eight", "tenant1", "eight"),
        ];
        let title = format!("{algorithm} assertion, forged");
        apart.extend(stack.measure(&title, kinds, forged(own)).await);
    }
    let forged = |sent: Sent<'static>, client: &str| {
        let header = json!({ "alg": "ES256", "kid": "es256" });
        by_assertion(sent, &signed(&stack.key, &header, &claims(client, "1")))
    };
    let kinds = [
        kind("client with a key, remembered", "tenant1", "signing"),
        kind("client with another key", "tenant1", "es384"),
    ];
    apart.extend(stack.measure("ES256 assertion, forged", kinds, forged).await);
    let malformed = |sent: Sent<'static>, client: &str| {
        let header = json!({ "alg": "none" });
        by_assertion(sent, &signed(&stack.key, &header, &claims(client, "1")))
    };
    let kinds = [
        kind("client with a secret", "tenant1", "erp-sync"),
        kind("client with eight", "tenant1", "eight"),
    ];
    apart.extend(stack.measure("assertion without algorithm", kinds, malformed).await);

    assert!(apart.is_empty(), "{apart:#?}");
}

fn claims(client: &str, jti: &str) -> Value {
    json!({ "iss": client, "sub": client, "aud": ISSUER, "exp": NOW.as_secs() + 60, "jti": jti })
}

fn by_assertion<'s>(sent: Sent<'s>, assertion: &str) -> Sent<'s> {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    sent.with("client_assertion_type", kind).with("client_assertion", assertion)
}

struct Measured {
    stack: &'static Stack,
    key: SigningKey,
}

impl Measured {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap().keep();
        let stack = Stack::over(&format!("sqlite://{}/i.db", directory.display())).await;
        let register = async |id: &str, keys: &[SigningKey]| {
            let keys: Vec<_> = keys.iter().map(SigningKey::public_jwk).collect();
            let auth = ClientAuth::PrivateKeyJwt { jwks: json!({ "keys": keys }).to_string() };
            stack.register("tenant1", id, auth, Map::new()).await;
        };
        for (id, algorithm) in [
            ("es256", Algorithm::Es256),
            ("es384", Algorithm::Es384),
            ("es512", Algorithm::Es512),
            ("eddsa", Algorithm::EdDsa),
            ("rs256", Algorithm::Rs256),
        ] {
            register(id, &[SigningKey::generate(algorithm, id)]).await;
        }
        let eight = ["es256", "2", "3", "4", "5", "6", "7", "8"];
        register("eight", &eight.map(|kid| SigningKey::generate(Algorithm::Es256, kid))).await;
        // These two are remembered: the clock stands still.
        stack.token_for("renewing").tokens().await;
        let sent = stack.post(TOKEN).with("grant_type", "client_credentials");
        let sent = sent.with("tenant_id", "tenant1");
        by_assertion(sent, &stack.assertion(|_| {})).tokens().await;
        let key = SigningKey::generate(Algorithm::Es256, "forged");
        Self { stack: Box::leak(Box::new(stack)), key }
    }

    /// Prints the medians, and returns those that are further apart than the machine accounts for. Of a
    /// client with eight keys it is known that they take a while to read.
    async fn measure<const N: usize>(
        &self,
        title: &str,
        kinds: [Kind; N],
        present: impl Fn(Sent<'static>, &str) -> Sent<'static>,
    ) -> Vec<String> {
        let kinds: Vec<Kind> = UNKNOWN.into_iter().chain(kinds).chain([AGAIN]).collect();
        let mut times: Vec<Vec<Duration>> = kinds.iter().map(|_| Vec::new()).collect();
        for round in 0..ROUNDS {
            for (at, kind) in kinds.iter().enumerate() {
                // From somewhere else each time, so that nobody has to wait.
                let address = format!("2001:db8:{at:x}:{round:x}::1");
                let sent = self.stack.post(TOKEN).from(&address).with("tenant_id", kind.tenant);
                let sent = present(sent.with("grant_type", "client_credentials"), kind.client);
                let start = Instant::now();
                let answer = sent.send().await;
                times[at].push(start.elapsed());
                assert_eq!(answer.status.as_u16(), 401);
            }
        }
        let medians: Vec<Duration> = times
            .into_iter()
            .map(|mut times| {
                times.sort_unstable();
                times[times.len() / 2]
            })
            .collect();
        println!("{title}");
        for (kind, median) in kinds.iter().zip(&medians) {
            println!("  {:30} {median:?}", kind.name);
        }
        let unknown = medians[0];
        let noise = unknown.abs_diff(medians[medians.len() - 1]).max(unknown / 20);
        let apart = |(kind, median): (&Kind, &Duration)| {
            let told = median.abs_diff(unknown) > 2 * noise && kind.client != "eight";
            told.then(|| format!("{title}: {}", kind.name))
        };
        kinds.iter().zip(&medians).filter_map(apart).collect()
    }
}
