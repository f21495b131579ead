//! The command line of `tenantry client`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use tenantry_core::TenantId;
use tenantry_issuer::ClientId;

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Register a client of a tenant; its secret is printed once, and not kept
    #[command(
        after_help = "Example:\n  tenantry client add --tenant tenant1 --id journal-sync --scope journal.read --scope finance.write"
    )]
    Add(AddClient),
    /// List the clients of a tenant
    #[command(after_help = "Example:\n  tenantry client list --tenant tenant1")]
    List {
        /// The tenant
        #[arg(long, value_name = "ID")]
        tenant: TenantId,
    },
    /// Show a client
    #[command(after_help = "Example:\n  tenantry client show journal-sync --tenant tenant1")]
    Show(WhichClient),
    /// Change the scopes, audiences, grants, name or keys of a client; its secret stays
    ///
    /// Running issuers follow within 30 seconds. Refresh tokens give no more than the client may have
    /// then; with other keys they end.
    #[command(
        after_help = "Example:\n  tenantry client update journal-sync --tenant tenant1 --add-scope finance.write"
    )]
    Update(UpdateClient),
    /// Give a client a new secret, printed once; its refresh tokens end
    ///
    /// The new secret works at once. The old one ends within 30 seconds at running issuers.
    #[command(
        after_help = "Example:\n  tenantry client rotate-secret journal-sync --tenant tenant1"
    )]
    RotateSecret(WhichClient),
    /// Give it no more tokens, and end its refresh tokens for good; running issuers follow within 30
    /// seconds
    #[command(after_help = "Example:\n  tenantry client disable journal-sync --tenant tenant1")]
    Disable(WhichClient),
    /// Give a disabled client tokens again
    #[command(after_help = "Example:\n  tenantry client enable journal-sync --tenant tenant1")]
    Enable(WhichClient),
    /// Remove a client with its refresh tokens
    #[command(after_help = "Example:\n  tenantry client remove journal-sync --tenant tenant1")]
    Remove(WhichClient),
}

/// A client is named by its tenant and its id: the same id under two tenants names two clients.
#[derive(Debug, clap::Args)]
pub(crate) struct WhichClient {
    /// The client
    pub(crate) id: ClientId,
    /// Its tenant
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: TenantId,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddClient {
    /// The tenant that it is a client of
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: TenantId,
    /// Its id: 1 to 128 letters, digits, `.`, `_`, `~` or `-` [default: a random one]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<ClientId>,
    /// A name for people
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A scope that it may obtain, plain or with the tenant; can be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// An audience that it may obtain tokens for; can be repeated [default: all of its tenant]
    #[arg(long = "audience", value_name = "URL")]
    pub(crate) audiences: Vec<String>,
    /// Put a claim into every token of the client: NAME=TEXT or NAME:=JSON; can be repeated
    #[arg(long = "claim", value_name = "CLAIM")]
    pub(crate) claims: Vec<String>,
    /// The grants that it may use
    #[arg(
        long = "grant",
        value_name = "GRANT",
        value_delimiter = ',',
        default_value = "client_credentials"
    )]
    pub(crate) grants: Vec<Grant>,
    /// How it authenticates
    #[arg(long, value_name = "HOW", default_value = "basic")]
    pub(crate) auth: Auth,
    /// The public keys of a client that authenticates with private_key_jwt: a JWK Set, or one key
    /// in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct UpdateClient {
    #[command(flatten)]
    pub(crate) which: WhichClient,
    /// A name for people
    #[arg(long, group = "change")]
    pub(crate) name: Option<String>,
    /// A scope that it may obtain from now on, plain or with the tenant; can be repeated
    #[arg(long = "add-scope", value_name = "SCOPE", group = "change")]
    pub(crate) added_scopes: Vec<String>,
    /// A scope that it may not obtain any more; can be repeated
    #[arg(long = "remove-scope", value_name = "SCOPE", group = "change")]
    pub(crate) removed_scopes: Vec<String>,
    /// An audience that it may obtain tokens for from now on; can be repeated. A client without any
    /// may have all of its tenant, and with the first only that one
    #[arg(long = "add-audience", value_name = "URL", group = "change")]
    pub(crate) added_audiences: Vec<String>,
    /// An audience that it may not obtain tokens for any more; can be repeated
    #[arg(long = "remove-audience", value_name = "URL", group = "change")]
    pub(crate) removed_audiences: Vec<String>,
    /// The grants that it may use from now on, all of them
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',', group = "change")]
    pub(crate) grants: Vec<Grant>,
    /// Other public keys in place of those that it has: a JWK Set, or one key in PEM
    #[arg(long, value_name = "FILE", group = "change")]
    pub(crate) jwks: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Grant {
    /// Tokens for its own secret or key (RFC 6749, section 4.4)
    ClientCredentials,
    /// Tokens for a refresh token that came with one (RFC 6749, section 6)
    RefreshToken,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Auth {
    /// A secret by HTTP Basic
    Basic,
    /// A secret in the body
    Post,
    /// An assertion that is signed with a key of its own (RFC 7523)
    PrivateKeyJwt,
}
