//! From what a policy file says to the settings of a policy and a directory.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tenantry_core::{
    Algorithm, Directory, IssuerSettings, KeyLocation, Policy, PolicyBuilder, PolicyError,
    Standing, StaticDirectory, TenantId,
};
use tenantry_toml::{Table, Text};

use crate::directory_settings::DirectorySettings;
use crate::policy_format::{Directory as Listed, File, ForeignScopes, Issuer};

impl File {
    /// The policy that the file describes; `base` is what paths in it are relative to.
    pub(crate) fn policy(&self, base: &Path) -> Result<PolicyBuilder, PolicyError> {
        let mut policy = self.server(Policy::builder());
        let sources = &self.tenant.0;
        if let Some(path) = &sources.path {
            policy = policy.tenant_path(path);
        }
        if let Some(header) = &sources.header {
            policy = policy.tenant_header(header);
        }
        if let Some(host) = &sources.host {
            policy = policy.tenant_host(host);
        }
        policy = policy.required_sources(&sources.required.0).optional_sources(&sources.optional.0);
        for (at, issuer) in self.issuer.iter().enumerate() {
            policy = policy.issuer(issuer.settings(at, base)?);
        }
        Ok(policy)
    }

    fn server(&self, mut policy: PolicyBuilder) -> PolicyBuilder {
        let server = &self.resource_server.0;
        for audience in server.audience.iter().flat_map(|list| &list.0) {
            policy = policy.audience(audience);
        }
        if let Some(realm) = &server.realm {
            policy = policy.realm(realm);
        }
        if let Some(scope) = &server.scope {
            policy = policy.scope(scope);
        }
        if let Some(scopes) = &server.plain_scopes {
            policy = policy.plain_scopes(&scopes.0);
        }
        if let Some(Text(ForeignScopes::Refuse)) = server.foreign_scopes {
            policy = policy.refuse_foreign_scopes();
        }
        if let Some(skew) = &server.clock_skew {
            policy = policy.clock_skew(skew.0);
        }
        if let Some(details) = server.problem_details {
            policy = policy.problem_details(details);
        }
        if server.metadata {
            policy = policy.resource_metadata();
        }
        policy
    }

    /// What the file says of the directory, checked against `policy`.
    pub(crate) fn directory(&self, policy: &Policy) -> Result<DirectorySettings, PolicyError> {
        let mut settings = DirectorySettings::default();
        let Some(Table(directory)) = &self.directory else {
            return Ok(settings);
        };
        settings.expected = true;
        settings.lifetime = directory.lifetime.map(|lifetime| lifetime.0);
        settings.check_lifetime()?;
        if !directory.tenant.0.is_empty() {
            settings.directory = Some(directory.list(policy)?);
        }
        Ok(settings)
    }
}

impl Listed {
    /// The directory that the file lists.
    fn list(&self, policy: &Policy) -> Result<Arc<dyn Directory>, PolicyError> {
        let mut tenants: Vec<(TenantId, Standing)> = Vec::new();
        let mut seen = HashSet::new();
        let mut twin = None;
        for (at, tenant) in self.tenant.iter().enumerate() {
            let setting = || format!("directory.tenant[{at}].id");
            let id = tenant.id.parse().map_err(|error| {
                PolicyError::new(setting(), format!("`{}` is {error}", tenant.id))
            })?;
            policy.check_tenants([&id]).map_err(|error| place(error, setting()))?;
            if !seen.insert(tenant.id.to_ascii_lowercase()) {
                twin = twin.or_else(|| Some(setting()));
            }
            let standing = tenant.status.map_or(Standing::Active, |status| status.0.0);
            tenants.push((id, standing));
        }
        let directory = StaticDirectory::new(tenants)
            .map_err(|error| place(error, twin.unwrap_or_else(|| "directory.tenant".into())))?;
        Ok(Arc::new(directory))
    }
}

/// Puts the tenant's own setting into an error about the directory. Other settings stay.
fn place(error: PolicyError, setting: String) -> PolicyError {
    if error.setting() == "directory.tenant" {
        PolicyError::new(setting, error.problem())
    } else {
        error
    }
}

impl Issuer {
    fn settings(&self, at: usize, base: &Path) -> Result<IssuerSettings, PolicyError> {
        let setting = |name: &str| format!("issuer[{at}].{name}");
        let Some(name) = &self.issuer else {
            return Err(PolicyError::new(
                setting("issuer"),
                "it is missing: name the issuer as its tokens do in `iss`",
            ));
        };
        let mut issuer = IssuerSettings::new(name);
        match (&self.jwks_uri, &self.jwks_file) {
            (Some(_), Some(_)) => {
                return Err(PolicyError::new(
                    setting("jwks_file"),
                    "keys come from one place: set jwks_uri or jwks_file, not both",
                ));
            }
            (Some(uri), None) => issuer = issuer.jwks_uri(uri.as_str()),
            (None, Some(file)) => issuer = issuer.keys(KeyLocation::File(base.join(file))),
            (None, None) => {}
        }
        if let Some(names) = &self.algorithms {
            let parse = |name: &String| {
                let unknown =
                    |error| PolicyError::new(setting("algorithms"), format!("`{name}` is {error}"));
                name.parse::<Algorithm>().map_err(unknown)
            };
            issuer = issuer.algorithms(names.0.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(tenants) = &self.tenants {
            issuer = issuer.tenants(&tenants.0);
        }
        Ok(self
            .claims(issuer)
            .shared_keys(self.shared_keys)
            .shared_tenants(&self.shared_tenants.0)
            .allow_http(self.allow_http))
    }

    /// How its tokens are to be read.
    fn claims(&self, mut issuer: IssuerSettings) -> IssuerSettings {
        if let Some(names) = &self.tenant_claim {
            issuer = issuer.tenant_claims(&names.0);
        }
        if let Some(name) = &self.scope_claim {
            issuer = issuer.scope_claim(name);
        }
        if let Some(names) = &self.required_claims {
            issuer = issuer.required_claims(&names.0);
        }
        if let Some(name) = &self.client_id_claim {
            issuer = issuer.client_id_claim(name);
        }
        if let Some(Text(profile)) = self.token_profile {
            issuer = issuer.profile(profile.0);
        }
        issuer
    }
}
