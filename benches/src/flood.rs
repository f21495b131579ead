//! What a flood of tokens with made-up `kid`s does to valid requests.
//!
//! `cargo run --release --bin flood` sends two floods in turn, 10,000 tokens each, from one thread while another
//! sends valid requests: tokens that are refused for their `alg`, before any key is looked for, and tokens of the
//! right `alg` whose `kid` nobody knows. It prints the median ratio, round by round, of the p99 of valid
//! requests (unknown `kid` to wrong `alg`, target 1.1), an A/A ratio of the wrong `alg` to itself for the
//! noise of the machine, and how often the key set was fetched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use tenantry::{
    Algorithm, BoxFuture, FetchError, FetchRequest, FetchResponse, IssuerSettings, ResourceServer, TenantPrincipal,
    Transport,
};
use tenantry_testkit::TestIssuer;
use tower::ServiceExt;

const ROUNDS: usize = 15;
const FLOOD: usize = 10_000;

/// Serves the key set from memory, a millisecond away, and counts.
struct Near {
    jwks: Vec<u8>,
    fetches: AtomicUsize,
}

impl Transport for Near {
    fn get(&self, _: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let jwks = self.jwks.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(FetchResponse::new(200, jwks))
        })
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = TestIssuer::builder().url("https://auth.erp.example").algorithms([Algorithm::Es256]).offline();
    let near = Arc::new(Near { jwks: issuer.jwks().to_string().into_bytes(), fetches: AtomicUsize::new(0) });
    let erp = ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).jwks_uri("https://auth.erp.example/jwks").algorithms([Algorithm::Es256]))
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
        .transport(near.clone())
        .build()
        .await?;
    let app = Router::new()
        .route("/{tenant}/journal-entries", get(|principal: TenantPrincipal| async move { principal.tenant().to_string() }))
        .layer(erp.layer());

    let token = |token: tenantry_testkit::TokenBuilder| token.tenant("tenant1").audience("https://api.erp.example/tenant1").sign();
    let valid: Vec<_> = (0..64).map(|at| token(issuer.token().claim("jti", format!("valid-{at}")))).collect();
    // One signature is enough: neither flood gets as far as to check it.
    let wrong_alg: Vec<_> = (0..FLOOD).map(|at| token(issuer.token().header("alg", "PS512").header("kid", format!("k{at}")))).collect();
    let unknown_kid: Vec<_> = (0..FLOOD).map(|at| token(issuer.token().header("kid", format!("k{at}")))).collect();
    for token in &valid {
        assert_eq!(send(&app, token).await, StatusCode::OK);
    }

    let started = Instant::now();
    let (mut ratios, mut noise) = (Vec::new(), Vec::new());
    println!("{:>5} {:>12} {:>12} {:>12}", "round", "alg p99 us", "kid p99 us", "alg p99 us");
    for round in 0..ROUNDS {
        let mut p99 = [0.0; 3];
        for (at, flood) in [&wrong_alg, &unknown_kid, &wrong_alg].into_iter().enumerate() {
            p99[at] = valid_p99(&app, &valid, flood).await;
        }
        println!("{round:>5} {:>12.1} {:>12.1} {:>12.1}", p99[0], p99[1], p99[2]);
        ratios.push(p99[1] / ((p99[0] + p99[2]) / 2.0));
        noise.push(p99[2] / p99[0]);
    }
    println!("p99 of valid requests, unknown kid to wrong alg: {:.3} (A/A {:.3})", median(&mut ratios), median(&mut noise));
    println!(
        "{} fetches for {} unknown kids in {:.1} s",
        near.fetches.load(Ordering::Relaxed),
        ROUNDS * FLOOD,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The p99 of valid requests, in microseconds, while `flood` is sent by another task.
async fn valid_p99(app: &Router, valid: &[String], flood: &[String]) -> f64 {
    let over = AtomicBool::new(false);
    let flooding = async {
        for (at, token) in flood.iter().enumerate() {
            assert_eq!(send(app, token).await, StatusCode::UNAUTHORIZED);
            if at % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        over.store(true, Ordering::Relaxed);
    };
    let asking = async {
        let mut times = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let token = &valid[times.len() % valid.len()];
            let start = Instant::now();
            assert_eq!(send(app, token).await, StatusCode::OK);
            times.push(start.elapsed().as_nanos() as f64 / 1000.0);
            tokio::task::yield_now().await;
        }
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    };
    // Two threads: the flood on one, what is measured on the other.
    let runtime = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(flooding));
        runtime_block(&runtime, asking)
    })
}

fn runtime_block<T>(runtime: &tokio::runtime::Handle, future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| runtime.block_on(future))
}

async fn send(app: &Router, token: &str) -> StatusCode {
    let request = Request::get("/tenant1/journal-entries").header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::empty()).expect("a request");
    app.clone().oneshot(request).await.expect("infallible").status()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
