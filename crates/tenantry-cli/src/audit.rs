//! `tenantry audit`: what happened.

use serde_json::{Value, json};

use tenantry_issuer::{AuditEntry, AuditFilter, Store};

use crate::args::{AuditArgs, Place};
use crate::clock::written;
use crate::failure::Failure;
use crate::output::{Output, table};
use crate::setup::Setup;
use crate::tenant::broken;

pub(crate) async fn run(args: &AuditArgs, place: &Place, output: Output) -> Result<(), Failure> {
    let store = Setup::read(place)?.open().await?;
    let done = print(args, &store, output).await;
    store.close().await;
    done
}

async fn print(args: &AuditArgs, store: &Store, output: Output) -> Result<(), Failure> {
    let filter = AuditFilter {
        // Not only registered ones: events outlive their tenant.
        tenant: args.tenant.clone(),
        client: args.client.clone(),
        not_done: args.refused,
    };
    let entries = store.newest_audit(&filter, args.last).await.map_err(|error| broken(&error))?;
    if entries.is_empty() {
        return output.print(&json!([]), "no such events");
    }
    let row = |entry: &AuditEntry| {
        let event = &entry.event;
        vec![
            written(event.at),
            event.actor.clone(),
            event.action.clone(),
            event.tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
            event.client.as_ref().map(ToString::to_string).unwrap_or_default(),
            event.grant.clone().unwrap_or_default(),
            event.scopes.join(" "),
            event.outcome.as_str().into(),
            event.reason.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    let head =
        ["time", "actor", "action", "tenant", "client", "grant", "scopes", "outcome", "reason"];
    output.print(&entries.iter().map(as_json).collect(), &table(&head, &rows))
}

fn as_json(entry: &AuditEntry) -> Value {
    let event = &entry.event;
    json!({
        "number": entry.number,
        "time": written(event.at),
        "actor": event.actor,
        "action": event.action,
        "tenant": event.tenant.as_ref().map(|tenant| tenant.as_str()),
        "client_id": event.client.as_ref().map(|client| client.as_str()),
        "grant": event.grant,
        "scopes": event.scopes,
        "outcome": event.outcome.as_str(),
        "reason": event.reason,
    })
}
