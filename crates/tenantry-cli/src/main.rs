//! The program `tenantry`: arguments, log, exit code.
//!
//! | exit code | meaning                                                          |
//! |-----------|------------------------------------------------------------------|
//! | 0         | it was done                                                      |
//! | 1         | it was under way and failed: the server stopped, a token was refused |
//! | 2         | it could not be done as it was told to; nothing was changed      |

mod args;
mod assertion;
mod audit;
mod client;
mod client_args;
mod client_keys;
mod client_update;
mod clock;
mod failure;
mod file;
mod keys;
mod output;
mod serve;
mod setup;
mod stop;
mod tenant;
mod token;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command, Serve};
use crate::failure::Failure;
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::read();
    let ended = match start_log(&args.command) {
        Ok(()) => run(&args).await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without a standard error there is nobody to tell; the exit code says it too.
            let _ = writeln!(anstream::stderr(), "tenantry: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(args: &Args) -> Result<(), Failure> {
    let output = Output::new(args.json);
    match &args.command {
        Command::Audit(command) => audit::run(command, &args.place, output).await,
        Command::Client(command) => client::run(command, &args.place, output).await,
        Command::Keys(command) => keys::run(command, &args.place, output).await,
        Command::Serve(Serve::Issuer(command)) => serve::run(command, &args.place, output).await,
        Command::Tenant(command) => tenant::run(command, &args.place, output).await,
        Command::Token(command) => token::run(command, &args.place, output).await,
    }
}

/// What a server logs by default. Its database reports as news what is as it should be.
const SERVER_LOG: &str = "info,sqlx=warn";

/// Logs to standard error what `RUST_LOG` asks for; if it asks for nothing, what a server does, and
/// of a command errors.
fn start_log(command: &Command) -> Result<(), Failure> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => filter,
        _ if matches!(command, Command::Serve(_)) => SERVER_LOG.into(),
        _ => "error".into(),
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::told(format!("cannot read RUST_LOG: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// PostgreSQL says with each start that the table of migrations is there already.
    #[test]
    fn a_server_does_not_log_what_its_database_remarks() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(SERVER_LOG))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            tracing::info!(target: "sqlx::postgres::notice", "exists already, skipping");
            tracing::warn!(target: "sqlx::query", "slow statement");
            tracing::info!(target: "tenantry_issuer", "serving");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let said = |text: &str, word| text.contains(word);
        assert!(!said(&text, "exists already"), "{text}");
        assert!(said(&text, "slow statement") && said(&text, "serving"), "{text}");
    }
}
