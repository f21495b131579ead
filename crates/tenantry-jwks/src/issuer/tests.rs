//! The keys of an issuer over a scripted network, under a clock that is set by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenantry_core::{Algorithm, Issuer};
use tokio::task::JoinSet;

use super::*;
use crate::error::KeyErrorKind;
use crate::fetch_error::FetchErrorKind;
use crate::keys::KeySet;
use crate::settings::KeySettings;
use crate::testing::{
    Bench, ISSUER, ManualClock, Script, Step, URL, ask, ed25519, ed25519_pair, found, keys_of,
    loaded, pem, set, settle, spki,
};

#[tokio::test]
async fn a_thousand_first_requests_make_one_fetch() {
    let bench = Bench::new();
    let (release, held) = Step::held();
    bench.script.says(URL, [held, Step::Panic]);
    let keys = bench.keys();
    let mut callers = JoinSet::new();
    for _ in 0..1000 {
        let keys = Arc::clone(&keys);
        callers.spawn(async move { ask(&keys, "a").await });
    }
    bench.script.has_been_asked(1).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(release.send(keys_of(["a"]).into()).is_ok());
    for verdict in callers.join_all().await {
        assert_eq!(verdict, found("a"));
    }
    assert_eq!(bench.script.count(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_nothing() {
    let bench = Bench::new();
    let (release, held) = Step::held();
    bench.script.says(URL, [held, Step::Panic]);
    let keys = bench.keys();
    let caller = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { ask(&keys, "a").await }
    });
    bench.script.has_been_asked(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    assert!(release.send(keys_of(["a"]).into()).is_ok());
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(bench.script.count(), 1, "the fetch of the one who left served the next");
}

#[tokio::test]
async fn a_request_with_a_known_key_does_not_wait_for_a_refresh() {
    let (bench, keys) = loaded().await;
    let epoch = keys.epoch();
    let (release, held) = Step::held();
    bench.script.says(URL, [held, Step::Panic]);
    bench.advance(480);
    assert_eq!(keys.epoch(), epoch, "starts the refresh");
    bench.script.has_been_asked(2).await;
    assert_eq!(ask(&keys, "a").await, found("a"), "while the fetch hangs");
    assert!(release.send(keys_of(["a", "b"]).into()).is_ok());
    assert_eq!(ask(&keys, "b").await, found("b"));
    assert_eq!(bench.script.count(), 2);
}

#[tokio::test]
async fn a_request_for_a_known_key_starts_the_refresh_that_is_due() {
    let (bench, keys) = loaded().await;
    bench.advance(480);
    assert_eq!(ask(&keys, "a").await, found("a"));
    settle(&keys).await;
    assert_eq!(bench.script.count(), 2);
}

#[tokio::test]
async fn no_refresh_starts_before_it_is_due() {
    let (bench, keys) = loaded().await;
    bench.advance(479);
    assert!(keys.epoch().is_some());
    assert_eq!(ask(&keys, "a").await, found("a"));
    tokio::task::yield_now().await;
    assert_eq!(bench.script.count(), 1);
}

#[tokio::test]
async fn a_withdrawn_key_is_not_found_and_changes_the_epoch() {
    let (bench, keys) = loaded().await;
    let with_a = keys.key(Some("a"), Algorithm::EdDsa).await.unwrap();
    assert_eq!(keys.epoch(), Some(with_a.epoch));

    bench.script.says(URL, [keys_of(["b"]).into()]);
    assert_eq!(ask(&keys, "b").await, found("b"));
    assert_ne!(keys.epoch(), Some(with_a.epoch));
    let with_b = keys.key(Some("b"), Algorithm::EdDsa).await.unwrap();
    assert_eq!(keys.epoch(), Some(with_b.epoch));
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unknown));
}

#[tokio::test]
async fn the_epoch_stays_while_the_keys_stay() {
    let (bench, keys) = loaded().await;
    let epoch = keys.epoch();
    for _ in 0..3 {
        bench.advance(480);
        assert_eq!(keys.epoch(), epoch);
        settle(&keys).await;
    }
    assert_eq!(bench.script.count(), 4);
    assert_eq!(keys.epoch(), epoch);
}

#[tokio::test]
async fn an_issuer_that_comes_back_does_not_bring_its_epoch() {
    let bench = Bench::new();
    bench.script.says(URL, [keys_of(["a"]).into()]);
    let issuer = Issuer::new("https://auth.example/tenant2");
    let mut epochs = Vec::new();
    for _ in 0..2 {
        let keys = bench.store.get_or_insert(&issuer, || KeySource::uri(URL));
        epochs.push(keys.key(Some("a"), Algorithm::EdDsa).await.unwrap().epoch);
        bench.store.forget(&issuer);
    }
    assert_ne!(epochs[0], epochs[1]);
}

#[tokio::test]
async fn a_set_past_its_bound_has_no_epoch_and_no_keys() {
    let (bench, keys) = loaded().await;
    bench.script.says(URL, [503.into()]);
    bench.advance(600 + 3600 - 1);
    assert!(keys.epoch().is_some());
    settle(&keys).await;
    assert_eq!(ask(&keys, "a").await, found("a"));
    bench.advance(1);
    assert_eq!(keys.epoch(), None);
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    assert!(!keys.status().is_ready());
}

#[tokio::test]
async fn unknown_keys_cost_no_more_than_the_budget() {
    let (bench, keys) = loaded().await;
    for kid in 0..1000 {
        let verdict = ask(&keys, &format!("made up {kid}")).await;
        assert_eq!(verdict, Err(KeyErrorKind::Unknown));
    }
    assert_eq!(bench.script.count(), 1 + 2);
    assert_eq!(ask(&keys, "a").await, found("a"), "a flood evicts nothing");

    bench.script.says(URL, [keys_of(["a", "b"]).into()]);
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown), "at once, over budget");
    bench.advance(30);
    assert_eq!(ask(&keys, "b").await, found("b"));
    assert_eq!(bench.script.count(), 1 + 3);
}

#[tokio::test]
async fn an_unknown_key_while_the_last_fetch_failed_is_unavailable() {
    let (bench, keys) = loaded().await;
    bench.script.says(URL, [500.into()]);
    let error = keys.key(Some("b"), Algorithm::EdDsa).await.unwrap_err();
    assert_eq!(error.kind(), KeyErrorKind::Unavailable);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unavailable), "without another fetch");
    assert_eq!(bench.script.count(), 2);
    assert_eq!(ask(&keys, "a").await, found("a"));

    bench.script.says(URL, [keys_of(["a", "b"]).into()]);
    bench.advance(1);
    assert_eq!(ask(&keys, "b").await, found("b"));
}

#[tokio::test]
async fn an_outage_at_the_start_heals_when_asked_again() {
    let bench = Bench::new();
    bench.script.says(URL, [FetchErrorKind::Connect.into()]);
    let keys = bench.keys();
    assert_eq!(keys.epoch(), None);
    let error = keys.key(Some("a"), Algorithm::EdDsa).await.unwrap_err();
    assert_eq!(error.kind(), KeyErrorKind::Unavailable);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    let status = keys.status();
    let failure = LoadErrorKind::Fetch(FetchErrorKind::Connect);
    assert_eq!((status.is_ready(), status.failure()), (false, Some(failure)));

    bench.script.says(URL, [keys_of(["a"]).into()]);
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable), "within the back-off");
    assert_eq!(bench.script.count(), 1);
    bench.advance(1);
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(keys.status().failure(), None);
}

#[tokio::test]
async fn asking_whether_it_is_ready_makes_it_ready() {
    let bench = Bench::new();
    bench.script.says(URL, [keys_of(["a"]).into()]);
    let keys = bench.keys();
    let status = keys.status();
    assert_eq!((status.is_ready(), status.keys(), status.age()), (false, 0, None));
    settle(&keys).await;
    bench.advance(7);
    let status = keys.status();
    let age = Some(Duration::from_secs(7));
    assert_eq!((status.is_ready(), status.keys(), status.age()), (true, 1, age));
}

#[tokio::test]
async fn warming_fetches_once() {
    let bench = Bench::new();
    bench.script.says(URL, [keys_of(["a"]).into()]);
    let keys = bench.keys();
    keys.warm();
    keys.warm();
    settle(&keys).await;
    keys.warm();
    tokio::task::yield_now().await;
    assert_eq!(bench.script.count(), 1);
    assert_eq!(ask(&keys, "a").await, found("a"));
}

#[test]
fn without_a_runtime_nothing_is_fetched_and_nothing_panics() {
    let bench = Bench::new();
    let keys = bench.keys();
    keys.warm();
    assert_eq!(keys.epoch(), None);
    assert!(!keys.status().is_ready());
    assert_eq!(bench.script.count(), 0);
}

#[tokio::test]
async fn a_late_answer_is_dropped() {
    let bench = Bench::new();
    let (release, held) = Step::held();
    bench.script.says(URL, [held, keys_of(["new"]).into()]);
    let keys = bench.keys();
    keys.warm();
    bench.script.has_been_asked(1).await;
    // Twice the time of a fetch: it is given up.
    bench.advance(10);
    assert_eq!(ask(&keys, "new").await, found("new"));
    let epoch = keys.epoch();

    assert!(release.send(keys_of(["old"]).into()).is_ok());
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(keys.epoch(), epoch);
    assert_eq!(ask(&keys, "new").await, found("new"));
}

#[tokio::test]
async fn bad_data_does_not_replace_a_good_set() {
    let mut private = ed25519("a");
    private["d"] = "AQAB".into();
    for (answer, failure) in [
        (Step::from("<html>"), LoadErrorKind::KeySet),
        (set([]).into(), LoadErrorKind::NoUsableKey),
        (set([private]).into(), LoadErrorKind::NoUsableKey),
        (404.into(), LoadErrorKind::Status(404)),
        (302.into(), LoadErrorKind::Status(302)),
        (Step::status(201, &keys_of(["b"]).to_string()), LoadErrorKind::Status(201)),
        (FetchErrorKind::Protocol.into(), LoadErrorKind::Fetch(FetchErrorKind::Protocol)),
        (
            Step::status(200, &(" ".repeat(KeySet::MAX_BYTES) + &keys_of(["b"]).to_string())),
            LoadErrorKind::Fetch(FetchErrorKind::TooLarge),
        ),
    ] {
        let (bench, keys) = loaded().await;
        let epoch = keys.epoch();
        bench.script.says(URL, [answer]);
        assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unavailable), "{failure}");
        assert_eq!(keys.status().failure(), Some(failure));
        assert_eq!(ask(&keys, "a").await, found("a"), "{failure}");
        assert_eq!(keys.epoch(), epoch);
    }
}

#[tokio::test]
async fn a_transport_that_panics_is_a_failed_fetch() {
    let bench = Bench::new();
    bench.script.says(URL, [Step::Panic, keys_of(["a"]).into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(keys.status().failure(), Some(LoadErrorKind::Interrupted));
    bench.advance(1);
    assert_eq!(ask(&keys, "a").await, found("a"));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_never_answers_is_given_five_seconds() {
    let bench = Bench::new();
    let (_never, held) = Step::held();
    bench.script.says(URL, [held, keys_of(["a"]).into()]);
    let keys = bench.keys();
    let before = tokio::time::Instant::now();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(before.elapsed().as_secs(), 5);
    let failure = LoadErrorKind::Fetch(FetchErrorKind::TimedOut);
    assert_eq!(keys.status().failure(), Some(failure));
}

#[tokio::test]
async fn two_keys_that_fit_are_ambiguous_without_a_fetch() {
    let bench = Bench::new();
    bench.script.says(URL, [keys_of(["a", "b"]).into()]);
    let keys = bench.keys();
    for _ in 0..2 {
        let verdict = keys.key(None, Algorithm::EdDsa).await.map(|_| ());
        assert_eq!(verdict.unwrap_err().kind(), KeyErrorKind::Ambiguous);
    }
    assert_eq!(bench.script.count(), 1);
}

#[tokio::test]
async fn an_issuer_with_a_hanging_server_does_not_delay_another() {
    let mut bench = Bench::new();
    let (_never, held) = Step::held();
    bench.script.says(URL, [held]);
    bench.script.says("https://other.example/jwks", [keys_of(["b"]).into()]);
    let other = Issuer::new("https://other.example");
    bench.store.pin(other.clone(), KeySource::uri("https://other.example/jwks"));
    bench.keys().warm();
    bench.script.has_been_asked(1).await;
    let keys = bench.store.get(other.as_str()).unwrap();
    assert_eq!(ask(&keys, "b").await, found("b"));
}

#[tokio::test]
async fn issuers_do_not_share_keys() {
    let (bench, keys) = loaded().await;
    let url = "https://auth.example/tenant2/jwks";
    bench.script.says(url, [keys_of(["b"]).into()]);
    let issuer = Issuer::new("https://auth.example/tenant2");
    let other = bench.store.get_or_insert(&issuer, || KeySource::uri(url));
    assert_eq!(ask(&other, "b").await, found("b"));
    assert_eq!(ask(&other, "a").await, Err(KeyErrorKind::Unknown));
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
}

#[tokio::test]
async fn discovered_keys_are_found() {
    let bench = Bench::with(KeySettings::default(), KeySource::discovery());
    let metadata = "https://auth.example/.well-known/oauth-authorization-server/tenant1";
    let document = serde_json::json!({ "issuer": ISSUER, "jwks_uri": URL });
    bench.script.says(metadata, [document.into()]);
    bench.script.says(URL, [keys_of(["a"]).into()]);
    assert_eq!(ask(&bench.keys(), "a").await, found("a"));
    assert_eq!(bench.script.asked(), [metadata, URL]);
}

#[tokio::test]
async fn an_insecure_url_is_not_fetched() {
    let bench = Bench::with(KeySettings::default(), KeySource::uri("http://auth.example/jwks"));
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    let failure = LoadErrorKind::Fetch(FetchErrorKind::Insecure);
    assert_eq!(keys.status().failure(), Some(failure));
    assert_eq!(bench.script.count(), 0);
}

#[tokio::test]
async fn a_document_in_the_configuration_is_used_without_a_fetch() {
    let source = KeySource::jwks(&keys_of(["a"]).to_string()).unwrap();
    let bench = Bench::with(KeySettings::default(), source);
    let keys = bench.keys();
    let epoch = keys.epoch();
    assert!(epoch.is_some());
    bench.advance(1_000_000);
    assert_eq!(keys.epoch(), epoch, "it does not go stale");
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(ask(&keys, "b").await, Err(KeyErrorKind::Unknown));
    assert!(keys.status().is_ready());
    assert_eq!(bench.script.count(), 0);
}

#[tokio::test]
async fn isolation_a_key_for_another_issuer_is_skipped_in_documents_and_files_too() {
    let ours = {
        let mut key = ed25519("ours");
        key["issuer"] = ISSUER.into();
        key
    };
    let theirs = {
        let mut key = ed25519("theirs");
        key["issuer"] = "https://auth.example/tenant2".into();
        key
    };
    let json = set([ours, theirs]).to_string();
    let file = TemporaryFile::new("of-two");
    file.write(&json);
    for source in [KeySource::jwks(&json).unwrap(), KeySource::file(&file.0)] {
        let keys = Bench::with(KeySettings::default(), source).keys();
        assert_eq!(ask(&keys, "ours").await, found("ours"));
        assert_eq!(ask(&keys, "theirs").await, Err(KeyErrorKind::Unknown));
    }
}

#[tokio::test]
async fn pem_in_the_configuration_is_used() {
    let source = KeySource::pem(&public_pem("a")).unwrap();
    let keys = Bench::with(KeySettings::default(), source).keys();
    assert_eq!(ask(&keys, "whatever the token says").await, Ok(None));
}

#[test]
fn a_document_without_a_usable_key_is_refused() {
    assert!(KeySource::jwks(&set([]).to_string()).is_err());
    assert!(KeySource::jwks("{}").is_err());
    assert!(KeySource::pem(&pem("CERTIFICATE", b"x")).is_err());
    assert!(KeySource::pem("").is_err());
}

#[tokio::test]
async fn a_file_is_read_again_when_it_is_due() {
    let file = TemporaryFile::new("rotated");
    file.write(&keys_of(["a"]).to_string());
    let bench = Bench::with(KeySettings::default(), KeySource::file(&file.0));
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));

    file.write(&public_pem("b"));
    assert_eq!(ask(&keys, "b").await, Ok(None), "an unknown kid has it read again, as PEM");

    file.write(&" ".repeat(KeySet::MAX_BYTES + 1));
    bench.advance(480);
    keys.warm();
    settle(&keys).await;
    assert_eq!(keys.status().failure(), Some(LoadErrorKind::KeySet));
    assert_eq!(ask(&keys, "b").await, Ok(None), "the good set stays");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_unavailable() {
    let file = TemporaryFile::new("missing");
    let keys = Bench::with(KeySettings::default(), KeySource::file(&file.0)).keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(keys.status().failure(), Some(LoadErrorKind::File));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_never_ends_is_not_read_to_its_end() {
    let keys = Bench::with(KeySettings::default(), KeySource::file("/dev/zero")).keys();
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(keys.status().failure(), Some(LoadErrorKind::KeySet));
}

#[test]
fn a_retry_is_asked_for_in_whole_seconds_and_never_at_once() {
    for (exact, whole) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_001, 60)] {
        let error = KeyError::unavailable(Duration::from_millis(exact));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(whole)), "{exact} ms");
    }
}

/// Writes down every event, fields and all.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut log = self.0.lock().unwrap();
        event.record(&mut |field: &tracing::field::Field, value: &dyn fmt::Debug| {
            *log += &format!("{}={value:?} ", field.name());
        });
        *log += "\n";
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_log_names_pinned_issuers_and_neither_keys_nor_strangers() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let bench = Bench::new();
    let mut private = ed25519("the-private-one");
    private["d"] = "AQAB".into();
    bench.script.says(URL, [set([private, ed25519("the-good-one")]).into(), 500.into()]);
    let stranger = Issuer::new("https://stranger.example");
    let found =
        bench.store.get_or_insert(&stranger, || KeySource::uri("https://stranger.example/k"));

    assert!(ask(&bench.keys(), "the-good-one").await.is_ok());
    assert!(ask(&bench.keys(), "the-made-up-one").await.is_err());
    assert!(ask(&found, "the-made-up-one").await.is_err());

    let log = log.0.lock().unwrap().clone();
    for told in [
        "message=key set loaded issuer=\"https://auth.example/tenant1\" keys=1",
        "message=key skipped issuer=\"https://auth.example/tenant1\" index=0 \
         reason=it is a private or symmetric key, published",
        "message=key set not loaded issuer=\"https://auth.example/tenant1\" \
         error=status 500 instead of 200",
        "message=key set not loaded error=status 404 instead of 200",
    ] {
        assert!(log.contains(told), "{told} is not in\n{log}");
    }
    for secret in ["stranger", "-one", "jwks.json", "AQAB"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}

#[test]
fn debug_shows_neither_keys_nor_network() {
    let keys = Bench::new().keys();
    assert_eq!(format!("{keys:?}"), format!("IssuerKeys {{ issuer: Issuer({ISSUER:?}), .. }}"));
}

fn public_pem(name: &str) -> String {
    use aws_lc_rs::signature::KeyPair;
    pem("PUBLIC KEY", &spki(ed25519_pair(name).public_key()))
}

/// A file of this process, removed at the end.
struct TemporaryFile(std::path::PathBuf);

impl TemporaryFile {
    fn new(name: &str) -> Self {
        let name = format!("tenantry-jwks-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_bench_is_shared_by_reference() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<IssuerKeys>();
    is_send_and_sync::<crate::store::KeyStore>();
    is_send_and_sync::<(ManualClock, Script)>();
}

#[tokio::test]
async fn whoever_looked_just_before_a_fetch_ended_does_not_start_the_next() {
    let (bench, keys) = loaded().await;
    let answer = keys.ask(keys.now(), Want::Key(Some("a"), Algorithm::EdDsa));
    assert_eq!((answer, keys.is_fetching()), (Answer::Use, false));
    assert_eq!(bench.script.count(), 1);
}
