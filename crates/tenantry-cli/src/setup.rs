//! Settings and records: found in the same way by every command.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tenantry_issuer::{
    AuditEvent, AuditOutcome, ClientId, ConfigError, IssuerFile, IssuerName, KeyEncryptionKey,
    Settings, Store,
};

use tenantry_core::TenantId;

use crate::args::Place;
use crate::clock::now;
use crate::failure::{Failure, with_causes};

/// Where the authorization server listens if nobody says where.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

const DATABASE: &str = "sqlite://tenantry.db";

const KEY_VARIABLE: &str = "TENANTRY_KEY_ENCRYPTION_KEY";

/// What the command line and the file say together.
#[derive(Debug)]
pub(crate) struct Setup {
    file: Option<IssuerFile>,
    path: Option<PathBuf>,
    database: String,
}

impl Setup {
    /// Reads the file that `place` names, or `issuer.toml` if there is one.
    pub(crate) fn read(place: &Place) -> Result<Self, Failure> {
        let default = Path::new("issuer.toml");
        let path = place.config.as_deref().or_else(|| default.exists().then_some(default));
        let file = path.map(IssuerFile::read).transpose()?;
        let of_file = || file.as_ref().and_then(IssuerFile::database);
        let database = place.database.as_deref().or_else(of_file).unwrap_or(DATABASE).to_owned();
        Ok(Self { path: path.map(Into::into), file, database })
    }

    /// Does something with the settings and the records, and closes the database, whatever comes of it.
    pub(crate) async fn with_store(
        place: &Place,
        act: impl AsyncFnOnce(&Settings, &Store) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let setup = Self::read(place)?;
        let settings = setup.settings_alone()?;
        let store = setup.open().await?;
        let done = act(&settings, &store).await;
        store.close().await;
        done
    }

    /// Reads the same file again, for a server that runs.
    pub(crate) fn again(
        &self,
        issuer: Option<&IssuerName>,
        address: SocketAddr,
    ) -> Result<(Self, Settings), Failure> {
        let (Some(path), Some(before)) = (&self.path, &self.file) else {
            return Err(Failure::told("there is no file to read again: start with --config FILE"));
        };
        let file = IssuerFile::read(path)?;
        file.succeed(before)?;
        let again =
            Self { file: Some(file), path: Some(path.clone()), database: self.database.clone() };
        let settings = again.settings(issuer, address)?;
        Ok((again, settings))
    }

    /// Says on which line of the file the setting is that an error is about.
    pub(crate) fn locate(&self, error: ConfigError) -> ConfigError {
        match &self.file {
            Some(file) => file.locate(error),
            None => error,
        }
    }

    /// The address that the file names.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.file.as_ref().and_then(IssuerFile::listen).unwrap_or(LISTEN)
    }

    /// The address for `/metrics` that the file names.
    pub(crate) fn metrics_listen(&self) -> Option<SocketAddr> {
        self.file.as_ref().and_then(IssuerFile::metrics_listen)
    }

    /// The settings, for a server that is reached at `address` if nothing else is said.
    pub(crate) fn settings(
        &self,
        issuer: Option<&IssuerName>,
        address: SocketAddr,
    ) -> Result<Settings, Failure> {
        let key = key_of_environment()?;
        let with_key = |settings: Settings| match (key.clone(), settings.key_encryption_key()) {
            (None, _) => Ok(settings),
            (Some(_), Some(_)) => Err(Failure::told(format!(
                "{KEY_VARIABLE} is set, and so is key_encryption_key_file: leave one of them out"
            ))),
            (Some(key), None) => Ok(settings.with_key_encryption_key(key)),
        };
        if let Some(file) = &self.file {
            return with_key(match issuer {
                Some(issuer) => file.settings_for(issuer)?,
                None => file.settings()?,
            });
        }
        let url = match issuer {
            Some(issuer) => issuer.clone(),
            None => at(address)?,
        };
        let audience = format!("{}/{{tenant}}", url.base());
        with_key(Settings::builder().issuer(url.as_str()).audience(audience).build()?)
    }

    /// The settings as the commands need them that do not serve.
    pub(crate) fn settings_alone(&self) -> Result<Settings, Failure> {
        self.settings(None, self.listen())
    }

    /// Opens the database, and makes it if it is not there.
    pub(crate) async fn open_or_make(&self) -> Result<Store, Failure> {
        Store::open(&self.database).await.map_err(|error| {
            Failure::told(format!("cannot use the database: {}", with_causes(&error)))
        })
    }

    /// Opens the database. One that is not there has nothing to show and nothing to change, so it is
    /// not made: its name may be wrong.
    pub(crate) async fn open(&self) -> Result<Store, Failure> {
        let name = self.database.strip_prefix("sqlite://");
        let file = name.or_else(|| self.database.strip_prefix("sqlite:"));
        let file = file
            .filter(|file| !file.starts_with(':'))
            .map(|file| file.split_once('?').map_or(file, |(file, _)| file));
        if let Some(file) = file.filter(|file| !Path::new(file).exists()) {
            return Err(Failure::told(format!(
                "there is no database {file}: make one with `tenantry tenant add`, or name it with --database"
            )));
        }
        self.open_or_make().await
    }
}

/// The issuer of a server that has no other name than its address.
fn at(address: SocketAddr) -> Result<IssuerName, Failure> {
    let url = format!("http://{address}");
    url.parse().map_err(|_| {
        Failure::told(format!(
            "{address} is not loopback, so tokens need a name that is reached by https: set --issuer URL"
        ))
    })
}

fn key_of_environment() -> Result<Option<KeyEncryptionKey>, Failure> {
    match std::env::var(KEY_VARIABLE) {
        Err(std::env::VarError::NotPresent) => Ok(None),
        Ok(text) => text
            .parse()
            .map(Some)
            .map_err(|error| Failure::told(format!("{KEY_VARIABLE} is {error}"))),
        Err(error) => Err(Failure::told(format!("{KEY_VARIABLE}: {error}"))),
    }
}

/// Writes down what an operator did, and to whom.
///
/// It was done already, so a trail that cannot be written to does not undo it.
pub(crate) async fn audit(
    store: &Store,
    action: &str,
    tenant: Option<&TenantId>,
    client: Option<&ClientId>,
) {
    let event = AuditEvent {
        at: now(),
        actor: "operator".into(),
        action: action.into(),
        tenant: tenant.cloned(),
        client: client.cloned(),
        grant: None,
        scopes: Vec::new(),
        outcome: AuditOutcome::Done,
        reason: None,
    };
    if let Err(error) = store.append_audit(&[event]).await {
        tracing::error!(error = with_causes(&error), action, "the audit trail lacks an event");
    }
}
