//! What a client did at the authorization server, as its library told it.

use serde::Deserialize;
use serde_json::Value;

use crate::issuer::{Issuer, SCOPE};

#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    /// By client credentials, with a scope and an audience.
    pub(crate) obtained: Tokens,
    /// By the refresh token that came with them.
    pub(crate) renewed: Tokens,
    /// What introspection said of the renewed access token,
    pub(crate) introspected: Value,
    /// and what after it was revoked.
    pub(crate) revoked: Value,
    /// The error of renewing with a refresh token that was revoked,
    pub(crate) renewal: String,
    /// of asking for the other tenant's audience,
    pub(crate) foreign_audience: String,
    /// and for the other tenant's scope.
    pub(crate) foreign_scope: String,
}

/// RFC 6749 section 5.1.
#[derive(Debug, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) token_type: String,
    pub(crate) expires_in: u64,
    pub(crate) scope: String,
    pub(crate) refresh_token: String,
}

impl Exchange {
    #[track_caller]
    pub(crate) fn assert_served(&self, issuer: &Issuer) {
        for tokens in [&self.obtained, &self.renewed] {
            // Some libraries write it small.
            assert!(tokens.token_type.eq_ignore_ascii_case("bearer"), "{}", tokens.token_type);
            assert_eq!(tokens.expires_in, 600);
            assert_eq!(words(&tokens.scope), words(SCOPE));
        }
        assert_ne!(self.obtained.access_token, self.renewed.access_token);
        assert_ne!(self.obtained.refresh_token, self.renewed.refresh_token);
        assert_eq!(self.introspected["active"], true, "{}", self.introspected);
        issuer.assert_claims(&self.introspected);
        assert_eq!(self.revoked, serde_json::json!({ "active": false }));
        assert_eq!(self.renewal, "invalid_grant");
        assert_eq!(self.foreign_audience, "invalid_target");
        assert_eq!(self.foreign_scope, "invalid_scope");
    }
}

/// A scope has no order.
fn words(scope: &str) -> Vec<&str> {
    let mut words: Vec<_> = scope.split(' ').collect();
    words.sort_unstable();
    words
}
