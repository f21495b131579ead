//! `tenantry tenant`: whom tokens are issued for.

use serde_json::{Map, Value, json};

use tenantry_core::TenantId;
use tenantry_issuer::{
    Settings, Store, StoreError, StoreErrorKind, Tenant, TenantStatus, check_claims,
};

use crate::args::{Place, TenantCommand};
use crate::clock::{now, written};
use crate::failure::{Failure, with_causes};
use crate::output::{Output, fields, table};
use crate::setup::{Setup, audit};

/// How many are read at once.
pub(crate) const PAGE: u32 = 500;

pub(crate) async fn run(
    command: &TenantCommand,
    place: &Place,
    output: Output,
) -> Result<(), Failure> {
    let setup = Setup::read(place)?;
    let (store, new) = match command {
        TenantCommand::Add { id, name, claims } => {
            // Before there is a database: what is refused makes none.
            let tenant = new(id, name.as_ref(), claims, &setup.settings_alone()?)?;
            let store = setup.open_or_make().await?;
            if let Err(failure) = setup.settings_of(&store).await {
                store.close().await;
                return Err(failure);
            }
            (store, Some(tenant))
        }
        _ => (setup.open().await?, None),
    };
    let done = act(command, new, &store, output).await;
    store.close().await;
    done
}

async fn act(
    command: &TenantCommand,
    new: Option<Tenant>,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    match command {
        TenantCommand::Add { id, .. } => {
            let Some(tenant) = new else { return Err(unknown(id, None)) };
            add(store, &tenant, output).await
        }
        TenantCommand::List => list(store, output).await,
        TenantCommand::Show { id } => {
            let tenant = known(store, id).await?;
            output.print(&as_json(&tenant), &as_text(&tenant))
        }
        TenantCommand::Suspend { id } => {
            set_status(store, id, TenantStatus::Suspended, output).await
        }
        TenantCommand::Resume { id } => set_status(store, id, TenantStatus::Active, output).await,
        TenantCommand::Remove { id } => remove(store, id, output).await,
    }
}

async fn add(store: &Store, tenant: &Tenant, output: Output) -> Result<(), Failure> {
    let id = &tenant.id;
    store.add_tenant(tenant).await.map_err(|error| refused(&error, "choose another id"))?;
    audit(store, "tenant.add", Some(id), None).await;
    output.print(&as_json(tenant), &format!("tenant {id} is registered"))
}

async fn remove(store: &Store, id: &TenantId, output: Output) -> Result<(), Failure> {
    known(store, id).await?;
    if !store.remove_tenant(id).await.map_err(|error| broken(&error))? {
        return Err(unknown(id, None));
    }
    audit(store, "tenant.remove", Some(id), None).await;
    output.print(
        &json!({ "tenant": id.as_str(), "removed": true }),
        &format!("tenant {id} is removed, with its clients, refresh tokens and keys"),
    )
}

fn new(
    id: &TenantId,
    name: Option<&String>,
    claims: &[String],
    settings: &Settings,
) -> Result<Tenant, Failure> {
    let claims = read_claims(claims)?;
    check_claims(&claims, settings.tenant_claims())
        .map_err(|error| Failure::told(error.to_string()))?;
    Ok(Tenant {
        id: id.clone(),
        name: name.cloned(),
        status: TenantStatus::Active,
        claims,
        created_at: now(),
    })
}

async fn list(store: &Store, output: Output) -> Result<(), Failure> {
    let mut all: Vec<Tenant> = Vec::new();
    loop {
        let after = all.last().map(|tenant| &tenant.id);
        let page = store.tenants(after, PAGE).await.map_err(|error| broken(&error))?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let row = |tenant: &Tenant| {
        let name = tenant.name.clone().unwrap_or_default();
        vec![tenant.id.to_string(), tenant.status.as_str().into(), written(tenant.created_at), name]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let json = all.iter().map(as_json).collect();
    output.print(&json, &table(&["tenant", "status", "since", "name"], &rows))
}

async fn set_status(
    store: &Store,
    id: &TenantId,
    status: TenantStatus,
    output: Output,
) -> Result<(), Failure> {
    known(store, id).await?;
    if !store.set_tenant_status(id, status).await.map_err(|error| broken(&error))? {
        return Err(unknown(id, None));
    }
    let (action, ended) = match status {
        TenantStatus::Active => ("tenant.resume", ""),
        TenantStatus::Suspended => {
            ("tenant.suspend", ", and its refresh tokens have ended for good")
        }
    };
    audit(store, action, Some(id), None).await;
    let word = status.as_str();
    output.print(
        &json!({ "tenant": id.as_str(), "status": word }),
        &format!("tenant {id} is {word}{ended}; running issuers follow within 30 seconds"),
    )
}

/// The tenant, or the failure that there is none.
pub(crate) async fn known(store: &Store, id: &TenantId) -> Result<Tenant, Failure> {
    if let Some(tenant) = store.tenant(id).await.map_err(|error| broken(&error))? {
        return Ok(tenant);
    }
    let like = store.tenant_like(id).await.map_err(|error| broken(&error))?;
    Err(unknown(id, like.as_ref()))
}

fn unknown(id: &TenantId, like: Option<&TenantId>) -> Failure {
    Failure::told(match like {
        Some(like) => format!("there is no tenant {id}, but there is {like}: case counts"),
        None => {
            format!("there is no tenant {id}: `tenantry tenant list` shows those that there are")
        }
    })
}

pub(crate) fn broken(error: &StoreError) -> Failure {
    Failure::told(format!("the database: {}", with_causes(error)))
}

/// What is to be registered is not; `instead` is what to do if it is there already.
pub(crate) fn refused(error: &StoreError, instead: &str) -> Failure {
    match error.kind() {
        StoreErrorKind::AlreadyExists => Failure::told(format!("{error}: {instead}")),
        _ => broken(error),
    }
}

/// Claims as they are written on the command line: `NAME=TEXT` or `NAME:=JSON`.
pub(crate) fn read_claims(claims: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut read = Map::new();
    for claim in claims {
        let Some((name, value)) = claim.split_once('=') else {
            return Err(Failure::told(format!(
                "the claim `{claim}` is neither NAME=TEXT nor NAME:=JSON"
            )));
        };
        let (name, value) = match name.strip_suffix(':') {
            None => (name, Value::from(value)),
            Some(name) => {
                let json = serde_json::from_str(value).map_err(|error| {
                    Failure::told(format!("the value of the claim `{name}` is not JSON: {error}"))
                })?;
                (name, json)
            }
        };
        if read.insert(name.into(), value).is_some() {
            return Err(Failure::told(format!("the claim `{name}` is there twice")));
        }
    }
    Ok(read)
}

fn as_json(tenant: &Tenant) -> Value {
    json!({
        "tenant": tenant.id.as_str(),
        "name": tenant.name,
        "status": tenant.status.as_str(),
        "claims": tenant.claims,
        "created_at": written(tenant.created_at),
    })
}

fn as_text(tenant: &Tenant) -> String {
    let claims = if tenant.claims.is_empty() {
        String::new()
    } else {
        Value::from(tenant.claims.clone()).to_string()
    };
    fields(&[
        ("tenant", tenant.id.to_string()),
        ("name", tenant.name.clone().unwrap_or_default()),
        ("status", tenant.status.as_str().into()),
        ("claims", claims),
        ("since", written(tenant.created_at)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claims: &[&str]) -> Result<String, String> {
        let claims: Vec<_> = claims.iter().copied().map(String::from).collect();
        let read = read_claims(&claims).map_err(|failure| failure.to_string())?;
        Ok(Value::from(read).to_string())
    }

    #[test]
    fn a_claim_is_text_unless_it_says_that_it_is_json() {
        let claims =
            ["plan=gold", "level:=3", "zip=01234", "formula=a=b", "tags:=[\"x\"]", "none="];
        let expected =
            r#"{"formula":"a=b","level":3,"none":"","plan":"gold","tags":["x"],"zip":"01234"}"#;
        assert_eq!(read(&claims), Ok(expected.into()));
    }

    #[test]
    fn a_claim_that_cannot_be_read_is_refused() {
        for (claims, expected) in [
            (&["plan"][..], "the claim `plan` is neither NAME=TEXT nor NAME:=JSON"),
            (&["a=1", "a=2"], "the claim `a` is there twice"),
        ] {
            assert_eq!(read(claims), Err(expected.into()));
        }
        assert!(
            read(&["level:=three"])
                .unwrap_err()
                .starts_with("the value of the claim `level` is not JSON: ")
        );
    }
}
