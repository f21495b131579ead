//! One access token on one core: the bare signature, the token, and the whole token request.
//!
//! ```sh
//! cargo run --release --manifest-path benches/Cargo.toml --bin issue
//! ```
//!
//! prints, for each algorithm and database, how many one core does per second (from the 10th percentile of
//! the time of one), what part of the bare rate of the same round is left in the median, and allocations:
//!
//! - `signature`: the signature alone, with a prepared key, over a message as long as the token's.
//! - `token`: [`KeyRing::issue`](tenantry_issuer::KeyRing::issue): claims, `jti`, key, signature, text.
//! - `request`: the request through [`IssuerServer::router`](tenantry_issuer::IssuerServer::router): client
//!   credentials by HTTP Basic, two scopes, an audience, until the answer is read. The client is one of a
//!   hundred that the server has seen in the last 30 seconds. The audit event is queued, the figures are counted.
//!   The target is 0.7 for ES256.
//! - `logged`: the same, with the audit event as a line in a log file, as `tenantry serve issuer` has it.
//! - `accounted`: the same as `request`, with everything that it causes later: the event's row in the audit
//!   table, and the client's own read each 30 seconds.
//! - `renewable`: the same as `request`, with a refresh token: one write, waited for until it is on the disk
//!   (PostgreSQL's, if it is one of this program's own, does not wait for it).
//!
//! A turn is many of one contestant, each timed alone, and the median of them counts: whatever else the machine
//! does meets a few. Only for `accounted` it is the processor's time of all threads over the whole turn. A server of
//! PostgreSQL works on its own account in any case.
//!
//! Contestants take turns in each round, so that a slow moment of the machine meets them all. What a request
//! leaves to be done later is done between the turns.
//!
//! With `PROFILE=request` (or another but `logged`) ES256 over SQLite runs that one alone, for a profile:
//! `PROFILE=request perf record --call-graph dwarf,16384 target/release/issue`. Below `Open::ask` is the request.

mod contestant;
#[path = "../../../crates/tenantry-issuer/tests/store/postgres.rs"]
mod postgres;
mod signature;
mod site;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::contestant::{Contestant, measure, profile};
use crate::site::Site;

const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];

pub(crate) type Failed = Box<dyn std::error::Error>;

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

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn main() -> Result<(), Failed> {
    let figures = PrometheusBuilder::new().install_recorder()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let file = |name: String| format!("sqlite://{}", directory.path().join(name).display());
    let sqlite = |algorithm, name| Site { database: "SQLite", url: file(name), algorithm };
    if let Ok(only) = std::env::var("PROFILE") {
        return runtime.block_on(profile(&sqlite("ES256", "profile.db".into()), &only));
    }
    println!("{:8} {:10} {:10} {:>10} {:>8} {:>7}", "alg", "database", "contestant", "per second", "of bare", "allocs");
    for algorithm in ALGORITHMS {
        let site = sqlite(algorithm, format!("{algorithm}.db"));
        runtime.block_on(measure(&site, Contestant::SILENT, &figures))?;
        runtime.block_on(async {
            // Says so in a line if there is none.
            let Some(database) = postgres::Database::create().await else { return Ok(()) };
            let site = Site { database: "PostgreSQL", url: database.url.clone(), algorithm };
            let measured = measure(&site, Contestant::SILENT, &figures).await;
            database.remove().await;
            measured
        })?;
    }
    let log = File::create(directory.path().join("log"))?;
    tracing_subscriber::fmt().with_ansi(false).with_writer(Mutex::new(log)).init();
    for algorithm in ALGORITHMS {
        let site = sqlite(algorithm, format!("logged-{algorithm}.db"));
        runtime.block_on(measure(&site, Contestant::LOGGED, &figures))?;
    }
    Ok(())
}
