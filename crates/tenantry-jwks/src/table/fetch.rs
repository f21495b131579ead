//! What a fetch may take. What the transport does about it is tested there.

use std::time::Duration;

use crate::error::{KeyErrorKind, LoadErrorKind};
use crate::fetch_error::FetchErrorKind;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, ISSUER, Step, URL, ask};
use crate::transport::{FetchRequest, UrlOrigin};

#[tokio::test(start_paused = true)]
async fn has_5_seconds_in_all_metadata_included() {
    let bench = Bench::with(KeySettings::default(), KeySource::discovery());
    let (_metadata, metadata) = Step::held();
    let (_keys, keys) = Step::held();
    let place = "https://auth.example/.well-known/oauth-authorization-server/tenant1";
    bench.script.says(place, [metadata]);
    bench.script.says(URL, [keys]);
    let released = tokio::spawn({
        let document = serde_json::json!({ "issuer": ISSUER, "jwks_uri": URL });
        async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            drop(_metadata.send(document.into()));
        }
    });
    let before = tokio::time::Instant::now();
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(before.elapsed(), Duration::from_secs(5));
    let failure = LoadErrorKind::Fetch(FetchErrorKind::TimedOut);
    assert_eq!(bench.keys().status().failure(), Some(failure));
    assert_eq!(bench.script.asked(), [place, URL]);
    released.await.unwrap();
}

#[test]
fn is_256_kib_and_5_seconds_for_the_transport() {
    let request = FetchRequest::new(URL, UrlOrigin::Operator, false).unwrap();
    assert_eq!((request.max_bytes(), request.time_limit()), (262_144, Duration::from_secs(5)));
    assert_eq!(request.if_none_match(), None);
}
