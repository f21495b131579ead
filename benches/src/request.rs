//! One request through an axum router: bare, with a token seen before, with a token never seen.
//!
//! `cargo run --release --bin request` prints, for each algorithm, the 10th percentile in nanoseconds and the
//! allocations of each contestant, and the median ratio to the floor of the same round:
//!
//! - `bare`: the router and the handler, no protection. The floor of `layered` and `seen`.
//! - `layered`: the same with two layers that do nothing, where ours are: what axum takes for them.
//! - `seen`: protected, the token verified before.
//! - `signature`: the signature check alone, with a prepared key. The floor of `new`.
//! - `new`: protected, nothing cached.
//!
//! Contestants take turns in each round, so that a slow moment of the machine meets them all. With
//! `PROFILE=seen` (or another) it runs that one alone, for an instruction count:
//! `valgrind --tool=callgrind target/release/request`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use base64::prelude::*;
use tenantry::{
    Algorithm, IssuerSettings, KeyLocation, RequireScopeLayer, ResourceServer, TenantPrincipal,
};
use tenantry_testkit::TestIssuer;
use tower::{Service, ServiceExt};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: hands everything to the system's allocator unchanged, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

const ROUNDS: usize = 300;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{:8} {:10} {:>9} {:>8} {:>8}", "alg", "contestant", "p10 ns", "ratio", "allocs");
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            measure(algorithm).await?;
        }
        Ok(())
    })
}

async fn measure(algorithm: Algorithm) -> Result<(), Box<dyn std::error::Error>> {
    let issuer = TestIssuer::builder().url("https://auth.erp.example").algorithms([algorithm]).offline();
    let token = issuer
        .token()
        .tenant("tenant1")
        .audience("https://api.erp.example/tenant1")
        .scope("tenant1.journal.read tenant1.journal.create tenant1.finance.write")
        .sign();

    let mut contestants: Vec<(&str, usize, Box<dyn FnMut()>)> = Vec::new();
    let bare = Router::new().route(
        "/{tenant}/journal-entries",
        get(|Path(tenant): Path<String>| async move { tenant }),
    );
    contestants.push(("bare", 200, drive(bare, &token).await));
    let layered = Router::new()
        .route(
            "/{tenant}/journal-entries",
            get(|Path(tenant): Path<String>| async move { tenant }).layer(tower::util::MapRequestLayer::new(same)),
        )
        .layer(tower::util::MapRequestLayer::new(same));
    contestants.push(("layered", 200, drive(layered, &token).await));
    contestants.push(("seen", 200, drive(protected(&issuer, None).await?, &token).await));
    contestants.push(("signature", 4, signature(&issuer, algorithm, &token)?));
    contestants.push(("new", 4, drive(protected(&issuer, Some(0)).await?, &token).await));

    if let Ok(only) = std::env::var("PROFILE") {
        for (_, count, run) in contestants.iter_mut().filter(|(name, ..)| *name == only) {
            (0..*count * 20).for_each(|_| run());
        }
        return Ok(());
    }

    let mut times = vec![Vec::with_capacity(ROUNDS); contestants.len()];
    let mut allocations = vec![0; contestants.len()];
    for _ in 0..ROUNDS {
        for (at, (_, count, run)) in contestants.iter_mut().enumerate() {
            let (before, start) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
            (0..*count).for_each(|_| run());
            times[at].push(start.elapsed().as_nanos() as f64 / *count as f64);
            allocations[at] = (ALLOCATIONS.load(Ordering::Relaxed) - before) / *count;
        }
    }
    for (at, (name, ..)) in contestants.iter().enumerate() {
        let floor = if at < 3 { 0 } else { 3 };
        let mut ratios: Vec<_> = times[at].iter().zip(&times[floor]).map(|(own, floor)| own / floor).collect();
        ratios.sort_by(f64::total_cmp);
        let mut own = times[at].clone();
        own.sort_by(f64::total_cmp);
        println!(
            "{:8} {name:10} {:>9.0} {:>8.3} {:>8}",
            algorithm.as_str(),
            own[ROUNDS / 10],
            ratios[ROUNDS / 2],
            allocations[at],
        );
    }
    Ok(())
}

async fn protected(issuer: &TestIssuer, cache: Option<u64>) -> Result<Router, tenantry::ConfigError> {
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    let mut server = ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).keys(keys).algorithms(Algorithm::ALL))
        .audience("https://api.erp.example/{tenant}")
        .scope("{tenant}.{scope}")
        .tenant_path("/{tenant}/{*rest}")
        .tenant_header("x-tenant-id");
    if let Some(bytes) = cache {
        server = server.token_cache_bytes(bytes);
    }
    let erp = server.build().await?;
    let handler = |Path(_): Path<String>, principal: TenantPrincipal| async move { principal.tenant().to_string() };
    Ok(Router::new()
        .route("/{tenant}/journal-entries", get(handler).layer(RequireScopeLayer::all(["journal.read"])))
        .layer(erp.layer()))
}

/// A run is one request on a router that is cloned beforehand, as a connection does.
async fn drive(router: Router, token: &str) -> Box<dyn FnMut()> {
    let value = format!("Bearer {token}");
    let request = move || {
        Request::get("/tenant1/journal-entries").header("authorization", &value).body(Body::empty()).expect("a request")
    };
    // The first request verifies the token; some more let the cache settle.
    for _ in 0..50 {
        let response = router.clone().oneshot(request()).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::OK);
    }
    let mut router = router;
    Box::new(move || {
        let response = now(router.call(request())).expect("infallible");
        assert_eq!(black_box(response).status(), StatusCode::OK);
    })
}

fn signature(issuer: &TestIssuer, algorithm: Algorithm, token: &str) -> Result<Box<dyn FnMut()>, Box<dyn std::error::Error>> {
    let pem = issuer.key(algorithm).public_pem();
    let der = BASE64_STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>())?;
    let key = match algorithm {
        Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)?,
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der)?,
        _ => ParsedPublicKey::new(&ED25519, der)?,
    };
    let (message, signature) = token.rsplit_once('.').ok_or("a token has three parts")?;
    let (message, signature) = (message.to_owned(), BASE64_URL_SAFE_NO_PAD.decode(signature)?);
    Ok(Box::new(move || key.verify_sig(black_box(message.as_bytes()), &signature).expect("a good signature")))
}

fn same(request: Request<Body>) -> Request<Body> {
    request
}

/// Polls a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}
