//! How long a refusal takes: row 9.

use std::time::{Duration, Instant};

use crate::stack::{Stack, TOKEN};

const ROUNDS: u32 = 10_000;

/// The last is the first again: how far their medians are apart is what the machine adds.
const KINDS: [(&str, &str, &str); 4] = [
    ("unknown tenant", "tenant3", "erp-sync"),
    ("unknown client", "tenant1", "nobody-1"),
    ("wrong secret", "tenant1", "erp-sync"),
    ("unknown tenant again", "tenant4", "erp-sync"),
];

#[tokio::test]
#[ignore = "measures: run it alone, on a machine that does nothing else"]
async fn a9_how_long_a_refusal_takes_does_not_tell_what_exists() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("issuer.db");
    let stack = Stack::over(&format!("sqlite://{}", file.display())).await;
    let mut times = KINDS.map(|_| Vec::new());
    for round in 0..ROUNDS {
        for (at, (_, tenant, client)) in KINDS.into_iter().enumerate() {
            // From somewhere else each time, so that nobody has to wait.
            let address = format!("2001:db8:{at:x}:{round:x}::1");
            let sent = stack.post(TOKEN).basic(client, stack.secret("tenant2")).from(&address);
            let sent = sent.with("tenant_id", tenant).with("grant_type", "client_credentials");
            let start = Instant::now();
            let answer = sent.send().await;
            times[at].push(start.elapsed());
            assert_eq!(answer.status.as_u16(), 401);
        }
    }

    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    for ((kind, ..), median) in KINDS.iter().zip(medians) {
        println!("{kind}: {median:?}");
    }
    let apart = |one: Duration, other: Duration| one.abs_diff(other);
    let noise = apart(medians[0], medians[3]).max(medians[0] / 20);
    for (kind, median) in KINDS.iter().zip(medians).skip(1).take(2) {
        assert!(apart(median, medians[0]) <= 2 * noise, "{kind:?}");
    }
}
