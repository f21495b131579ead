//! What the log says about signing keys and the file that they are in. In a program of its own: whether an event is of interest to
//! anybody is remembered for the whole program.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenantry_issuer::{KeyEncryptionKey, KeyRing, Settings, SettingsBuilder, Store};
use tenantry_testkit::ManualClock;

/// What is logged while it is at hand.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn open(settings: SettingsBuilder) {
    let settings = settings.issuer("https://auth.erp.example").audience("urn:hub").build().unwrap();
    let clock = ManualClock::new(Duration::from_secs(1_800_000_000));
    let store = Store::open("sqlite::memory:").await.unwrap();
    KeyRing::open(store, &settings, Arc::new(clock)).await.unwrap();
}

#[tokio::test]
async fn the_log_says_when_keys_are_not_encrypted() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let logged = || String::from_utf8(std::mem::take(&mut lines.0.lock().unwrap())).unwrap();

    let key = KeyEncryptionKey::new([1; 32]);
    open(Settings::builder().key_encryption_key(key)).await;
    assert!(!logged().contains("without encryption"));

    open(Settings::builder()).await;
    assert!(
        logged().contains(
            "WARN tenantry_issuer::keys::ring: signing keys are stored without encryption"
        )
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_says_when_the_file_was_open_to_others() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let logged = || String::from_utf8(std::mem::take(&mut lines.0.lock().unwrap())).unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("tenantry.db");
    let url = format!("sqlite://{}", file.display());

    let first = Store::open(&url).await.unwrap();
    assert_eq!(logged(), "");
    for beside in ["", "-wal", "-shm"] {
        let file = dir.path().join(format!("tenantry.db{beside}"));
        set_permissions(file, Permissions::from_mode(0o664)).unwrap();
    }
    Store::open(&url).await.unwrap().close().await;
    let said = logged();
    let expected = format!(
        " WARN tenantry_issuer::store::sqlite: the database file `{}` was not for its owner only \
         (mode 0664); it is now\n",
        file.display()
    );
    assert!(said.ends_with(&expected), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    first.close().await;
}
