//! `tenantry client`: who may ask for tokens of a tenant.

use serde_json::{Value, json};

use tenantry_issuer::{Client, ClientAuth, Grants, NewClient, Secret, Settings, Store};

use tenantry_core::TenantId;

use crate::args::Place;
use crate::client_args::{AddClient, Auth, ClientCommand, Grant, WhichClient};
use crate::client_keys::read_keys;
use crate::client_update;
use crate::clock::{now, written};
use crate::failure::Failure;
use crate::output::{Output, fields, strong, table};
use crate::setup::{Setup, audit};
use crate::tenant::{PAGE, broken, known, read_claims, refused};

pub(crate) async fn run(
    command: &ClientCommand,
    place: &Place,
    output: Output,
) -> Result<(), Failure> {
    let act =
        async |settings: &Settings, store: &Store| act(command, settings, store, output).await;
    Setup::read(place)?.with_store(act).await
}

async fn act(
    command: &ClientCommand,
    settings: &Settings,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(args) => add(store, args, settings, output).await,
        ClientCommand::List { tenant } => list(store, tenant, output).await,
        ClientCommand::Update(args) => client_update::run(store, args, settings, output).await,
        ClientCommand::Show(which) => {
            let client = find(store, which).await?;
            output.print(&as_json(&client), &as_text(&client))
        }
        ClientCommand::RotateSecret(which) => rotate_secret(store, which, output).await,
        ClientCommand::Disable(which) => set_enabled(store, which, false, output).await,
        ClientCommand::Enable(which) => set_enabled(store, which, true, output).await,
        ClientCommand::Remove(which) => remove(store, which, output).await,
    }
}

async fn remove(store: &Store, which: &WhichClient, output: Output) -> Result<(), Failure> {
    find(store, which).await?;
    let removed = store.remove_client(&which.tenant, &which.id).await;
    if !removed.map_err(|error| broken(&error))? {
        return Err(unknown(which));
    }
    audit(store, "client.remove", Some(&which.tenant), Some(&which.id)).await;
    output.print(
        &named(which, "removed", true.into()),
        &format!("client {} of {} is removed", which.id, which.tenant),
    )
}

async fn add(
    store: &Store,
    args: &AddClient,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    known(store, &args.tenant).await?;
    check_scopes(store, &args.tenant, &args.scopes, "--scope", settings).await?;
    let (client, secret) =
        new(args)?.check(settings, now()).map_err(|error| Failure::told(error.to_string()))?;
    store
        .add_client(&client)
        .await
        .map_err(|error| refused(&error, "choose another id, or `tenantry client update` it"))?;
    audit(store, "client.add", Some(&client.tenant), Some(&client.id)).await;
    let mut json = as_json(&client);
    let mut text = format!("client {} of {} is registered\n", client.id, client.tenant);
    if client.scopes.is_empty() {
        text.push_str(&no_scopes(&client));
    }
    show_secret(secret.as_ref(), &mut json, &mut text);
    output.print(&json, &text).map_err(|failure| match secret {
        None => failure,
        Some(_) => Failure::under_way(format!(
            "{failure}: the client is registered all the same, and nobody has seen its secret: \
             `tenantry client rotate-secret {} --tenant {}` makes another",
            client.id, client.tenant
        )),
    })
}

fn new(args: &AddClient) -> Result<NewClient, Failure> {
    let mut client = NewClient::of(args.tenant.clone()).grants(granted(&args.grants));
    if let Some(id) = &args.id {
        client = client.id(id.clone());
    }
    if let Some(name) = &args.name {
        client = client.name(name);
    }
    for scope in &args.scopes {
        client = client.scope(scope);
    }
    for audience in &args.audiences {
        client = client.audience(audience);
    }
    for (name, value) in read_claims(&args.claims)? {
        client = client.claim(name, value);
    }
    match (args.auth, &args.jwks) {
        (Auth::PrivateKeyJwt, Some(file)) => Ok(client.private_key_jwt(read_keys(file)?)),
        (Auth::PrivateKeyJwt, None) => {
            Err(Failure::told("private_key_jwt needs the client's public keys: --jwks FILE"))
        }
        (_, Some(_)) => Err(Failure::told("--jwks is for --auth private_key_jwt")),
        (Auth::Basic, None) => Ok(client),
        (Auth::Post, None) => Ok(client.secret_in_body()),
    }
}

pub(crate) fn granted(grants: &[Grant]) -> Grants {
    Grants {
        client_credentials: grants.contains(&Grant::ClientCredentials),
        refresh_token: grants.contains(&Grant::RefreshToken),
    }
}

/// A scope that names another registered tenant is a mistake: `finance.write` may be a plain scope or
/// the `write` of the tenant `finance`, and only the list of tenants tells which.
pub(crate) async fn check_scopes(
    store: &Store,
    tenant: &TenantId,
    scopes: &[String],
    option: &str,
    settings: &Settings,
) -> Result<(), Failure> {
    for scope in scopes {
        if scope.contains(' ') {
            return Err(Failure::told(format!(
                "`{scope}` is not one scope: repeat {option} for each"
            )));
        }
        let other = settings.scope().matches(scope).and_then(|found| found.tenant);
        let other = other.filter(|other| *tenant != **other);
        let Some(Ok(other)) = other.map(str::parse::<TenantId>) else {
            continue;
        };
        if store.tenant(&other).await.map_err(|error| broken(&error))?.is_some() {
            return Err(Failure::told(format!(
                "the scope `{scope}` is {other}'s: a client of {tenant} cannot have it"
            )));
        }
    }
    Ok(())
}

/// A token without scopes opens nothing, and nobody says so before a resource server does.
pub(crate) fn no_scopes(client: &Client) -> String {
    format!(
        "it has no scopes, so its tokens have none: \
         `tenantry client update {} --tenant {} --add-scope SCOPE` adds one\n",
        client.id, client.tenant
    )
}

async fn list(store: &Store, tenant: &TenantId, output: Output) -> Result<(), Failure> {
    known(store, tenant).await?;
    let mut all: Vec<Client> = Vec::new();
    loop {
        let after = all.last().map(|client| &client.id);
        let page = store.clients(tenant, after, PAGE).await.map_err(|error| broken(&error))?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let row = |client: &Client| {
        vec![
            client.id.to_string(),
            status(client).into(),
            client.auth.method().into(),
            joined(&client.scopes),
            client.name.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let json = all.iter().map(as_json).collect();
    output.print(&json, &table(&["client", "status", "auth", "scopes", "name"], &rows))
}

async fn rotate_secret(store: &Store, which: &WhichClient, output: Output) -> Result<(), Failure> {
    let client = find(store, which).await?;
    if client.auth.method() == "private_key_jwt" {
        return Err(Failure::told(format!(
            "client {id} of {tenant} has no secret but keys: `tenantry client update {id} --tenant {tenant} --jwks FILE` replaces them",
            id = which.id,
            tenant = which.tenant,
        )));
    }
    let secret = Secret::generate().map_err(|error| Failure::told(error.to_string()))?;
    let changed = store.set_client_secret(&which.tenant, &which.id, &secret.hash()).await;
    if !changed.map_err(|error| broken(&error))? {
        return Err(unknown(which));
    }
    audit(store, "client.rotate_secret", Some(&which.tenant), Some(&which.id)).await;
    let mut json = json!({ "tenant": which.tenant.as_str(), "client_id": which.id.as_str() });
    let mut text = format!(
        "client {} of {} has a new secret, which works at once\n\
         the old one ends within 30 seconds at running issuers, and its refresh tokens have ended\n",
        which.id, which.tenant
    );
    show_secret(Some(&secret), &mut json, &mut text);
    output.print(&json, &text).map_err(|failure| {
        Failure::under_way(format!(
            "{failure}: the old secret is replaced all the same, and nobody has seen the new one: rotate it again"
        ))
    })
}

async fn set_enabled(
    store: &Store,
    which: &WhichClient,
    enabled: bool,
    output: Output,
) -> Result<(), Failure> {
    find(store, which).await?;
    let changed = store.set_client_enabled(&which.tenant, &which.id, enabled).await;
    if !changed.map_err(|error| broken(&error))? {
        return Err(unknown(which));
    }
    let (action, word) = if enabled {
        ("client.enable", "enabled")
    } else {
        ("client.disable", "disabled, and its refresh tokens have ended for good")
    };
    audit(store, action, Some(&which.tenant), Some(&which.id)).await;
    output.print(
        &named(which, "enabled", enabled.into()),
        &format!(
            "client {} of {} is {word}; running issuers follow within 30 seconds",
            which.id, which.tenant
        ),
    )
}

/// The client; or the failure that there is none, or no such tenant.
pub(crate) async fn find(store: &Store, which: &WhichClient) -> Result<Client, Failure> {
    known(store, &which.tenant).await?;
    let client = store.client(&which.tenant, &which.id).await.map_err(|error| broken(&error))?;
    client.ok_or_else(|| unknown(which))
}

pub(crate) fn unknown(which: &WhichClient) -> Failure {
    Failure::told(format!(
        "there is no client {id} of {tenant}: `tenantry client list --tenant {tenant}` shows those that there are",
        id = which.id,
        tenant = which.tenant,
    ))
}

// INVARIANT (secrets stay in): this is the only place that prints one.
fn show_secret(secret: Option<&Secret>, json: &mut Value, text: &mut String) {
    let Some(secret) = secret else { return };
    if let Value::Object(members) = json {
        members.insert("client_secret".into(), secret.expose().into());
    }
    text.push_str(&format!("its secret, shown this once: {}\n", strong(secret.expose())));
}

fn named(which: &WhichClient, member: &str, value: Value) -> Value {
    json!({ "tenant": which.tenant.as_str(), "client_id": which.id.as_str(), member: value })
}

const fn status(client: &Client) -> &'static str {
    if client.enabled { "enabled" } else { "disabled" }
}

fn joined<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    texts.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn grants(client: &Client) -> Vec<&'static str> {
    let grants = [
        (client.grants.client_credentials, "client_credentials"),
        (client.grants.refresh_token, "refresh_token"),
    ];
    grants.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
}

pub(crate) fn as_json(client: &Client) -> Value {
    json!({
        "tenant": client.tenant.as_str(),
        "client_id": client.id.as_str(),
        "name": client.name,
        "enabled": client.enabled,
        "auth": client.auth.method(),
        "keys": keys(client),
        "grants": grants(client),
        "scopes": client.scopes,
        "audiences": client.audiences,
        "claims": client.claims,
        "created_at": written(client.created_at),
    })
}

/// What names the keys that a client signs its assertions with.
fn keys(client: &Client) -> Vec<Value> {
    let ClientAuth::PrivateKeyJwt { jwks } = &client.auth else { return Vec::new() };
    let set: Value = serde_json::from_str(jwks).unwrap_or_default();
    let keys = set.get("keys").and_then(Value::as_array);
    let names = |key: &Value| {
        let member = |name: &str| Some((name.to_owned(), key.get(name)?.clone()));
        Value::Object(["kid", "kty", "crv", "alg"].into_iter().filter_map(member).collect())
    };
    keys.into_iter().flatten().map(names).collect()
}

/// Such as `k1 (EC P-256 ES256)`.
fn shown(key: &Value) -> String {
    let member = |name| key.get(name).and_then(Value::as_str);
    let kind: Vec<_> = ["kty", "crv", "alg"].into_iter().filter_map(member).collect();
    format!("{} ({})", member("kid").unwrap_or("without kid"), kind.join(" "))
}

pub(crate) fn as_text(client: &Client) -> String {
    let claims = if client.claims.is_empty() {
        String::new()
    } else {
        Value::from(client.claims.clone()).to_string()
    };
    fields(&[
        ("client", client.id.to_string()),
        ("tenant", client.tenant.to_string()),
        ("name", client.name.clone().unwrap_or_default()),
        ("status", status(client).into()),
        ("auth", client.auth.method().into()),
        ("keys", keys(client).iter().map(shown).collect::<Vec<_>>().join(", ")),
        ("grants", grants(client).join(" ")),
        ("scopes", joined(&client.scopes)),
        ("audiences", joined(&client.audiences)),
        ("claims", claims),
        ("since", written(client.created_at)),
    ])
}
