//! Tower layers that let no request of one tenant reach another tenant's data.
//!
//! | layer | does |
//! |---|---|
//! | [`TenantExtractorLayer`] | credentials → verified token → one tenant → [`TenantAwareRequest`] in the extensions |
//! | [`RequireScopeLayer`] | lets a request through only if that tenant's scopes suffice |
//!
//! They work on any tower service over [`http::Request`], with any body. A service on axum adds the
//! crate `tenantry`, which sets them up.
//!
//! [`TenantAwareRequest`]: tenantry_core::TenantAwareRequest

mod body;
mod credentials;
pub mod extract;
mod extractor;
mod figures;
mod gate;
mod live;
pub mod scope;
mod target;
mod tenant_labels;
mod watch;

pub use body::RefusalBody;
pub use extract::{ExtractFuture, TenantExtractor, TenantExtractorLayer};
pub use gate::GateFuture;
pub use live::LivePolicy;
pub use scope::{RequireScope, RequireScopeLayer};
pub use target::RequestTarget;
pub use tenant_labels::TenantLabels;
