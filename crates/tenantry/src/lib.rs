//! OAuth 2.0 protection that knows the tenant, for axum and tower.
