//! One access token on one core: the bare signature, and the token.
//!
//! `cargo run --release --bin issue` prints, for each algorithm, tokens per second (from the 10th percentile of
//! the time of one), and what part of the bare rate of the same round is left in the median:
//!
//! - `signature`: the signature alone, with a prepared key, over a message as long as the token's.
//! - `token`: [`KeyRing::issue`]: claims, `jti`, key, signature, text.
//!
//! Contestants take turns in each round, so that a slow moment of the machine meets them all. Rounds are shorter
//! than the time after which keys are read again, and one that meets such a read is one of many.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256};
use tenantry_issuer::{
    AccessToken, Client, ClientAuth, Grants, KeyRing, Secret, Settings, Store, Tenant, TenantStatus,
};
use tenantry_jwks::SystemClock;

const ROUNDS: usize = 300;

type Contestant = (&'static str, Box<dyn FnMut()>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{:8} {:10} {:>12} {:>10}", "alg", "contestant", "per second", "of bare");
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        runtime.block_on(measure(algorithm))?;
    }
    Ok(())
}

async fn measure(algorithm: &str) -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::builder()
        .issuer("https://auth.erp.example")
        .audience("https://api.erp.example/{tenant}")
        .algorithm(algorithm)
        .build()?;
    let store = Store::open("sqlite::memory:").await?;
    let ring = KeyRing::open(store, &settings, Arc::new(SystemClock::new())).await?;
    let (tenant, client) = (tenant()?, client()?);
    let audience = ["https://api.erp.example/tenant1".to_owned()];
    let scope = ["tenant1.finance.write".to_owned(), "tenant1.journal.create".to_owned()];
    let issue = move || {
        let token = AccessToken {
            settings: &settings,
            tenant: &tenant,
            client: &client,
            audience: &audience,
            scope: &scope,
        };
        now(ring.issue(&token)).expect("a token").token
    };

    let input = issue().rsplit_once('.').ok_or("a token has three parts")?.0.len();
    let mut contestants: [Contestant; 2] = [
        ("signature", signature(algorithm, vec![b'a'; input])),
        ("token", Box::new(move || drop(black_box(issue())))),
    ];
    let count = if algorithm == "RS256" { 2 } else { 20 };
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in 0..ROUNDS {
        for ((_, run), times) in contestants.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (0..count).for_each(|_| run());
            times.push(start.elapsed().as_secs_f64() / f64::from(count));
        }
        // Keys that are read again are read between the rounds.
        tokio::task::yield_now().await;
    }
    for ((name, _), own) in contestants.iter().zip(&times) {
        let mut ratios: Vec<_> = times[0].iter().zip(own).map(|(bare, own)| bare / own).collect();
        ratios.sort_by(f64::total_cmp);
        let mut own = own.clone();
        own.sort_by(f64::total_cmp);
        println!("{algorithm:8} {name:10} {:>12.0} {:>10.3}", 1.0 / own[ROUNDS / 10], ratios[ROUNDS / 2]);
    }
    Ok(())
}

/// A run is one signature.
fn signature(algorithm: &str, message: Vec<u8>) -> Box<dyn FnMut()> {
    let random = SystemRandom::new();
    match algorithm {
        "ES256" => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
            Box::new(move || {
                black_box(pair.sign(&random, black_box(&message)).expect("a signature"));
            })
        }
        "EdDSA" => {
            let pair = Ed25519KeyPair::generate().expect("a key");
            Box::new(move || {
                black_box(pair.sign(black_box(&message)));
            })
        }
        _ => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
            let mut signature = vec![0; pair.public_modulus_len()];
            Box::new(move || {
                pair.sign(&RSA_PKCS1_SHA256, &random, black_box(&message), &mut signature).expect("a signature");
                black_box(&signature);
            })
        }
    }
}

fn tenant() -> Result<Tenant, Box<dyn std::error::Error>> {
    Ok(Tenant {
        id: "tenant1".parse()?,
        name: None,
        status: TenantStatus::Active,
        claims: Default::default(),
        created_at: Duration::ZERO,
    })
}

fn client() -> Result<Client, Box<dyn std::error::Error>> {
    Ok(Client {
        tenant: "tenant1".parse()?,
        id: "journal-sync".parse()?,
        name: None,
        auth: ClientAuth::Basic(Secret::generate()?.hash()),
        grants: Grants { client_credentials: true, refresh_token: false },
        scopes: ["finance.write".to_owned(), "journal.create".to_owned()].into(),
        audiences: Vec::new(),
        claims: Default::default(),
        enabled: true,
        created_at: Duration::ZERO,
    })
}

/// Polls a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}
