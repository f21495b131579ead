//! `tenantry keys`: what tokens are signed with.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use tenantry_core::TenantId;
use tenantry_issuer::{
    KeyInfo, KeyOwner, KeyRing, KeyRingError, Schedule, Settings, SigningKeys, Store, SystemClock,
};

use crate::args::{KeysCommand, Place};
use crate::clock::written;
use crate::failure::{Failure, with_causes};
use crate::output::{Output, table};
use crate::setup::{Setup, audit};
use crate::tenant::{broken, known};

pub(crate) async fn run(
    command: &KeysCommand,
    place: &Place,
    output: Output,
) -> Result<(), Failure> {
    let act =
        async |settings: &Settings, store: &Store| act(command, settings, store, output).await;
    Setup::with_store(place, act).await
}

async fn act(
    command: &KeysCommand,
    settings: &Settings,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let (KeysCommand::List { tenant }
    | KeysCommand::Rotate { tenant, .. }
    | KeysCommand::Retire { tenant, .. }) = command;
    let owner = owner(settings, tenant.as_ref(), store).await?;
    // A server makes the first keys, with its own key to encrypt them; not who only looks.
    let none = store.signing_keys(&owner).await.map_err(|error| broken(&error))?.is_empty();
    if none && matches!(command, KeysCommand::List { .. }) {
        return output
            .print(&json!([]), "no keys yet: the first are made when a token is asked for");
    }
    if none {
        return Err(Failure::told("there are no signing keys yet: start the issuer first"));
    }
    let (clock, schedule) = (Arc::new(SystemClock::new()), Schedule::of(settings));
    let ring = match command {
        // Also one that cannot be read.
        KeysCommand::Retire { .. } => KeyRing::unread(store.clone(), settings, schedule, clock),
        _ => KeyRing::open(store.clone(), settings, clock).await,
    };
    let ring = ring.map_err(|error| refused(&error))?;
    match command {
        KeysCommand::List { .. } => {
            let keys = ring.keys(&owner).await.map_err(|error| refused(&error))?;
            print(&keys, ring.now(), output)
        }
        KeysCommand::Rotate { now, .. } => {
            let rotated =
                if *now { ring.rotate_at_once(&owner).await } else { ring.rotate(&owner).await };
            let keys = rotated.map_err(|error| refused(&error))?;
            audit(store, "keys.rotate", tenant.as_ref(), None).await;
            print(&keys, ring.now(), output)
        }
        KeysCommand::Retire { kid, .. } => {
            let keys = ring.retire(&owner, kid).await.map_err(|error| refused(&error))?;
            audit(store, "keys.retire", tenant.as_ref(), None).await;
            print(&keys, ring.now(), output)
        }
    }
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

fn print(keys: &SigningKeys, now: Duration, output: Output) -> Result<(), Failure> {
    let keys = keys.list(now);
    let row = |key: &KeyInfo| {
        vec![
            key.kid.clone(),
            key.algorithm.to_string(),
            key.state.as_str().into(),
            written(key.active_at),
            key.retired_at.map(written).unwrap_or_default(),
            key.removed_at.map(written).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    let head = ["kid", "alg", "state", "signs from", "until", "published until"];
    output.print(&keys.iter().map(as_json).collect(), &table(&head, &rows))
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
    })
}
