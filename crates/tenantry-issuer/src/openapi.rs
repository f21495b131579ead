//! What the endpoints take and answer, as an OpenAPI document ([OpenAPI 3.1]).
//!
//! [OpenAPI 3.1]: https://spec.openapis.org/oas/v3.1.0

use serde_json::{Map, Value, json};

use crate::endpoints::Endpoints;
use crate::settings::Settings;

/// Describes the endpoints of an authorization server with these settings.
///
/// ```
/// use tenantry_issuer::{Settings, openapi};
///
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let document = openapi(&settings);
/// assert_eq!(document["servers"][0]["url"], "https://auth.erp.example");
/// assert!(document["paths"]["/{tenant}/oauth/token"]["post"].is_object());
/// # Ok::<_, tenantry_issuer::ConfigError>(())
/// ```
#[must_use]
pub fn openapi(settings: &Settings) -> Value {
    let issuer = settings.issuer();
    let below = if issuer.has_tenant() { "/{tenant}" } else { "" };
    let base = issuer.base_path();
    let mut paths = Map::new();
    for (path, summary, name, form, answer) in [
        (Endpoints::TOKEN, "An access token (RFC 6749)", "token", token_form(), "Token"),
        (
            Endpoints::INTROSPECTION,
            "What a token says (RFC 7662)",
            "introspect",
            about_form(),
            "Introspection",
        ),
        (
            Endpoints::REVOCATION,
            "A token that is not needed any more (RFC 7009)",
            "revoke",
            about_form(),
            "Empty",
        ),
    ] {
        for (prefix, suffix) in [("", ""), ("/{tenant}", "_of_tenant")] {
            let path = format!("{base}{prefix}{path}");
            let operation = format!("{name}{suffix}");
            let in_path = !prefix.is_empty();
            paths.insert(path, post(settings, summary, &operation, &form, answer, in_path));
        }
    }
    let in_path = !below.is_empty();
    for (path, summary, operation, schema) in [
        (
            format!("{}{base}{below}", Endpoints::METADATA),
            "Metadata (RFC 8414)",
            "metadata",
            "Metadata",
        ),
        (format!("{base}{below}{}", Endpoints::JWKS), "The key set (RFC 7517)", "jwks", "KeySet"),
    ] {
        paths.insert(path, get(summary, operation, schema, in_path));
    }
    if settings.openid_configuration() {
        let path = format!("{base}{below}{}", Endpoints::OPENID_METADATA);
        paths
            .insert(path, get("Metadata as OpenID has it", "openid_metadata", "Metadata", in_path));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Authorization server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every token is good for exactly one tenant. A request names its tenant in the path, \
                            a header, the parameter tenant_id, or by audience or resource; all that are there agree.",
        },
        "servers": [{ "url": issuer.origin() }],
        "paths": paths,
        "components": { "schemas": schemas(), "responses": responses(), "securitySchemes": {
            "client": {
                "type": "http",
                "scheme": "basic",
                "description": "The client's id and secret, form-encoded each (RFC 6749, section 2.3.1)",
            },
        } },
    })
}

fn post(
    settings: &Settings,
    summary: &str,
    operation: &str,
    form: &Value,
    answer: &str,
    in_path: bool,
) -> Value {
    let mut parameters = vec![json!({
        "name": settings.tenant_header().as_str(),
        "in": "header",
        "description": "The tenant",
        "schema": { "$ref": "#/components/schemas/TenantId" },
    })];
    parameters.extend(in_path.then(tenant_in_path));
    json!({ "post": {
        "summary": summary,
        "operationId": operation,
        // A client registered for it sends its secret, or an assertion, in the body instead.
        "security": [{ "client": [] }, {}],
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "content": { "application/x-www-form-urlencoded": { "schema": form } },
        },
        "responses": {
            "200": {
                "description": "Done",
                "headers": { "Cache-Control": { "schema": { "const": "no-store" } } },
                "content": json_of(answer),
            },
            "400": { "$ref": "#/components/responses/Refused" },
            "401": { "$ref": "#/components/responses/Unauthenticated" },
            "408": { "$ref": "#/components/responses/Refused" },
            "413": { "$ref": "#/components/responses/Refused" },
            "429": { "$ref": "#/components/responses/Later" },
            "503": { "$ref": "#/components/responses/Later" },
        },
    } })
}

fn get(summary: &str, operation: &str, schema: &str, in_path: bool) -> Value {
    let parameters: Vec<_> = in_path.then(tenant_in_path).into_iter().collect();
    json!({ "get": {
        "summary": summary,
        "operationId": operation,
        "parameters": parameters,
        "responses": {
            "200": { "description": "The document", "content": json_of(schema) },
            "304": { "description": "The asker has it already" },
            "404": { "description": "There is no such document" },
            "503": { "description": "It cannot be had now" },
        },
    } })
}

fn tenant_in_path() -> Value {
    json!({
        "name": "tenant",
        "in": "path",
        "required": true,
        "schema": { "$ref": "#/components/schemas/TenantId" },
    })
}

fn json_of(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

/// The parameters that every form may have, and `own`. An empty one is absent ([RFC 6749 §3.2]), and so
/// allowed.
///
/// [RFC 6749 §3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-3.2
fn form(required: &[&str], own: Value) -> Value {
    let mut properties = json!({
        "tenant_id": {
            "type": "string",
            "pattern": "^([A-Za-z0-9][A-Za-z0-9_-]{0,127})?$",
            "description": "The tenant",
        },
        "client_id": {
            "type": "string",
            "pattern": "^[A-Za-z0-9._~-]{0,128}$",
            "description": "With client_secret, or beside an assertion",
        },
        "client_secret": { "type": "string", "format": "password" },
        "client_assertion_type": {
            "enum": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer", ""],
        },
        "client_assertion": {
            "type": "string",
            "description": "A JWT of the client (RFC 7523)",
        },
    });
    if let (Value::Object(properties), Value::Object(own)) = (&mut properties, own) {
        properties.extend(own);
    }
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "dependentRequired": {
            "client_assertion": ["client_assertion_type"],
            "client_assertion_type": ["client_assertion"],
            "client_secret": ["client_id"],
        },
    })
}

fn token_form() -> Value {
    form(
        &["grant_type"],
        json!({
            "grant_type": { "enum": ["client_credentials", "refresh_token"] },
            "scope": { "type": "string", "description": "Plain, or qualified with the tenant" },
            "audience": { "type": "string" },
            "resource": { "type": "string", "format": "uri" },
            "refresh_token": { "type": "string" },
        }),
    )
}

fn about_form() -> Value {
    form(
        &["token"],
        json!({
            "token": { "type": "string", "minLength": 1 },
            "token_type_hint": { "type": "string" },
        }),
    )
}

fn responses() -> Value {
    let refused = |description: &str, headers: Value| {
        json!({
            "description": description,
            "headers": headers,
            "content": json_of("Error"),
        })
    };
    json!({
        "Refused": refused("The request cannot be granted as it is", json!({})),
        "Unauthenticated": refused(
            "The client is not known as one of this tenant",
            json!({ "WWW-Authenticate": { "schema": { "type": "string" } } }),
        ),
        "Later": refused(
            "Too many failures, or the server cannot judge now",
            json!({ "Retry-After": { "schema": { "type": "integer", "minimum": 0 } } }),
        ),
    })
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "TenantId": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$" },
        "Token": {
            "type": "object",
            "required": ["access_token", "token_type", "expires_in"],
            "properties": {
                "access_token": text(),
                "token_type": { "const": "Bearer" },
                "expires_in": { "type": "integer", "minimum": 0 },
                "scope": text(),
                "refresh_token": text(),
            },
        },
        "Introspection": {
            "type": "object",
            "required": ["active"],
            "properties": {
                "active": { "type": "boolean" },
                "scope": text(),
                "client_id": text(),
                "token_type": text(),
                "iss": text(),
                "sub": text(),
                "jti": text(),
                "exp": { "type": "integer" },
                "iat": { "type": "integer" },
            },
        },
        "Empty": { "type": "object" },
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": { "enum": [
                    "invalid_client", "invalid_grant", "invalid_request", "invalid_scope",
                    "invalid_target", "temporarily_unavailable", "unauthorized_client",
                    "unsupported_grant_type", "unsupported_token_type",
                ] },
                "error_description": { "type": "string", "pattern": "^[ !#-\\[\\]-~]*$" },
            },
        },
        "Metadata": {
            "type": "object",
            "required": ["issuer", "token_endpoint", "jwks_uri", "response_types_supported"],
            "properties": {
                "issuer": { "type": "string", "format": "uri" },
                "token_endpoint": { "type": "string", "format": "uri" },
                "jwks_uri": { "type": "string", "format": "uri" },
                "response_types_supported": texts(),
                "grant_types_supported": texts(),
            },
        },
        "KeySet": {
            "type": "object",
            "required": ["keys"],
            "properties": { "keys": { "type": "array", "items": {
                "type": "object",
                "required": ["kty", "kid", "use", "alg"],
                "properties": { "kty": text(), "kid": text(), "use": { "const": "sig" }, "alg": text() },
            } } },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn document(issuer: &str) -> Value {
        let settings = Settings::builder()
            .issuer(issuer)
            .audience("https://api.erp.example/{tenant}")
            .openid_configuration(true);
        openapi(&settings.build().unwrap())
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document("https://auth.erp.example");
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 8, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn paths_are_where_the_issuer_has_them() {
        let paths = |issuer| {
            let document = document(issuer);
            let paths = document["paths"].as_object().unwrap();
            paths.keys().cloned().collect::<BTreeSet<_>>()
        };
        let shared = paths("https://erp.example/auth");
        assert_eq!(shared.len(), 9, "{shared:?}");
        assert!(shared.contains("/auth/oauth/token") && shared.contains("/auth/jwks.json"));
        assert!(shared.contains("/.well-known/oauth-authorization-server/auth"));
        let own = paths("https://erp.example/{tenant}");
        assert!(own.contains("/{tenant}/jwks.json") && own.contains("/{tenant}/oauth/token"));
        assert!(own.contains("/.well-known/oauth-authorization-server/{tenant}"));
        assert!(own.contains("/{tenant}/.well-known/openid-configuration"));
    }

    /// The parameter in a path and its declaration go together.
    #[test]
    fn a_path_declares_the_tenant_if_it_has_one() {
        for (path, item) in document("https://erp.example/{tenant}")["paths"].as_object().unwrap() {
            let operation = item.get("post").or_else(|| item.get("get")).unwrap();
            let mut declared = operation["parameters"].as_array().unwrap().iter();
            let declared = declared.any(|parameter| parameter["in"] == "path");
            assert_eq!(declared, path.contains("{tenant}"), "{path}");
        }
    }
}
