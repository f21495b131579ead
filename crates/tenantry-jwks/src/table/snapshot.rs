//! Key sets on the disk, for a restart while the issuer is down.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::KeyErrorKind;
use crate::fetch_error::FetchErrorKind;
use crate::settings::KeySettings;
use crate::source::KeySource;
use crate::testing::{Bench, Step, URL, ask, ed25519, found, keys_of, set, settle};

/// A directory of this test, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenantry-snapshots-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn settings(&self) -> KeySettings {
        KeySettings::default().with_snapshots(&self.0)
    }

    /// A process that starts at this time of day.
    fn process(&self, unix: u64) -> Bench {
        self.process_with(unix, KeySource::uri(URL))
    }

    fn process_with(&self, unix: u64, source: KeySource) -> Bench {
        let bench = Bench::with(self.settings(), source);
        bench.clock.set_unix(Duration::from_secs(unix));
        bench
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits for the file that is written after a fetch, and returns what is in it.
    async fn written(&self, until: impl Fn(&str) -> bool) -> String {
        loop {
            if let [file] = self.files().as_slice()
                && file.extension().is_some_and(|end| end == "keys")
                && let Ok(text) = fs::read_to_string(file)
                && until(&text)
            {
                return text;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Key `a`, loaded at this time of day by a process that is gone.
    async fn left_at(unix: u64) -> Self {
        let directory = Self::new();
        let bench = directory.process(unix);
        let answer = Step::from(keys_of(["a"])).with_etag("\"1\"");
        bench.script.says(URL, [answer.with_cache_control("max-age=900")]);
        assert_eq!(ask(&bench.keys(), "a").await, found("a"));
        directory.written(|_| true).await;
        directory
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn down(bench: &Bench) {
    bench.script.says(URL, [FetchErrorKind::Connect.into()]);
}

const HOUR: u64 = 3600;

#[tokio::test]
async fn serves_at_once_when_the_issuer_is_down_at_the_start() {
    let directory = Directory::left_at(10_000).await;
    let bench = directory.process(10_100);
    down(&bench);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(bench.script.count(), 0, "without the network");
    let status = keys.status();
    assert!(status.is_ready());
    assert_eq!(status.age(), Some(Duration::from_secs(100)), "as old as it is");
    assert_eq!(status.last_success(), None, "and readiness says so");
    settle(&keys).await;
    assert_eq!(bench.script.count(), 1, "a refresh is due at once");
    assert!(keys.status().failure().is_some());
    assert_eq!(ask(&keys, "a").await, found("a"));
}

#[tokio::test]
async fn keeps_the_bound_of_staleness_across_a_restart() {
    let directory = Directory::left_at(10_000).await;
    // Its lifetime is 900 s.
    let end = 10_000 + 900 + HOUR;
    let bench = directory.process(end - 10);
    down(&bench);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    settle(&keys).await;
    assert_eq!(keys.status().staleness(), Duration::from_secs(HOUR - 10));
    bench.advance(9);
    assert_eq!(ask(&keys, "a").await, found("a"));
    settle(&keys).await;
    bench.advance(1);
    assert_eq!(ask(&keys, "a").await, Err(KeyErrorKind::Unavailable));

    let bench = directory.process(end);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
}

#[tokio::test]
async fn an_unknown_key_waits_for_the_network_after_a_restart() {
    let directory = Directory::left_at(10_000).await;
    let bench = directory.process(10_100);
    bench.script.says(URL, [keys_of(["b"]).into()]);
    assert_eq!(ask(&bench.keys(), "b").await, found("b"), "rotated meanwhile");
    assert_eq!(bench.script.count(), 1);
    assert_eq!(bench.script.tags(), [Some("\"1\"".into())], "the tag is kept too");

    let directory = Directory::left_at(10_000).await;
    let bench = directory.process(10_100);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "b").await, Err(KeyErrorKind::Unavailable));
}

#[tokio::test]
async fn a_304_makes_it_younger() {
    let directory = Directory::left_at(10_000).await;
    let bench = directory.process(12_000);
    bench.script.says(URL, [304.into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    keys.warm();
    settle(&keys).await;
    directory.written(|text| text.contains("\"loaded_at\":12000")).await;
    let bench = directory.process(12_001);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "a").await, found("a"));
    assert_eq!(bench.keys().status().age(), Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn holds_public_keys_and_nothing_else() {
    let directory = Directory::new();
    let bench = directory.process(10_000);
    let mut private = ed25519("private");
    private["d"] = "c2VjcmV0".into();
    let mut odd = ed25519("good");
    odd["note"] = "internal".into();
    let symmetric = serde_json::json!({ "kty": "oct", "kid": "sym", "k": "c2VjcmV0" });
    bench.script.says(URL, [set([private, odd, symmetric]).into()]);
    assert_eq!(ask(&bench.keys(), "good").await, found("good"));
    let text = directory.written(|_| true).await;
    for secret in ["c2VjcmV0", "private", "sym", "internal", "note"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let file = directory.files().remove(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(!name.contains("auth") && name.len() == 64 + ".keys".len(), "{name}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let bench = directory.process(10_001);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "good").await, found("good"));
}

#[tokio::test]
async fn is_passed_over_when_it_is_damaged_or_from_the_future() {
    for damage in [
        |text: String| text.replace("\"a\"", "\"b\""),
        |text: String| text[..text.len() - 1].to_owned(),
        |text: String| text.split_once('\n').unwrap().1.to_owned(),
        |_| String::new(),
        |_| "\n".to_owned(),
        |_| "\0".repeat(300_000),
    ] {
        let directory = Directory::left_at(10_000).await;
        let file = directory.files().remove(0);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, damage(text)).unwrap();
        let bench = directory.process(10_001);
        down(&bench);
        assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
        assert_eq!(bench.script.count(), 1, "the network is asked in the same breath");
    }
    let directory = Directory::left_at(10_000).await;
    let bench = directory.process(9_999);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
}

#[tokio::test]
async fn is_for_one_issuer_and_one_source() {
    let directory = Directory::left_at(10_000).await;
    let elsewhere = "https://auth.example/other";
    for source in [KeySource::uri(elsewhere), KeySource::discovery()] {
        let bench = directory.process_with(10_001, source);
        assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
    }
    // A file under the name of another issuer.
    let bench = directory.process(10_001);
    let other = bench.found("other");
    bench.script.says(&Bench::url_of("other"), [keys_of(["b"]).into()]);
    assert_eq!(ask(&other, "b").await, found("b"));
    while directory.files().iter().filter(|file| file.extension().unwrap() == "keys").count() < 2 {
        tokio::task::yield_now().await;
    }
    let files = directory.files();
    let texts: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    fs::write(&files[0], &texts[1]).unwrap();
    fs::write(&files[1], &texts[0]).unwrap();
    let bench = directory.process(10_002);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
    assert_eq!(ask(&bench.found("other"), "b").await, Err(KeyErrorKind::Unavailable));
}

#[tokio::test]
async fn passes_through_the_parser_that_fetched_sets_pass_through() {
    use aws_lc_rs::digest::{SHA256, digest};
    let directory = Directory::left_at(10_000).await;
    let file = directory.files().remove(0);
    let text = fs::read_to_string(&file).unwrap();
    let body = text.split_once('\n').unwrap().1.replace("\"crv\":\"Ed25519\"", "\"crv\":\"X448\"");
    let hash: String = digest(&SHA256, body.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    fs::write(&file, format!("tenantry-keys-1 {hash}\n{body}")).unwrap();
    let bench = directory.process(10_001);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
}

#[tokio::test]
async fn is_for_issuers_found_by_a_pattern_too_and_not_for_files() {
    let directory = Directory::new();
    let bench = directory.process(10_000);
    bench.script.says(&Bench::url_of("found"), [keys_of(["b"]).into()]);
    assert_eq!(ask(&bench.found("found"), "b").await, found("b"));
    directory.written(|_| true).await;
    let bench = directory.process(10_001);
    assert_eq!(ask(&bench.found("found"), "b").await, found("b"));
    assert_eq!(bench.script.count(), 0);

    let directory = Directory::new();
    let keys = std::env::temp_dir().join(format!("tenantry-keys-{}", std::process::id()));
    fs::write(&keys, keys_of(["a"]).to_string()).unwrap();
    let bench = directory.process_with(10_000, KeySource::file(&keys));
    assert_eq!(ask(&bench.keys(), "a").await, found("a"));
    assert!(directory.files().is_empty());
    fs::remove_file(keys).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_anybody_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::left_at(10_000).await;
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o777)).unwrap();
    let bench = directory.process(10_001);
    down(&bench);
    assert_eq!(ask(&bench.keys(), "a").await, Err(KeyErrorKind::Unavailable));
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_directory_that_is_not_there_does_no_harm() {
    let settings = KeySettings::default().with_snapshots("/nonexistent/tenantry");
    let bench = Bench::with(settings, KeySource::uri(URL));
    bench.script.says(URL, [keys_of(["a"]).into()]);
    assert_eq!(ask(&bench.keys(), "a").await, found("a"));
}

#[tokio::test]
async fn a_key_for_another_issuer_is_none_after_a_restart_either() {
    let directory = Directory::new();
    let mut other = ed25519("b");
    other["issuer"] = "https://auth.example/tenant2".into();
    let mut own = ed25519("a");
    own["issuer"] = "https://auth.example/{tenantid}".into();
    let bench = directory.process(10_000);
    bench.script.says(URL, [set([own, other]).into()]);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(keys.status().keys(), 1);
    directory.written(|_| true).await;

    let bench = directory.process(10_001);
    down(&bench);
    let keys = bench.keys();
    assert_eq!(ask(&keys, "a").await, found("a"));
    assert_eq!(keys.status().keys(), 1);
    assert_ne!(ask(&keys, "b").await, found("b"));
}
