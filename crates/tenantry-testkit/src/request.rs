//! Ready requests, for unit tests of handlers.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, Uri};
use serde_json::{Map, Value};

use tenantry_core::{
    AccessToken, BoxFuture, ClientId, Issuer, Policy, ProvenTenant, Reason, RequestFacts, Scope,
    Standing, Subject, TenantAwareRequest, TenantClaim, TenantId, TokenFacts, Unobserved,
    VerifiedToken, Watch, agree,
};

const ISSUER: &str = "https://auth.erp.example";

/// The year 2100: the decision does not look at the time, a handler might.
const EXPIRES_AT: u64 = 4_102_444_800;
const ISSUED_AT: u64 = EXPIRES_AT - 600;

const JWT_ID: &str = "ready-request";

/// Begins a request of `tenant` that passed every check, without a token or a server.
///
/// Hand it to a handler, or put it into the extensions of a request on the way to a layer that
/// reads it there.
///
/// ```
/// use tenantry_testkit::request_of;
///
/// let request = request_of("tenant1").with_scope("journal.read").build();
///
/// assert_eq!(request.tenant().as_str(), "tenant1");
/// ```
///
/// # Panics
///
/// If `tenant` is not a [`TenantId`].
pub fn request_of(tenant: &str) -> ReadyRequest {
    ReadyRequest {
        tenant: tenant.parse().expect("a request is of a tenant with a tenant id"),
        subject: None,
        client_id: "journal-sync".into(),
        scope: Vec::new(),
        claims: Map::new(),
    }
}

/// Begun by [`request_of`], ended by [`build`](Self::build).
#[must_use = "there is no request until it is built"]
#[derive(Clone)]
pub struct ReadyRequest {
    tenant: TenantId,
    subject: Option<String>,
    client_id: String,
    scope: Vec<String>,
    claims: Map<String, Value>,
}

impl ReadyRequest {
    /// The scopes of this tenant that the token grants, separated by spaces and without the tenant:
    /// as a handler asks for them. By default there are none.
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = scope.split_ascii_whitespace().map(Into::into).collect();
        self
    }

    /// The `sub`. By default the `client_id`.
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The `client_id`, by default `journal-sync`.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Further claims: a JSON object. Those that the token has anyway are not replaced, nor is a
    /// scope added.
    ///
    /// # Panics
    ///
    /// If it is not an object.
    pub fn with_claims(mut self, claims: Value) -> Self {
        match claims {
            Value::Object(claims) => self.claims = claims,
            _ => panic!("claims are a JSON object"),
        }
        self
    }

    /// Takes it through [`agree`] and `admit`, as a layer does.
    ///
    /// # Panics
    ///
    /// If a member of the scope is outside the grammar of [RFC 6749 §3.3].
    ///
    /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    #[must_use]
    pub fn build(self) -> TenantAwareRequest {
        let policy = policy();
        let (uri, headers) = (Uri::from_static("/"), HeaderMap::new());
        let facts = RequestFacts::read(policy, &uri, &headers).expect("nothing is named twice");
        let token = VerifiedToken::assert_verified(policy, self.token());
        let token = token.keep(AccessToken::new("a token of the test kit"));
        agree(policy, &facts, token, &mut Unobserved)
            .expect("all that is signed names one tenant")
            .admit(Standing::Active, &mut Unobserved)
            .expect("an active tenant is admitted")
            .watched_by(Arc::new(NeverEnds))
    }

    fn token(self) -> TokenFacts {
        let audience = format!("https://api.erp.example/{}", self.tenant);
        let subject = self.subject.unwrap_or_else(|| self.client_id.clone());
        let scope: Vec<_> = self.scope.iter().map(|s| format!("{}.{s}", self.tenant)).collect();
        let mut claims = self.claims;
        let mut set = |name: &str, value: Value| claims.insert(name.into(), value);
        set("iss", ISSUER.into());
        set("aud", audience.as_str().into());
        set("exp", EXPIRES_AT.into());
        set("iat", ISSUED_AT.into());
        set("jti", JWT_ID.into());
        set("sub", subject.as_str().into());
        set("client_id", self.client_id.as_str().into());
        set("tenant_id", self.tenant.as_str().into());
        if scope.is_empty() {
            claims.remove("scope");
        } else {
            set("scope", scope.join(" ").into());
        }
        TokenFacts {
            issuer: Issuer::new(ISSUER),
            subject: Some(Subject::new(subject)),
            client_id: Some(ClientId::new(self.client_id)),
            audience: vec![audience.into()],
            tenant_claims: vec![TenantClaim {
                name: "tenant_id".into(),
                value: self.tenant.as_str().into(),
            }],
            scope: Scope::from_tokens(scope.iter().map(String::as_str))
                .expect("a scope is made of scope tokens"),
            expires_at: Duration::from_secs(EXPIRES_AT),
            issued_at: Some(Duration::from_secs(ISSUED_AT)),
            jwt_id: Some(JWT_ID.into()),
            claims: Value::Object(claims).to_string().into_bytes().into(),
        }
    }
}

/// What a test made has no end.
#[derive(Debug)]
struct NeverEnds;

impl Watch for NeverEnds {
    fn ended(self: Arc<Self>, _: AccessToken, _: ProvenTenant) -> BoxFuture<Reason> {
        Box::pin(std::future::pending())
    }
}

impl fmt::Debug for ReadyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyRequest").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl From<ReadyRequest> for TenantAwareRequest {
    fn from(request: ReadyRequest) -> Self {
        request.build()
    }
}

fn policy() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| {
        Policy::builder()
            .issuer(ISSUER)
            .audience("https://api.erp.example/{tenant}")
            .scope("{tenant}.{scope}")
            .build()
            .expect("the policy of ready requests holds")
    })
}
