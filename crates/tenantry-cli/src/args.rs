//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use tenantry_core::TenantId;
use tenantry_issuer::{ClientId, IssuerName};

use crate::client_args::{Auth, ClientCommand};

/// OAuth 2.0 that knows the tenant: an authorization server, its tenants, clients and keys.
#[derive(Debug, Parser)]
#[command(
    name = "tenantry",
    version,
    after_help = "Exit codes: 0 done; 1 under way and failed; 2 not done, nothing changed.\n\n\
        The first token:\n  \
        tenantry serve issuer &\n  \
        tenantry tenant add tenant1\n  \
        tenantry client add --tenant tenant1 --id journal-sync --scope journal.read\n  \
        TENANTRY_CLIENT_SECRET=… tenantry token --tenant tenant1 --client-id journal-sync"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Reads the command line. It ends the process if that is none, or asks for help.
    pub(crate) fn read() -> Self {
        let matches = Self::with_environment().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The commands; the help of each names the variables that it reads.
    fn with_environment() -> clap::Command {
        Self::command().mut_subcommands(|group| {
            let variables = match group.get_name() {
                "serve" | "keys" => [LOG, DATABASE_PASSWORD, KEY].concat(),
                "token" => [SECRET, LOG, DATABASE_PASSWORD].concat(),
                _ => [LOG, DATABASE_PASSWORD].concat(),
            };
            let describe = |command: clap::Command| {
                let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                command.after_long_help(format!("{example}\n\nEnvironment:\n{variables}"))
            };
            if group.has_subcommands() { group.mut_subcommands(describe) } else { describe(group) }
        })
    }
}

const LOG: &str = "  RUST_LOG  what is logged, such as `debug`\n";
const DATABASE_PASSWORD: &str = "  PGPASSWORD  the password of a PostgreSQL database\n";
const KEY: &str =
    "  TENANTRY_KEY_ENCRYPTION_KEY  what signing keys are encrypted with in the database\n";
const SECRET: &str = "  TENANTRY_CLIENT_SECRET  the secret of the client\n";

/// Where settings and records are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// Read this file [default: issuer.toml, if there is one; else what the server of the database was
    /// started with]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Use this database [default: that of the file, or sqlite://tenantry.db]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server
    #[command(subcommand)]
    Serve(Serve),
    /// Register tenants, suspend them
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Register the clients of a tenant, change their secrets
    #[command(subcommand)]
    Client(Box<ClientCommand>),
    /// Look at the signing keys, change them
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Ask a running issuer for a token, and print what is in it
    Token(TokenArgs),
    /// Print the newest events of the audit trail, the newest first
    Audit(AuditArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// Run the authorization server
    ///
    /// It reads its file again on SIGHUP, and ends on SIGTERM or Ctrl-C once the requests under way are
    /// answered.
    #[command(
        after_help = "Example:\n  tenantry serve issuer --config issuer.toml --listen 0.0.0.0:9000"
    )]
    Issuer(ServeIssuer),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeIssuer {
    /// Listen here [default: that of the file, or 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,

    /// Serve /metrics here, and not beside the rest [default: that of the file]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_listen: Option<SocketAddr>,

    /// What tokens say in `iss` [default: that of the file, or http://ADDR]. Without a file the
    /// audience follows from it: URL/{tenant}
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<IssuerName>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let expected =
        "expected an address and a port such as \"127.0.0.1:9000\"; names are not looked up";
    text.parse().map_err(|_| expected.into())
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tenantry audit --tenant tenant1 --refused --last 20")]
pub(crate) struct AuditArgs {
    /// Only events about this tenant
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Only events about clients with this id
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<ClientId>,
    /// Only what was refused or failed
    #[arg(long)]
    pub(crate) refused: bool,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) last: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Register a tenant
    #[command(after_help = "Example:\n  tenantry tenant add tenant1 --name 'Alpha GmbH'")]
    Add {
        /// 1 to 128 letters, digits, `-` or `_`
        id: TenantId,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
        /// Put a claim into every token of the tenant: NAME=TEXT or NAME:=JSON
        #[arg(long = "claim", value_name = "CLAIM")]
        claims: Vec<String>,
    },
    /// List the tenants
    #[command(after_help = "Example:\n  tenantry tenant list --json")]
    List,
    /// Show a tenant
    #[command(after_help = "Example:\n  tenantry tenant show tenant1")]
    Show {
        /// The tenant
        id: TenantId,
    },
    /// Give it no more tokens, and end its refresh tokens for good; running issuers follow within 30
    /// seconds
    #[command(after_help = "Example:\n  tenantry tenant suspend tenant1")]
    Suspend {
        /// The tenant
        id: TenantId,
    },
    /// Give a suspended tenant tokens again
    #[command(after_help = "Example:\n  tenantry tenant resume tenant1")]
    Resume {
        /// The tenant
        id: TenantId,
    },
    /// Remove a tenant with its clients, refresh tokens and keys
    #[command(after_help = "Example:\n  tenantry tenant remove tenant1")]
    Remove {
        /// The tenant
        id: TenantId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the signing keys
    #[command(after_help = "Example:\n  tenantry keys list")]
    List {
        /// The keys of this tenant, where every tenant has an issuer of its own
        #[arg(long, value_name = "ID")]
        tenant: Option<TenantId>,
    },
    /// Let the next key sign, as soon as resource servers have had the time to see it
    #[command(after_help = "Example:\n  tenantry keys rotate")]
    Rotate {
        /// Do not wait: a resource server that has not seen the key refuses its tokens for a while
        #[arg(long)]
        now: bool,
        /// The keys of this tenant, where every tenant has an issuer of its own
        #[arg(long, value_name = "ID")]
        tenant: Option<TenantId>,
    },
    /// Encrypt the stored private keys that are in clear, or under an old key encryption key
    ///
    /// The key to encrypt them with is that of the file or of TENANTRY_KEY_ENCRYPTION_KEY. What is
    /// encrypted with it stays as it is. An issuer that runs goes on; restart it with the same key soon.
    #[command(
        after_help = "Example:\n  tenantry keys encrypt --config issuer.toml --old-key-file old.key"
    )]
    Encrypt {
        /// Read the key that they were encrypted with before from this file
        #[arg(long, value_name = "FILE")]
        old_key_file: Option<PathBuf>,
    },
    /// Withdraw a key that leaked, at once
    ///
    /// Running issuers follow within 30 seconds. Resource servers go on to accept what it signed until
    /// they fetch the key set again: within its max-age, 10 minutes.
    #[command(after_help = "Example:\n  tenantry keys retire 3yDhXz0sPp4")]
    Retire {
        /// The key, as `keys list` names it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// The keys of this tenant, where every tenant has an issuer of its own
        #[arg(long, value_name = "ID")]
        tenant: Option<TenantId>,
    },
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The secret is read from TENANTRY_CLIENT_SECRET, or from a file: other users of a machine\n\
        can read a command line.\n\n\
        Example:\n  TENANTRY_CLIENT_SECRET=… tenantry token --tenant tenant1 --client-id journal-sync"
)]
pub(crate) struct TokenArgs {
    /// The tenant that the token is for
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: TenantId,
    /// The client that asks
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: ClientId,
    /// Ask for this scope, plain or with the tenant; can be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Ask for this audience
    #[arg(long, value_name = "URL")]
    pub(crate) audience: Option<String>,
    /// Ask this issuer [default: that of the file, or that of the server which uses the database, or
    /// http://127.0.0.1:9000]
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<IssuerName>,
    /// Send the request there, and not to the URL that the issuer has: past a proxy
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<IssuerName>,
    /// Read the secret from this file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// How the client authenticates: as it is registered
    #[arg(long, value_name = "HOW", default_value = "basic")]
    pub(crate) auth: Auth,
    /// Sign with this private key for --auth private_key_jwt: in PEM (PKCS #8), EC on P-256 or P-384,
    /// Ed25519 or RSA
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The name of that key in the key set of the client, if there are several of its kind
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub(crate) kid: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    /// Every command that does something, with the words that lead to it.
    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        let mut any = false;
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            any = true;
            leaves(inner, &format!("{path} {}", inner.get_name()), found);
        }
        if !any {
            found.push((path.into(), command.clone()));
        }
    }

    #[test]
    fn the_help_of_every_command_has_an_example_that_parses() {
        let mut found = Vec::new();
        leaves(&Args::with_environment(), "tenantry", &mut found);
        assert_eq!(found.len(), 21);
        for (path, mut command) in found {
            let help = command.render_long_help().to_string();
            assert!(help.contains("\n  RUST_LOG  "), "{path}");
            let keys = path.starts_with("tenantry keys") || path.starts_with("tenantry serve");
            assert_eq!(help.contains("\n  TENANTRY_KEY_ENCRYPTION_KEY  "), keys, "{path}");
            let (_, example) = help.split_once("Example:\n  ").unwrap_or_else(|| panic!("{path}"));
            let example = example.lines().next().unwrap_or_default().replace('\'', "");
            let from = example.find("tenantry ").unwrap_or_else(|| panic!("{path}: {example}"));
            let example = &example[from..];
            assert!(example.starts_with(&path), "{path}: {example}");
            let parsed = Args::try_parse_from(example.split(' '));
            assert!(parsed.is_ok() || example.contains("Alpha"), "{example}");
        }
    }
}
