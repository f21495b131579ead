//! Settings and records: found in the same way by every command.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tenantry_issuer::{
    AuditEvent, AuditOutcome, ClientId, ConfigError, IssuerFile, IssuerName, KeyEncryptionKey,
    Served, Settings, Store,
};

use tenantry_core::TenantId;

use crate::args::Place;
use crate::clock::now;
use crate::failure::{Failure, with_causes};
use crate::tenant::broken;

/// Where the authorization server listens if nobody says where.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

const DATABASE: &str = "tenantry.db";

const KEY_VARIABLE: &str = "TENANTRY_KEY_ENCRYPTION_KEY";

/// What the command line and the file say together.
#[derive(Debug)]
pub(crate) struct Setup {
    file: Option<IssuerFile>,
    path: Option<PathBuf>,
    database: String,
    /// Whether it is the file that names the database.
    database_of_file: bool,
    /// Whether the key encryption key is read. Who suspends a tenant may not be able to.
    with_key: bool,
}

impl Setup {
    /// Reads the file that `place` names, or `issuer.toml` if there is one.
    pub(crate) fn read(place: &Place) -> Result<Self, Failure> {
        let default = Path::new("issuer.toml");
        let path = place.config.as_deref().or_else(|| default.exists().then_some(default));
        let file = path.map(IssuerFile::read).transpose()?;
        let of_file = file.as_ref().and_then(IssuerFile::database);
        let named = place.database.as_deref().or(of_file).map(ToOwned::to_owned);
        let database = named.unwrap_or_else(|| database_beside(path));
        let database_of_file = place.database.is_none() && of_file.is_some();
        let path = path.map(Into::into);
        Ok(Self { path, file, database, database_of_file, with_key: false })
    }

    /// Reads the key encryption key, too: for whoever makes or encrypts keys.
    pub(crate) fn with_key(self) -> Self {
        Self { with_key: true, ..self }
    }

    /// Does something with the settings and the records, and closes the database, whatever comes of it.
    pub(crate) async fn with_store(
        &self,
        act: impl AsyncFnOnce(&Settings, &Store) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        // What is wrong with the file is told before the database is looked for.
        self.settings_alone()?;
        let store = self.open().await?;
        let done = match self.settings_of(&store).await {
            Ok(settings) => act(&settings, &store).await,
            Err(failure) => Err(failure),
        };
        store.close().await;
        done
    }

    /// The settings of the server that uses `store`: those of the file, or what the server was started
    /// with if there is none.
    pub(crate) async fn settings_of(&self, store: &Store) -> Result<Settings, Failure> {
        let Some(served) = store.served().await.map_err(|error| broken(&error))? else {
            return self.settings_alone();
        };
        let Some(path) = &self.path else {
            if served.file_issuer.is_some() {
                return Err(Failure::told(format!(
                    "the issuer {} that uses this database has a file of settings: name it with --config",
                    served.issuer
                )));
            }
            return self.settings(Some(&served.issuer), self.listen());
        };
        let settings = self.settings_alone()?;
        if served.file_issuer.as_ref() == Some(settings.issuer()) {
            // With `--issuer`, where the server was given one.
            return self.settings(Some(&served.issuer), self.listen());
        }
        if *settings.issuer() != served.issuer {
            return Err(Failure::told(format!(
                "{} is of the issuer {}, but {} uses this database: name its file with --config, or start \
                 `tenantry serve issuer` with this one first",
                path.display(),
                settings.issuer(),
                served.issuer
            )));
        }
        Ok(settings)
    }

    /// Notes what the server is started with, for the commands that come after it.
    pub(crate) async fn note(&self, store: &Store, issuer: &IssuerName) -> Result<(), Failure> {
        let before = store.served().await.map_err(|error| broken(&error))?;
        // A file may leave the issuer to the command line.
        let of_file = |file: &IssuerFile| {
            file.settings_without_key()
                .map_or_else(|_| issuer.clone(), |settings| settings.issuer().clone())
        };
        let file_issuer = self.file.as_ref().map(of_file);
        let served = Served { issuer: issuer.clone(), file_issuer };
        if before.as_ref() == Some(&served) {
            return Ok(());
        }
        if let Some(before) = before.filter(|before| before.issuer != served.issuer) {
            tracing::warn!(
                %issuer, before = %before.issuer,
                "another issuer used this database before: its tokens, and assertions for it, are foreign here"
            );
        }
        store.set_served(&served).await.map_err(|error| broken(&error))
    }

    /// The issuer that `tenantry token` asks if none is named. It works without a database, too: a
    /// client's machine has none.
    pub(crate) async fn issuer(&self) -> Result<IssuerName, Failure> {
        let near = self.sqlite_file().is_some_and(Path::exists);
        // PostgreSQL may be out of reach of who has a file that says enough.
        if !near && (self.file.is_some() || self.sqlite_file().is_some()) {
            return Ok(self.settings_alone()?.issuer().clone());
        }
        let store = self.open_or_make().await?;
        let issuer = match store.served().await {
            // Its other settings are not needed to ask.
            Ok(Some(served)) if self.file.is_none() => Ok(served.issuer),
            _ => self.settings_of(&store).await.map(|settings| settings.issuer().clone()),
        };
        store.close().await;
        issuer
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
        let again = Self {
            file: Some(file),
            path: Some(path.clone()),
            database: self.database.clone(),
            database_of_file: self.database_of_file,
            with_key: self.with_key,
        };
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
        let key = if self.with_key { key_of_environment()? } else { None };
        let with_key = |settings: Settings| match (key.clone(), settings.key_encryption_key()) {
            (None, _) => Ok(settings),
            (Some(_), Some(_)) => Err(Failure::told(format!(
                "{KEY_VARIABLE} is set, and so is key_encryption_key_file: leave one of them out"
            ))),
            (Some(key), None) => Ok(settings.with_key_encryption_key(key)),
        };
        if let Some(file) = &self.file {
            return with_key(match (issuer, self.with_key) {
                (Some(issuer), true) => file.settings_for(issuer)?,
                (Some(issuer), false) => file.settings_for_without_key(issuer)?,
                (None, true) => file.settings()?,
                (None, false) => file.settings_without_key()?,
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
            let problem = with_causes(&error);
            match &self.file {
                Some(file) if self.database_of_file => file.fault("database", problem).into(),
                _ => Failure::told(format!("cannot use the database: {problem}")),
            }
        })
    }

    /// Opens the database. One that is not there has nothing to show and nothing to change, so it is
    /// not made: its name may be wrong.
    pub(crate) async fn open(&self) -> Result<Store, Failure> {
        let Some(file) = self.sqlite_file().filter(|file| !file.exists()) else {
            return self.open_or_make().await;
        };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Err(Failure::told(match folder.filter(|folder| !folder.is_dir()) {
            Some(folder) => format!(
                "there is no directory {} for the database {}: make it, or name another database with --database",
                folder.display(),
                file.display()
            ),
            None => format!(
                "there is no database {}: make one with `tenantry tenant add`, or name it with --database",
                file.display()
            ),
        }))
    }

    /// The file of a SQLite database.
    fn sqlite_file(&self) -> Option<&Path> {
        let name = self.database.strip_prefix("sqlite://");
        let file = name.or_else(|| self.database.strip_prefix("sqlite:"))?;
        let file = file.split_once('?').map_or(file, |(file, _)| file);
        (!file.starts_with(':')).then_some(Path::new(file))
    }
}

/// The database if none is named: beside the file, so that every program that reads it uses the same.
fn database_beside(file: Option<&Path>) -> String {
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    format!("sqlite://{}", folder.join(DATABASE).display())
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
    append(store, action, tenant, client, None).await;
}

/// The same of a signing key.
pub(crate) async fn audit_key(
    store: &Store,
    action: &str,
    tenant: Option<&TenantId>,
    kid: Option<&str>,
) {
    append(store, action, tenant, None, kid.map(|kid| format!("kid {kid}"))).await;
}

async fn append(
    store: &Store,
    action: &str,
    tenant: Option<&TenantId>,
    client: Option<&ClientId>,
    reason: Option<String>,
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
        reason,
    };
    if let Err(error) = store.append_audit(&[event]).await {
        tracing::error!(error = with_causes(&error), action, "the audit trail lacks an event");
    }
}
