//! `tenantry keys`: what tokens are signed with.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use tenantry_core::TenantId;
use tenantry_issuer::{
    KeyEncryptionKey, KeyInfo, KeyOwner, KeyRing, KeyRingError, KeyRingErrorKind, KeyState,
    Schedule, Settings, Store, SystemClock,
};

use crate::args::{KeysCommand, Place};
use crate::clock::written;
use crate::failure::{Failure, with_causes};
use crate::output::{Output, table};
use crate::setup::{Setup, audit, audit_key};
use crate::tenant::known;

pub(crate) async fn run(
    command: &KeysCommand,
    place: &Place,
    output: Output,
) -> Result<(), Failure> {
    let act =
        async |settings: &Settings, store: &Store| act(command, settings, store, output).await;
    let setup = Setup::read(place)?;
    // To look at keys and to withdraw one, nobody has to be able to read them.
    let setup = match command {
        KeysCommand::Encrypt { .. } | KeysCommand::Rotate { .. } => setup.with_key(),
        KeysCommand::List { .. } | KeysCommand::Retire { .. } => setup,
    };
    setup.with_store(act).await
}

async fn act(
    command: &KeysCommand,
    settings: &Settings,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let tenant = match command {
        KeysCommand::Encrypt { old_key_file } => {
            return encrypt(settings, store, old_key_file.as_deref(), output).await;
        }
        KeysCommand::List { tenant }
        | KeysCommand::Rotate { tenant, .. }
        | KeysCommand::Retire { tenant, .. } => tenant.as_ref(),
    };
    let owner = owner(settings, tenant, store).await?;
    let (clock, schedule) = (Arc::new(SystemClock::new()), Schedule::of(settings));
    // Keys that cannot be read can be listed and withdrawn all the same.
    let max_age = schedule.jwks_max_age().as_secs();
    let ring = KeyRing::unread(store.clone(), settings, schedule, clock);
    let ring = ring.map_err(|error| refused(&error))?;
    let stored = ring.list(&owner).await.map_err(|error| refused(&error))?;
    // A server makes the first keys, with its own key to encrypt them.
    if stored.is_empty() && !matches!(command, KeysCommand::List { .. }) {
        return Err(Failure::told(none(&owner)));
    }
    match command {
        KeysCommand::Rotate { now, .. } => {
            let rotated =
                if *now { ring.rotate_at_once(&owner).await } else { ring.rotate(&owner).await };
            let keys = rotated.map_err(|error| refused(&error))?.list(ring.now());
            let next = stored.iter().find(|key| key.state == KeyState::Next);
            audit_key(store, "keys.rotate", tenant, next.map(|key| &*key.kid)).await;
            print(&keys, &owner, "", output)
        }
        KeysCommand::Retire { kid, .. } => {
            let left = ring.retire(&owner, kid).await.map_err(|error| match error.kind() {
                KeyRingErrorKind::UnknownKey => Failure::told(format!(
                    "{error}: `tenantry keys list{}` shows those that there are",
                    tenant.map(|tenant| format!(" --tenant {tenant}")).unwrap_or_default()
                )),
                _ => refused(&error),
            })?;
            audit_key(store, "keys.retire", tenant, Some(kid)).await;
            let said = format!(
                "key {kid} is withdrawn; running issuers follow within 30 seconds\n\
                 resource servers go on until they fetch the key set again, within {max_age} seconds (max-age)\n"
            );
            print(&left, &owner, &said, output)
        }
        KeysCommand::List { .. } | KeysCommand::Encrypt { .. } => {
            print(&stored, &owner, "", output)
        }
    }
}

/// Says when there will be keys.
fn none(owner: &KeyOwner) -> String {
    match owner {
        KeyOwner::Shared => {
            "there are no signing keys: the issuer makes them when it starts".into()
        }
        KeyOwner::Tenant(tenant) => format!(
            "{tenant} has no signing keys: the issuer makes them when it is asked for a token or the key set"
        ),
    }
}

async fn encrypt(
    settings: &Settings,
    store: &Store,
    old: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let Some(key) = settings.key_encryption_key() else {
        return Err(Failure::told(
            "there is no key to encrypt with: set key_encryption_key_file in the issuer's file, or TENANTRY_KEY_ENCRYPTION_KEY",
        ));
    };
    let old = old.map(read_key).transpose()?;
    let found = KeyRing::encrypt(store, key, old.as_ref()).await.map_err(|error| {
        match error.kind() {
            // Perhaps after those of some tenants.
            KeyRingErrorKind::Unavailable => Failure::under_way(with_causes(&error)),
            _ => refused(&error),
        }
    })?;
    if found.now > 0 {
        audit(store, "keys.encrypt", None, None).await;
    }
    output.print(
        &json!({ "encrypted": found.now, "encrypted_before": found.before }),
        &format!("signing keys encrypted: {} now, {} before", found.now, found.before),
    )
}

fn read_key(file: &Path) -> Result<KeyEncryptionKey, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::told(format!("{} cannot be read: {error}", file.display())))?;
    text.parse()
        .map_err(|error| Failure::told(format!("{}: what is in it is {error}", file.display())))
}

/// Whose keys they are: everybody's, or those of the tenant that was named.
async fn owner(
    settings: &Settings,
    tenant: Option<&TenantId>,
    store: &Store,
) -> Result<KeyOwner, Failure> {
    match (tenant, settings.issuer().has_tenant()) {
        (None, false) => Ok(KeyOwner::Shared),
        (Some(tenant), true) => {
            known(store, tenant).await?;
            Ok(KeyOwner::Tenant(tenant.clone()))
        }
        (None, true) => {
            Err(Failure::told("every tenant has keys of its own here: say whose with --tenant ID"))
        }
        (Some(_), false) => Err(Failure::told(
            "the keys are the same for all tenants here: leave --tenant out, or put `{tenant}` into the issuer",
        )),
    }
}

fn refused(error: &KeyRingError) -> Failure {
    Failure::told(with_causes(error))
}

fn print(keys: &[KeyInfo], owner: &KeyOwner, said: &str, output: Output) -> Result<(), Failure> {
    if keys.is_empty() {
        return output.print(&json!([]), &format!("{said}{}", none(owner)));
    }
    let row = |key: &KeyInfo| {
        vec![
            key.kid.clone(),
            key.algorithm.to_string(),
            key.state.as_str().into(),
            written(key.active_at),
            key.retired_at.map(written).unwrap_or_default(),
            key.removed_at.map(written).unwrap_or_default(),
            if key.encrypted { "encrypted" } else { "in clear" }.into(),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    let head = ["kid", "alg", "state", "signs from", "until", "published until", "stored"];
    output.print(&keys.iter().map(as_json).collect(), &format!("{said}{}", table(&head, &rows)))
}

fn as_json(key: &KeyInfo) -> Value {
    json!({
        "kid": key.kid,
        "alg": key.algorithm.as_str(),
        "state": key.state.as_str(),
        "published_at": written(key.published_at),
        "active_at": written(key.active_at),
        "retired_at": key.retired_at.map(written),
        "removed_at": key.removed_at.map(written),
        "encrypted": key.encrypted,
    })
}
