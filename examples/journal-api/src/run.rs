//! From the command line to a service that stops when it is told to.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use tenantry::{Policy, PolicyError, PolicyFile};
use tenantry_testkit::TestIssuer;

use crate::args::Args;
use crate::authorization_server::AuthorizationServer;
use crate::demo::{self, Demo};
use crate::document::TOKEN_URL;
use crate::run_error::RunError;
use crate::serve::{self, Service};
use crate::store::Journal;
use crate::table::Table;
use crate::tour;

/// Runs the program until SIGTERM or Ctrl-C.
///
/// # Errors
///
/// If it cannot start as `args` say, or fails later: [`RunError::exit_code`] tells which.
pub async fn run(args: &Args) -> Result<(), RunError> {
    match &args.policy {
        Some(policy) => with_policy(policy, args).await,
        None => demonstrate(args).await,
    }
}

async fn with_policy(file: &Path, args: &Args) -> Result<(), RunError> {
    // At each reload, too.
    let policy = PolicyFile::read(file)?.configure(|erp| erp.check(names_its_tenants));
    let listen = args.listen.or(policy.listen()).unwrap_or(demo::LISTEN);
    let listener = serve::listen(listen).await?;
    let collector = serve::listen_for_collector(args.metrics_listen).await?;
    let journal = open_journal(args.database.as_deref()).await?;
    // Last: it starts to fetch keys, which a start that fails would interrupt.
    let erp = policy.build().await?;
    #[cfg(unix)]
    erp.reload_on_hangup().map_err(RunError::Serve)?;
    let service =
        Service::new(listener, &erp, journal.clone(), TOKEN_URL).map_err(RunError::Serve)?;
    let service = service.metrics_on(collector);
    let stop = serve::stop_signal().map_err(RunError::Serve)?;
    say(format_args!("journal-api listens on http://{}", service.address()));
    service.run(stop).await;
    journal.close().await;
    Ok(())
}

/// Every route begins with a tenant, so a policy that does not read it there is a mistake.
fn names_its_tenants(policy: &Policy) -> Result<(), PolicyError> {
    match policy.path() {
        Some(_) => Ok(()),
        None => Err(PolicyError::new(
            "tenant.path",
            "every route of this service names its tenant first: set path = \"/{tenant}/{*rest}\"",
        )),
    }
}

async fn demonstrate(args: &Args) -> Result<(), RunError> {
    let listen = args.listen.unwrap_or(demo::LISTEN);
    let issuer = args.issuer_listen.unwrap_or(demo::ISSUER);
    let collector = serve::listen_for_collector(args.metrics_listen).await?;
    let demo = Demo::start(listen, issuer, args.database.as_deref()).await?;
    let stop = serve::stop_signal().map_err(RunError::Serve)?;
    let url = demo.url();
    let Demo { service, issuer, legacy, journal } = demo;
    say(format_args!("journal-api listens on {url}, its issuer on {}\n", issuer.url()));

    let serving = service.metrics_on(collector).run(stop);
    tokio::pin!(serving);
    let mut toured = Ok(());
    let stopped = tokio::select! {
        () = &mut serving => true,
        played = show_tour(&url, &issuer, &legacy), if !args.no_tour => {
            toured = played;
            false
        }
        () = std::future::ready(()), if args.no_tour => false,
    };
    if !stopped {
        // After the tour, which replaces the issuer's keys.
        match demo::curl_lines(&url, &issuer).await {
            Ok(lines) => say(format_args!(
                "Serving until Ctrl-C. Try it: the first line gets a token, the others have one good for an hour. Or at {url}/docs\n\
                 (Authorize, access_token with the id and secret of the first line, or pasted_token):\n\n{lines}"
            )),
            Err(error) => toured = toured.and(Err(error)),
        }
        serving.await;
    }
    journal.close().await;
    issuer.stop().await;
    toured
}

async fn show_tour(
    url: &str,
    issuer: &AuthorizationServer,
    legacy: &TestIssuer,
) -> Result<(), RunError> {
    let rows = tour::play(url, issuer, legacy).await.map_err(RunError::Tour)?;
    say(Table(&rows));
    Ok(())
}

/// Opens the journal in `file`, or in one that is gone when the program ends.
pub(crate) async fn open_journal(file: Option<&Path>) -> Result<Journal, RunError> {
    let opened = match file {
        Some(file) => Journal::open(file).await,
        None => Journal::open_temporary().await,
    };
    opened.map_err(|source| RunError::Database { file: file.map(Path::to_owned), source })
}

/// Prints a line for whoever started the program, with colours only on a terminal.
fn say(line: impl Display) {
    // Whoever closed the output does not want to know; the service goes on.
    let _ = writeln!(anstream::stdout().lock(), "{line}");
}
