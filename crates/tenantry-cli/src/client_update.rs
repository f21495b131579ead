//! `tenantry client update`: changes a client, which keeps its secret.

use tenantry_issuer::{ClientUpdate, Settings, Store};

use crate::client::{as_json, as_text, check_scopes, find, granted, no_scopes};
use crate::client_args::UpdateClient;
use crate::client_keys::read_keys;
use crate::failure::Failure;
use crate::output::Output;
use crate::setup::audit;
use crate::tenant::broken;

pub(crate) async fn run(
    store: &Store,
    args: &UpdateClient,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    let before = find(store, &args.which).await?;
    check_scopes(store, &before.tenant, &args.added_scopes, "--add-scope", settings).await?;
    let after =
        update(args)?.check(&before, settings).map_err(|error| Failure::told(error.to_string()))?;
    if !store.update_client(&before, &after).await.map_err(|error| broken(&error))? {
        return Err(Failure::told(format!(
            "client {} of {} was changed by somebody else meanwhile: look at it, and try again",
            before.id, before.tenant
        )));
    }
    audit(store, "client.update", Some(&after.tenant), Some(&after.id)).await;
    let mut text = format!(
        "client {} of {} is changed; running issuers follow within 30 seconds\n",
        after.id, after.tenant
    );
    if before.auth.jwks() != after.auth.jwks() {
        text.push_str("it has other keys now, and its refresh tokens have ended\n");
    }
    if after.scopes.is_empty() {
        text.push_str(&no_scopes(&after));
    }
    output.print(&as_json(&after), &format!("{text}{}", as_text(&after)))
}

fn update(args: &UpdateClient) -> Result<ClientUpdate, Failure> {
    let mut update = ClientUpdate::new();
    if let Some(name) = &args.name {
        update = update.name(name);
    }
    if !args.grants.is_empty() {
        update = update.grants(granted(&args.grants));
    }
    if let Some(file) = &args.jwks {
        update = update.jwks(read_keys(file)?);
    }
    for scope in &args.added_scopes {
        update = update.add_scope(scope);
    }
    for scope in &args.removed_scopes {
        update = update.remove_scope(scope);
    }
    for audience in &args.added_audiences {
        update = update.add_audience(audience);
    }
    for audience in &args.removed_audiences {
        update = update.remove_audience(audience);
    }
    Ok(update)
}
