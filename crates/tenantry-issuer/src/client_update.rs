//! A change of a registered client, held to the rules that its registration was held to.

use std::collections::BTreeSet;

use crate::new_client::{InvalidClient, check_audience, check_grants, check_keys, plain_scope};
use crate::records::{Client, ClientAuth, Grants};
use crate::settings::Settings;

/// A change of a registered client. What it does not name stays as it is.
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_issuer::{ClientUpdate, NewClient, Settings};
///
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let new = NewClient::of("tenant1".parse()?).id("journal-sync".parse()?).scope("journal.read");
/// let (client, _) = new.check(&settings, Duration::ZERO)?;
///
/// let update = ClientUpdate::new().add_scope("finance.write").remove_scope("journal.read");
/// let changed = update.check(&client, &settings)?;
/// assert!(changed.scopes.iter().eq(["finance.write"]));
///
/// let wrong = ClientUpdate::new().remove_scope("finance.read").check(&client, &settings);
/// assert_eq!(wrong.unwrap_err().to_string(), "the client does not have the scope `finance.read`");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a client is changed when the change was checked and stored"]
#[derive(Clone, Debug, Default)]
pub struct ClientUpdate {
    name: Option<String>,
    grants: Option<Grants>,
    jwks: Option<String>,
    added_scopes: Vec<String>,
    removed_scopes: Vec<String>,
    added_audiences: Vec<String>,
    removed_audiences: Vec<String>,
}

impl ClientUpdate {
    /// A change of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The grants that it may use from now on.
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = Some(grants);
        self
    }

    /// Other public keys for a client that signs assertions: a JWK Set, in place of the one that it
    /// has.
    pub fn jwks(mut self, jwks: impl Into<String>) -> Self {
        self.jwks = Some(jwks.into());
        self
    }

    /// Adds a scope that it may obtain, plain or qualified with its tenant.
    pub fn add_scope(mut self, scope: impl Into<String>) -> Self {
        self.added_scopes.push(scope.into());
        self
    }

    /// Takes a scope from it, plain or qualified with its tenant.
    pub fn remove_scope(mut self, scope: impl Into<String>) -> Self {
        self.removed_scopes.push(scope.into());
        self
    }

    /// Adds an audience that it may obtain tokens for, in full. A client that had none had all of
    /// its tenant: it has only this one then.
    pub fn add_audience(mut self, audience: impl Into<String>) -> Self {
        self.added_audiences.push(audience.into());
        self
    }

    /// Takes an audience from it. The last one cannot be taken: without one it could have all.
    pub fn remove_audience(mut self, audience: impl Into<String>) -> Self {
        self.removed_audiences.push(audience.into());
        self
    }

    /// Checks everything, and makes the record that takes the place of `client`.
    ///
    /// # Errors
    ///
    /// As [`NewClient::check`](crate::NewClient::check); if it does not have what is to be taken from
    /// it; if its last audience is to be taken; if it has a secret and is to have keys.
    pub fn check(self, client: &Client, settings: &Settings) -> Result<Client, InvalidClient> {
        let mut changed = client.clone();
        self.change_scopes(&mut changed, settings)?;
        self.change_audiences(&mut changed, settings)?;
        if let Some(name) = self.name {
            changed.name = Some(name);
        }
        if let Some(grants) = self.grants {
            check_grants(grants)?;
            changed.grants = grants;
        }
        if let Some(jwks) = self.jwks {
            if client.auth.jwks().is_none() {
                return Err(InvalidClient(
                    "the client has a secret and no keys: register another for private_key_jwt"
                        .into(),
                ));
            }
            check_keys(&jwks)?;
            changed.auth = ClientAuth::PrivateKeyJwt { jwks };
        }
        Ok(changed)
    }

    fn change_scopes(&self, client: &mut Client, settings: &Settings) -> Result<(), InvalidClient> {
        let plain = |text: &String| plain_scope(&client.tenant, text, settings);
        let added = self.added_scopes.iter().map(plain).collect::<Result<BTreeSet<_>, _>>()?;
        let removed = self.removed_scopes.iter().map(plain).collect::<Result<BTreeSet<_>, _>>()?;
        if let Some(both) = added.intersection(&removed).next() {
            return Err(InvalidClient(format!("the scope `{both}` is both added and removed")));
        }
        for scope in removed {
            if !client.scopes.remove(&scope) {
                return Err(InvalidClient(format!("the client does not have the scope `{scope}`")));
            }
        }
        client.scopes.extend(added);
        Ok(())
    }

    fn change_audiences(
        &self,
        client: &mut Client,
        settings: &Settings,
    ) -> Result<(), InvalidClient> {
        for audience in &self.added_audiences {
            check_audience(&client.tenant, audience, settings)?;
            if self.removed_audiences.contains(audience) {
                let problem = format!("the audience `{audience}` is both added and removed");
                return Err(InvalidClient(problem));
            }
            if !client.audiences.contains(audience) {
                client.audiences.push(audience.clone());
            }
        }
        // Not held to the settings: it may be there because they were others.
        for audience in &self.removed_audiences {
            let Some(at) = client.audiences.iter().position(|own| own == audience) else {
                let problem = format!("the client does not have the audience `{audience}`");
                return Err(InvalidClient(problem));
            };
            client.audiences.remove(at);
        }
        // INVARIANT (isolation): taking something away never gives more.
        if client.audiences.is_empty() && !self.removed_audiences.is_empty() {
            return Err(InvalidClient(
                "without its last audience it could have all of its tenant: add another in its place"
                    .into(),
            ));
        }
        Ok(())
    }
}
