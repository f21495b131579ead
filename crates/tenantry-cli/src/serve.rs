//! `tenantry serve issuer`.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::net::TcpListener;

use tenantry_issuer::{ConfigError, IssuerName, IssuerServer};

use crate::args::{Place, ServeIssuer};
use crate::failure::{Failure, with_causes};
use crate::output::Output;
use crate::setup::Setup;
use crate::stop::stop_signal;

pub(crate) async fn run(args: &ServeIssuer, place: &Place, output: Output) -> Result<(), Failure> {
    let setup = Setup::read(place)?.with_key();
    let wanted = args.listen.unwrap_or_else(|| setup.listen());
    // What is wrong with the file is told before anything is taken or made.
    setup.settings(args.issuer.as_ref(), wanted)?;
    let wanted_for_metrics = args.metrics_listen.or_else(|| setup.metrics_listen());
    let (listener, address) = listen(wanted, "--listen").await?;
    let for_metrics = match wanted_for_metrics {
        Some(wanted) => Some(listen(wanted, "--metrics-listen").await?),
        None => None,
    };
    // The port may be the system's choice, and then the issuer is named after it.
    let settings = setup.settings(args.issuer.as_ref(), address)?;
    let stop = stop_signal()
        .map_err(|error| Failure::told(format!("the signal to stop cannot be watched: {error}")))?;
    let figures = figures()?;
    let store = setup.open_or_make().await?;
    let server = IssuerServer::builder(store.clone(), settings)
        .figures(move || figures.render())
        .build()
        .await
        .map_err(|error| Failure::told(with_causes(&error)))?;
    setup.note(&store, server.settings().issuer()).await?;
    #[cfg(unix)]
    reload_on_hangup(&server, setup, args.issuer.clone(), address)?;
    let issuer = server.settings().issuer().to_string();
    tracing::info!(%address, issuer, "serving");
    let metrics = for_metrics.as_ref().map(|(_, address)| address.to_string());
    let apart = metrics.as_ref().map(|address| format!(", and for metrics on {address}"));
    output.print(
        &json!({ "listening": address.to_string(), "metrics": metrics, "issuer": issuer }),
        &format!("issuer {issuer} listens on {address}{}", apart.unwrap_or_default()),
    )?;
    server.serve(listener, for_metrics.map(|(listener, _)| listener), stop).await;
    Ok(())
}

async fn listen(wanted: SocketAddr, option: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let cannot = |error| {
        Failure::told(format!(
            "cannot listen on {wanted}: {error}; choose another address with {option} ADDR"
        ))
    };
    let listener = TcpListener::bind(wanted).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// Gathers what the library reports, for `/metrics`.
fn figures() -> Result<PrometheusHandle, Failure> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0])
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::told(format!("figures cannot be gathered: {error}")))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        // What is not read for long must not pile up.
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// Reads the file again whenever the process gets `SIGHUP`. A file that cannot be used changes
/// nothing.
#[cfg(unix)]
fn reload_on_hangup(
    server: &IssuerServer,
    setup: Setup,
    issuer: Option<IssuerName>,
    address: SocketAddr,
) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Failure::told(format!("SIGHUP cannot be watched: {error}")))?;
    let server = server.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let read = setup.again(issuer.as_ref(), address);
            let replaced = read.and_then(|(again, settings)| {
                let replaced = server.replace(settings);
                replaced.map_err(|error: ConfigError| again.locate(error).into())
            });
            match replaced {
                Ok(()) => tracing::info!("the issuer's file was read again and is in force"),
                Err(error) => tracing::error!(
                    %error,
                    "the issuer's file cannot be used: the settings before it stay in force"
                ),
            }
        }
    });
    Ok(())
}
