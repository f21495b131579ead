//! Clients and validators that nobody here wrote, at our authorization server.
//!
//! The npm and PyPI packages are driven by the programs in the folder `interop`, whose README says
//! how; `scripts/interop` installs them. Where they are missing, that is said on one line and skipped,
//! unless `TENANTRY_REQUIRE_INTEROP=1`. The `oauth2` crate is always there.
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod exchange;
mod issuer;
mod oauth2_crate;
mod program;

use serde_json::Value;

use exchange::Exchange;
use issuer::{Auth, Issuer, Naming};
use program::{Outcome, Program};

async fn is_served(program: Program, auth: &Auth) -> Outcome<()> {
    if !program.is_installed()? {
        return Ok(());
    }
    for naming in Naming::ALL {
        let issuer = Issuer::start(naming, "ES256", auth).await?;
        let exchange: Exchange = program.run(&issuer.task()).await?;
        exchange.assert_served(&issuer);
    }
    Ok(())
}

async fn is_served_with_a_key(program: Program) -> Outcome<()> {
    if !program.is_installed()? {
        return Ok(());
    }
    let key = Program::Node("client_key.mjs").run(&Value::Null).await?;
    is_served(program, &Auth::Key(key)).await
}

async fn accepts_tokens(program: Program, algorithms: &[&str]) -> Outcome<()> {
    if !program.is_installed()? {
        return Ok(());
    }
    for naming in Naming::ALL {
        for algorithm in algorithms {
            let issuer = Issuer::start(naming, algorithm, &Auth::Secret).await?;
            let mut task = issuer.task();
            task["token"] = oauth2_crate::access_token(&issuer).await?.into();
            let judged: Value = program.run(&task).await?;
            issuer.assert_claims(&judged["accepted"]);
            // Otherwise it accepts anything.
            assert_eq!(judged["refused"], "aud");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_oauth2_crate_obtains_renews_introspects_and_revokes() -> Outcome<()> {
    for naming in Naming::ALL {
        let issuer = Issuer::start(naming, "ES256", &Auth::Secret).await?;
        oauth2_crate::exchange(&issuer).await?.assert_served(&issuer);
    }
    Ok(())
}

#[tokio::test]
async fn openid_client_obtains_renews_introspects_and_revokes() -> Outcome<()> {
    is_served(Program::Node("client_openid_client.mjs"), &Auth::Secret).await
}

#[tokio::test]
async fn oauth4webapi_obtains_renews_introspects_and_revokes() -> Outcome<()> {
    is_served(Program::Node("client_oauth4webapi.mjs"), &Auth::Secret).await
}

#[tokio::test]
async fn openid_client_authenticates_with_a_key() -> Outcome<()> {
    is_served_with_a_key(Program::Node("client_openid_client.mjs")).await
}

#[tokio::test]
async fn oauth4webapi_authenticates_with_a_key() -> Outcome<()> {
    is_served_with_a_key(Program::Node("client_oauth4webapi.mjs")).await
}

#[tokio::test]
async fn authlib_obtains_renews_introspects_and_revokes() -> Outcome<()> {
    is_served(Program::Python("client_authlib.py"), &Auth::Secret).await
}

#[tokio::test]
async fn requests_oauthlib_obtains_renews_introspects_and_revokes() -> Outcome<()> {
    is_served(Program::Python("client_requests_oauthlib.py"), &Auth::Secret).await
}

#[tokio::test]
async fn jose_accepts_our_tokens() -> Outcome<()> {
    accepts_tokens(Program::Node("validator_jose.mjs"), &["ES256", "EdDSA", "RS256"]).await
}

#[tokio::test]
async fn oauth4webapi_accepts_our_tokens() -> Outcome<()> {
    accepts_tokens(Program::Node("validator_oauth4webapi.mjs"), &["ES256", "EdDSA", "RS256"]).await
}

#[tokio::test]
async fn pyjwt_accepts_our_tokens() -> Outcome<()> {
    accepts_tokens(Program::Python("validator_pyjwt.py"), &["ES256", "EdDSA", "RS256"]).await
}

#[tokio::test]
async fn joserfc_accepts_our_tokens() -> Outcome<()> {
    accepts_tokens(Program::Python("validator_joserfc.py"), &["ES256", "EdDSA", "RS256"]).await
}

/// It cannot be told to accept EdDSA.
#[tokio::test]
async fn authlib_accepts_our_tokens() -> Outcome<()> {
    accepts_tokens(Program::Python("validator_authlib.py"), &["ES256", "RS256"]).await
}
