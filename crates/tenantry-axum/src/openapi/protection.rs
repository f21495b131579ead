//! The security of a document: the scheme, and what each operation needs of it.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ClientCredentials, Flow, OAuth2, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, OpenApi};

use tenantry_core::{Policy, TenantId};

use super::operations::operations;
use super::{refusals, rule};

/// The name of the security scheme.
///
/// [`Protection`] writes it into each operation that has a scope rule. An operation that needs a
/// tenant but no scope has no rule: it names the scheme itself, `security(("access_token" = []))`.
pub const SCHEME: &str = "access_token";

/// Documents how requests are judged: the security scheme, the scopes of each operation, and the
/// answers to a request that is refused.
///
/// The scheme is OAuth 2.0 with the client credentials grant ([RFC 6749 §4.4]) at one token endpoint.
///
/// Scopes are written as a user of the document has to ask for them. Swagger UI sends them to the
/// token endpoint letter by letter, so there is never a `{tenant}` in them:
///
/// | the policy's `scope` | the document has | or, [for a tenant](Self::for_tenant) |
/// |---|---|---|
/// | `{scope}` | `journal.read` | `journal.read` |
/// | `{tenant}.{scope}` | `journal.read` | `tenant1.journal.read` |
///
/// An authorization server that knows the client's tenant can qualify `journal.read` itself. For one
/// that does not, serve each tenant its own document.
///
/// [RFC 6749 §4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
#[must_use = "nothing is written before `document`"]
#[derive(Clone, Debug)]
pub struct Protection {
    policy: Policy,
    token_url: String,
    descriptions: BTreeMap<String, String>,
    tenant: Option<TenantId>,
}

impl Protection {
    /// Documents `policy`, with tokens from `token_url`.
    ///
    /// `token_url` may hold `{tenant}`, which [`for_tenant`](Self::for_tenant) fills.
    pub fn new(policy: &Policy, token_url: impl Into<String>) -> Self {
        Self {
            policy: policy.clone(),
            token_url: token_url.into(),
            descriptions: BTreeMap::new(),
            tenant: None,
        }
    }

    /// Says what `scope`, written without the tenant's prefix, is good for.
    ///
    /// Without it, the description is the list of operations that need the scope.
    pub fn describe(mut self, scope: impl Into<String>, description: impl Into<String>) -> Self {
        self.descriptions.insert(scope.into(), description.into());
        self
    }

    /// Writes scopes as the tokens of `tenant` have them.
    pub fn for_tenant(mut self, tenant: &TenantId) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    /// Writes it into the document, which has to have all its operations.
    ///
    /// An operation with a scope rule gets `security` in place of what its annotation said. It, and
    /// every other operation whose `security` names [`SCHEME`], gets the answers 400, 401, 403 and 503,
    /// unless it describes an answer with that status itself. Writing twice is writing once.
    pub fn document(&self, api: &mut OpenApi) {
        let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
        for (path, item) in &mut api.paths.paths {
            for (method, operation) in operations(item) {
                self.secure(operation);
                for scope in rule::read(operation).into_iter().flatten().flatten() {
                    uses.entry(scope).or_default().insert(format!("{method} {path}"));
                }
            }
        }
        let components = api.components.get_or_insert_with(Components::new);
        components.security_schemes.insert(SCHEME.into(), self.scheme(uses).into());
        refusals::define(components, self.policy.problem_details());
    }

    fn secure(&self, operation: &mut Operation) {
        if let Some(lists) = rule::read(operation) {
            let written = |list: Vec<String>| list.into_iter().map(|scope| self.written(&scope));
            let requirement = |list| SecurityRequirement::new(SCHEME, written(list));
            operation.security = Some(lists.into_iter().map(requirement).collect());
        }
        if operation.security.iter().flatten().any(names_scheme) {
            refusals::refer(&mut operation.responses);
        }
    }

    fn scheme(&self, uses: BTreeMap<String, BTreeSet<String>>) -> SecurityScheme {
        let used = uses
            .into_iter()
            .map(|(scope, by)| (scope, format!("needed for {}", Vec::from_iter(by).join(", "))));
        let mut scopes = BTreeMap::from_iter(used);
        scopes.extend(self.descriptions.clone());
        let scopes = scopes.into_iter().map(|(scope, says)| (self.written(&scope), says)).collect();
        let token_url = match &self.tenant {
            Some(tenant) => self.token_url.replace("{tenant}", tenant.as_str()),
            None => self.token_url.clone(),
        };
        let flow = ClientCredentials::new(token_url, scopes);
        let description = match &self.tenant {
            Some(tenant) => format!("An access token of the tenant `{tenant}`."),
            None if self.policy.scope_pattern().has_tenant() => format!(
                "An access token of one tenant. Tokens write scopes `{}`; here they are without the tenant.",
                self.policy.scope_pattern().as_str()
            ),
            None => "An access token of one tenant.".into(),
        };
        SecurityScheme::OAuth2(OAuth2::with_description(
            [Flow::ClientCredentials(flow)],
            description,
        ))
    }

    /// A scope as a client has to ask for it.
    fn written(&self, scope: &str) -> String {
        let pattern = self.policy.scope_pattern();
        match &self.tenant {
            Some(tenant) => pattern.render(tenant, scope),
            None if pattern.has_tenant() => scope.into(),
            None => pattern.as_str().replace("{scope}", scope),
        }
    }
}

fn names_scheme(requirement: &SecurityRequirement) -> bool {
    // Its content has no accessor.
    serde_json::to_value(requirement).is_ok_and(|names| names.get(SCHEME).is_some())
}
