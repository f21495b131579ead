//! Key sets on the disk, for a start while an issuer is down.
//!
//! One file per issuer: a line with a digest, then what is known about the set and its keys. It is
//! written after each fetch that worked and read before the first fetch. What is read passes through
//! the parser that a fetched set passes through, and is as old as it would be without the restart.
//!
//! The digest finds damage; it is no proof of origin. Who can write to the directory can bring in
//! keys.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenantry_core::Issuer;

use crate::document::Document;
use crate::json;
use crate::jwk;
use crate::key_file::read_bounded;
use crate::keys::KeySet;
use crate::validator::Validator;

/// The first word of a file, with the number of its format.
const FORMAT: &str = "tenantry-keys-1";

/// The members of a public key, and whose tokens it is for. What else an issuer writes into a key
/// stays out of the file.
const MEMBERS: [&str; 11] =
    ["alg", "crv", "e", "issuer", "key_ops", "kid", "kty", "n", "use", "x", "y"];

/// The directory with the snapshots.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    directory: PathBuf,
}

/// Whose snapshot, and where the keys came from. A file for something else is passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) source: &'a str,
}

/// A key set that was loaded by an earlier process.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) set: KeySet,
    pub(crate) validator: Validator,
    pub(crate) age: Duration,
}

#[derive(Debug, Deserialize, Serialize)]
struct Contents {
    issuer: String,
    source: String,
    url: String,
    etag: Option<String>,
    /// What `Cache-Control` says, in seconds.
    lifetime: Option<u64>,
    /// In seconds since 1970.
    loaded_at: u64,
    keys: Vec<Value>,
}

impl Snapshots {
    /// `None`: the directory is none, or anybody may write to it.
    pub(crate) fn open(directory: &Path) -> Option<Self> {
        if let Err(error) = check(directory) {
            tracing::warn!(%error, "no snapshots of keys");
            return None;
        }
        Some(Self { directory: directory.to_owned() })
    }

    /// Reads what an earlier process left, if there is something. `unix` is the time now.
    pub(crate) fn restore(&self, owner: Owner<'_>, unix: Duration) -> Option<Restored> {
        match self.read(owner) {
            Ok(contents) => {
                let restored = contents.restored(unix);
                if restored.is_none() {
                    tracing::warn!("snapshot of keys ignored: it has no usable key, or no past");
                }
                restored
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, "snapshot of keys ignored");
                None
            }
        }
    }

    /// Keeps a set that was just loaded.
    pub(crate) fn keep(
        &self,
        owner: Owner<'_>,
        document: &[u8],
        validator: &Validator,
        unix: Duration,
    ) {
        let contents = Contents {
            issuer: owner.issuer.as_str().to_owned(),
            source: owner.source.to_owned(),
            keys: public_keys(document),
            ..Contents::about(validator, unix)
        };
        report(self.write(owner, &contents));
    }

    /// Takes down that the set is the current one still.
    pub(crate) fn renew(&self, owner: Owner<'_>, validator: &Validator, unix: Duration) {
        let renewed = self.read(owner).and_then(|old| {
            let (issuer, source, keys) = (old.issuer, old.source, old.keys);
            let contents = Contents { issuer, source, keys, ..Contents::about(validator, unix) };
            self.write(owner, &contents)
        });
        report(renewed);
    }

    fn read(&self, owner: Owner<'_>) -> io::Result<Contents> {
        let bytes = read_bounded(&self.path(owner, "keys"))?;
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (head, body) = bytes.split_at(end);
        let body = body.get(1..).unwrap_or_default();
        if head != heading(body).as_bytes() {
            return Err(io::Error::other("it is damaged"));
        }
        let contents: Contents = serde_json::from_slice(body)?;
        if contents.issuer != owner.issuer.as_str() || contents.source != owner.source {
            return Err(io::Error::other("it is of another issuer, or of other keys"));
        }
        Ok(contents)
    }

    /// Under another name first, so that a file is there in full or not at all.
    fn write(&self, owner: Owner<'_>, contents: &Contents) -> io::Result<()> {
        let body = serde_json::to_vec(contents)?;
        let new = self.path(owner, &format!("{}.tmp", std::process::id()));
        let written = create(&new).and_then(|mut file| {
            file.write_all(heading(&body).as_bytes())?;
            file.write_all(b"\n")?;
            file.write_all(&body)?;
            file.sync_all()?;
            fs::rename(&new, self.path(owner, "keys"))
        });
        written.inspect_err(|_| drop(fs::remove_file(&new)))
    }

    /// Named by a hash: an issuer may hold whatever bytes.
    fn path(&self, owner: Owner<'_>, extension: &str) -> PathBuf {
        let name = hex(digest(&SHA256, owner.issuer.as_str().as_bytes()).as_ref());
        self.directory.join(format!("{name}.{extension}"))
    }
}

impl Contents {
    fn about(validator: &Validator, unix: Duration) -> Self {
        Self {
            issuer: String::new(),
            source: String::new(),
            url: validator.url.to_string(),
            etag: validator.etag.as_deref().map(str::to_owned),
            lifetime: validator.said.map(|said| said.as_secs()),
            loaded_at: unix.as_secs(),
            keys: Vec::new(),
        }
    }

    /// `None`: there is no usable key in it, or it was written in the future, so its age is unknown.
    fn restored(self, unix: Duration) -> Option<Restored> {
        let age = unix.checked_sub(Duration::from_secs(self.loaded_at))?;
        let document = serde_json::to_vec(&serde_json::json!({ "keys": self.keys })).ok()?;
        let set = KeySet::parse_for(&Issuer::new(self.issuer), &document).ok();
        let set = set.filter(|set| !set.keys().is_empty())?;
        let validator = Validator {
            url: self.url.into(),
            etag: self.etag.map(Into::into),
            said: self.lifetime.map(Duration::from_secs),
        };
        Some(Restored { set, validator, age })
    }
}

/// The keys of `document` that are sound, with the members that a public key has.
fn public_keys(document: &[u8]) -> Vec<Value> {
    let document: Document<'_> = match serde_json::from_slice(document) {
        Ok(document) => document,
        Err(_) => return Vec::new(),
    };
    let keys = document.0.into_iter().map(|key| key.get().as_bytes());
    let sound = keys.filter(|key| jwk::read(key).is_ok()).filter_map(json::object);
    let public = sound.map(|mut members| {
        members.retain(|name, _| MEMBERS.contains(&name.as_str()));
        Value::Object(members)
    });
    public.collect()
}

fn check(directory: &Path) -> io::Result<()> {
    let metadata = fs::metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return Err(io::Error::other("anybody may write to the directory"));
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn report(written: io::Result<()>) {
    if let Err(error) = written {
        tracing::warn!(%error, "snapshot of keys not written");
    }
}

fn heading(body: &[u8]) -> String {
    format!("{FORMAT} {}", hex(digest(&SHA256, body).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
