//! Tokens as the policy wants them.

use tenantry::{TenantId, TokenProfile};

use super::Stage;
use crate::TokenBuilder;

/// How long tokens live that nobody waits for, in seconds.
const LONG: i64 = 3600;

impl Stage<'_> {
    /// A token that is as it should be, for `tenant`, with these scopes as the token writes them.
    pub(in crate::attack) fn token_with(&self, tenant: &TenantId, scope: &str) -> TokenBuilder {
        let issuer = &self.world.issuer;
        let mut token =
            issuer.token().tenant(tenant.as_str()).client_id(client_of(tenant)).expires_in(LONG);
        if let Some(audience) = self.policy.audiences().first() {
            token = token.audience(audience.render(tenant));
        }
        let iss = issuer.issuer_of(tenant.as_str());
        let Some(rules) = self.policy.issuer_for(&iss).map(|matched| matched.policy) else {
            return self.suite.changed(token.scope(scope));
        };
        let own = &issuer.claims().tenant_claim;
        if !rules.tenant_claims().contains(own) {
            token = token.without(own.as_ref());
        }
        for name in rules.tenant_claims() {
            token = token.claim(name.as_ref(), tenant.as_str());
        }
        if rules.client_id_claim() != "client_id" {
            token = token.claim(rules.client_id_claim(), client_of(tenant));
        }
        if rules.profile() == TokenProfile::Jwt {
            token = token.typ("JWT");
        }
        if !scope.is_empty() {
            token = token.claim(rules.scope_claim(), scope);
        }
        self.suite.changed(token)
    }

    /// A token with all that the probe needs.
    pub(in crate::attack) fn token(&self, tenant: &TenantId, index: usize) -> TokenBuilder {
        self.token_with(tenant, &self.scope(tenant, &self.probe(index).scopes))
    }

    /// Scopes as a token of `tenant` writes them.
    pub(in crate::attack) fn scope<S: AsRef<str>>(
        &self,
        tenant: &TenantId,
        scopes: &[S],
    ) -> String {
        let pattern = self.policy.scope_pattern();
        let written = scopes.iter().map(|scope| pattern.render(tenant, scope.as_ref()));
        written.collect::<Vec<_>>().join(" ")
    }
}

/// The `client_id` and `sub` of a tenant's usual tokens.
pub(super) fn client_of(tenant: &TenantId) -> String {
    format!("attack-suite.{tenant}")
}
