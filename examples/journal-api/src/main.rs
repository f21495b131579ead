//! The program: arguments, log, exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use journal_api::args::Args;
use journal_api::run::run;
use journal_api::run_error::RunError;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match start_log() {
        Ok(()) => run(&args).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a standard error there is nobody to tell; the exit code says it too.
            let _ = writeln!(anstream::stderr(), "journal-api: {error}");
            // At once: what runs in the background would only complain that it was interrupted.
            std::process::exit(error.exit_code().into())
        }
    }
}

/// Logs to standard error what `RUST_LOG` asks for; warnings, and that a policy came into force, if it
/// asks for nothing.
fn start_log() -> Result<(), RunError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => filter,
        _ => "warn,tenantry::reload=info".into(),
    };
    let filter = EnvFilter::try_new(filter).map_err(|error| RunError::Filter(error.to_string()))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
