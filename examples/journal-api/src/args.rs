//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Journal entries for several tenants: Tenantry's demonstration.
///
/// Without --policy it starts an issuer of its own for tenant1 and tenant2, plays the story once
/// over HTTP, and goes on serving.
///
/// With --policy, SIGHUP reads the policy file again. RUST_LOG says what is logged: `info` has each
/// refusal and each reload, and `warn`, the default, only what should be looked at.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "journal-api", version)]
pub struct Args {
    /// Serve for the issuers of this policy file; no issuer of its own, no tour
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Listen here [default: `listen` of the policy file, or 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Serve /metrics here, for the collector alone [default: beside /healthz, for everybody]
    #[arg(long, value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,

    /// Run the demonstration's issuer here, on loopback [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR", conflicts_with = "policy")]
    pub issuer_listen: Option<SocketAddr>,

    /// Keep the journal in this SQLite file [default: a temporary one]
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// Do not play the story
    #[arg(long)]
    pub no_tour: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_option_is_read() {
        let line = "journal-api --policy p.toml --listen [::1]:80 --metrics-listen [::1]:81 \
                    --database j.db --no-tour";
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(args.policy.as_deref(), Some("p.toml".as_ref()));
        assert_eq!(args.listen, Some("[::1]:80".parse().unwrap()));
        assert_eq!(args.metrics_listen, Some("[::1]:81".parse().unwrap()));
        assert_eq!(args.database.as_deref(), Some("j.db".as_ref()));
        assert!(args.no_tour);

        let args = Args::try_parse_from(["journal-api", "--issuer-listen", "[::1]:90"]).unwrap();
        assert_eq!(args.issuer_listen, Some("[::1]:90".parse().unwrap()));
        // With a policy there is no issuer of its own.
        let both = ["journal-api", "--policy", "p.toml", "--issuer-listen", "[::1]:90"];
        assert!(Args::try_parse_from(both).is_err());
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for listen in ["8080", "localhost", "localhost:8080", ""] {
            assert!(Args::try_parse_from(["journal-api", "--listen", listen]).is_err(), "{listen}");
        }
    }
}
