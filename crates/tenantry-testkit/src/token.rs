//! Access tokens: right by default, wrong where a test says so.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::{hmac, rand};
use serde_json::{Map, Value};

use tenantry_core::Algorithm;

use crate::signing_key::base64url;
use crate::{SigningKey, TestIssuer};

/// How long a token lives unless it says otherwise, in seconds.
const LIFETIME: i64 = 600;

/// Builds one JWT access token.
///
/// Begun by [`TestIssuer::token`]. With a tenant it follows [RFC 9068 §2]: `typ` is `at+jwt`; `iss`,
/// `aud`, `exp`, `sub`, `client_id`, `iat`, `jti` and the tenant's claim are there; it is signed by
/// the issuer's first key and lives for ten minutes. Every method but the first few makes it differ
/// from that in one way and leaves the rest right, so that a test shows which check refused it.
///
/// What [`claim`](Self::claim), [`without`](Self::without), [`header`](Self::header) and
/// [`without_header`](Self::without_header) say stands, wherever in the chain they are.
///
/// ```
/// use tenantry_core::Algorithm;
/// use tenantry_testkit::{SigningKey, TestIssuer};
///
/// let issuer = TestIssuer::offline("https://auth.erp.example");
///
/// let right = issuer.token().tenant("tenant1").sign();
/// let expired = issuer.token().tenant("tenant1").expires_in(-60).sign();
///
/// // The attacker's key under the issuer's name for its own.
/// let key = SigningKey::generate(Algorithm::Es256, "es256-1");
/// let forged = issuer.token().tenant("tenant1").signed_by(&key).sign();
/// # assert!(right != expired && expired != forged);
/// ```
///
/// [RFC 9068 §2]: https://www.rfc-editor.org/rfc/rfc9068#section-2
#[must_use = "there is no token until it is signed"]
#[derive(Clone)]
pub struct TokenBuilder {
    issuer: TestIssuer,
    tenant: Option<String>,
    audience: Option<Value>,
    scope: Option<String>,
    subject: Option<String>,
    client_id: String,
    expiry: Expiry,
    claims: Changes,
    header: Changes,
    algorithm: Option<Algorithm>,
    signer: Signer,
    raw_claims: Option<Vec<u8>>,
    raw_header: Option<Vec<u8>>,
    tampered: bool,
}

/// Members to set, or to take away.
type Changes = BTreeMap<String, Option<Value>>;

#[derive(Clone, Copy)]
enum Expiry {
    At(i64),
    In(i64),
}

#[derive(Clone)]
enum Signer {
    /// The issuer's key for the algorithm and the tenant.
    Issuer,
    Key(SigningKey),
    Nobody,
    Secret(Vec<u8>),
    Signature(Vec<u8>),
}

impl TokenBuilder {
    pub(crate) fn new(issuer: TestIssuer) -> Self {
        Self {
            issuer,
            tenant: None,
            audience: None,
            scope: None,
            subject: None,
            client_id: "journal-sync".into(),
            expiry: Expiry::In(LIFETIME),
            claims: Changes::new(),
            header: Changes::new(),
            algorithm: None,
            signer: Signer::Issuer,
            raw_claims: None,
            raw_header: None,
            tampered: false,
        }
    }

    /// The tenant: sets its claim and the `{tenant}` of audience and scope. Where tenants have keys
    /// of their own, also the `iss` and the key.
    ///
    /// Any string is taken, also one that is no tenant id.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The `scope`, members separated by spaces ([RFC 9068 §2.2.3]). Written as it is given, unless
    /// the issuer has a [pattern](crate::TestIssuerBuilder::scope_pattern). By default there is none.
    ///
    /// [RFC 9068 §2.2.3]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The `client_id`, by default `journal-sync`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// The `sub`. By default the `client_id`: no resource owner is involved ([RFC 9068 §2.2]).
    ///
    /// [RFC 9068 §2.2]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The `aud`, as one string.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into().into());
        self
    }

    /// The `aud`, as an array.
    pub fn audiences<A: Into<String>>(mut self, audiences: impl IntoIterator<Item = A>) -> Self {
        self.audience = Some(audiences.into_iter().map(Into::into).collect());
        self
    }

    /// The `exp`, in whole seconds from now; negative for a token that has expired.
    ///
    /// The `iat` of an expired token is ten minutes before its `exp`, so that expiry is all that is
    /// wrong with it.
    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.expiry = Expiry::In(seconds);
        self
    }

    /// The `exp`, in whole seconds since the Unix epoch.
    pub fn expires_at(mut self, seconds: i64) -> Self {
        self.expiry = Expiry::At(seconds);
        self
    }

    /// Sets a claim, to a value of any type.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), Some(value.into()));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: impl Into<String>) -> Self {
        self.claims.insert(name.into(), None);
        self
    }

    /// Sets a member of the header, to a value of any type. An `alg` or `kid` set here changes what
    /// the header says, not which key signs.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), Some(value.into()));
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.header.insert(name.into(), None);
        self
    }

    /// The `typ` of the header: `JWT`, say.
    pub fn typ(self, typ: impl Into<String>) -> Self {
        self.header("typ", typ.into())
    }

    /// Signs with the issuer's key for `algorithm` instead of its first.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Signs with `key`, whoever's it is; `alg` and `kid` are the key's.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.signer = Signer::Key(key.clone());
        self
    }

    /// Signs with HMAC SHA-256 under `secret`, and says `HS256`.
    ///
    /// With a public key as the secret this is the token of an algorithm confusion
    /// ([RFC 8725 §2.1]).
    ///
    /// [RFC 8725 §2.1]: https://www.rfc-editor.org/rfc/rfc8725#section-2.1
    pub fn signed_with_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.signer = Signer::Secret(secret.into());
        self
    }

    /// Does not sign: `alg` is `none` and the third part is empty ([RFC 7519 §6]).
    ///
    /// [RFC 7519 §6]: https://www.rfc-editor.org/rfc/rfc7519#section-6
    pub fn unsigned(mut self) -> Self {
        self.signer = Signer::Nobody;
        self
    }

    /// Puts these bytes where the signature belongs; the header is the issuer's.
    pub fn raw_signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signer = Signer::Signature(signature.into());
        self
    }

    /// Signs these bytes instead of the claims, JSON or not. All that was said about claims is void.
    pub fn raw_claims(mut self, claims: impl Into<Vec<u8>>) -> Self {
        self.raw_claims = Some(claims.into());
        self
    }

    /// Signs these bytes instead of the header, JSON or not. All that was said about the header is
    /// void.
    pub fn raw_header(mut self, header: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(header.into());
        self
    }

    /// Changes the claims after they were signed: a claim `tampered` is added, or a blank at the end
    /// of [`raw_claims`](Self::raw_claims).
    pub fn tampered(mut self) -> Self {
        self.tampered = true;
        self
    }

    /// Makes the token, in compact form ([RFC 7515 §7.1]).
    ///
    /// # Panics
    ///
    /// - If audience or scope have a `{tenant}` to fill, and no [`tenant`](Self::tenant) was named.
    /// - If the issuer has no key for the algorithm, or none for the tenant although others have
    ///   their own.
    ///
    /// [RFC 7515 §7.1]: https://www.rfc-editor.org/rfc/rfc7515#section-7.1
    #[must_use]
    pub fn sign(&self) -> String {
        let header = match &self.raw_header {
            Some(raw) => raw.clone(),
            None => Value::Object(self.header_members()).to_string().into_bytes(),
        };
        let (claims, sent) = self.claims_signed_and_sent();
        let header = base64url(&header);
        let signature = self.signature(format!("{header}.{}", base64url(&claims)).as_bytes());
        format!("{header}.{}.{}", base64url(&sent), base64url(&signature))
    }

    fn header_members(&self) -> Map<String, Value> {
        let mut header = Map::new();
        header.insert("typ".into(), "at+jwt".into());
        let key = match &self.signer {
            Signer::Issuer | Signer::Signature(_) => Some(self.issuer_key()),
            Signer::Key(key) => Some(key.clone()),
            Signer::Nobody => {
                header.insert("alg".into(), "none".into());
                None
            }
            Signer::Secret(_) => {
                header.insert("alg".into(), "HS256".into());
                None
            }
        };
        if let Some(key) = key {
            header.insert("alg".into(), key.algorithm().as_str().into());
            if let Some(kid) = key.kid() {
                header.insert("kid".into(), kid.into());
            }
        }
        changed(header, &self.header)
    }

    fn claims_signed_and_sent(&self) -> (Vec<u8>, Vec<u8>) {
        if let Some(raw) = &self.raw_claims {
            let mut sent = raw.clone();
            if self.tampered {
                sent.push(b' ');
            }
            return (raw.clone(), sent);
        }
        let mut claims = self.claim_members();
        let signed = Value::Object(claims.clone()).to_string().into_bytes();
        if self.tampered {
            claims.insert("tampered".into(), true.into());
        }
        (signed, Value::Object(claims).to_string().into_bytes())
    }

    fn claim_members(&self) -> Map<String, Value> {
        let now = self.issuer.now();
        let expires_at = match self.expiry {
            Expiry::At(seconds) => seconds,
            Expiry::In(seconds) => now.saturating_add(seconds),
        };
        let issued_at = if expires_at > now { now } else { expires_at.saturating_sub(LIFETIME) };
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.into(), value);
        set("iss", self.issuer_string().into());
        set("exp", expires_at.into());
        set("iat", issued_at.into());
        set("jti", unique().into());
        set("client_id", self.client_id.as_str().into());
        set("sub", self.subject.as_ref().unwrap_or(&self.client_id).as_str().into());
        if let Some(audience) = self.audience_written() {
            set("aud", audience);
        }
        if let Some(tenant) = &self.tenant {
            set(&self.issuer.claims().tenant_claim, tenant.as_str().into());
        }
        if let Some(scope) = &self.scope {
            set("scope", self.written(scope).into());
        }
        changed(claims, &self.claims)
    }

    fn issuer_string(&self) -> String {
        match self.signer_tenant() {
            Some(tenant) => self.issuer.issuer_of(tenant),
            None => self.issuer.url().to_owned(),
        }
    }

    /// `None` if the caller says what the audience is, or that there is none.
    fn audience_written(&self) -> Option<Value> {
        if let Some(audience) = &self.audience {
            return Some(audience.clone());
        }
        if self.claims.contains_key("aud") {
            return None;
        }
        Some(self.rendered(&self.issuer.claims().audience).into())
    }

    fn written(&self, scope: &str) -> String {
        let Some(pattern) = &self.issuer.claims().scope_pattern else {
            return scope.to_owned();
        };
        let pattern = self.rendered(pattern);
        let members = scope.split(' ').map(|member| pattern.replace("{scope}", member));
        members.collect::<Vec<_>>().join(" ")
    }

    fn rendered(&self, pattern: &str) -> String {
        match &self.tenant {
            Some(tenant) => pattern.replace("{tenant}", tenant),
            None if pattern.contains("{tenant}") => {
                panic!("`{pattern}` needs a tenant: name one with `TokenBuilder::tenant`")
            }
            None => pattern.to_owned(),
        }
    }

    fn signer_tenant(&self) -> Option<&str> {
        self.issuer.signer_of(self.tenant.as_deref())
    }

    fn issuer_key(&self) -> SigningKey {
        self.issuer.signing_key(self.signer_tenant(), self.algorithm)
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.signer {
            Signer::Issuer => self.issuer_key().sign(message),
            Signer::Key(key) => key.sign(message),
            Signer::Nobody => Vec::new(),
            Signer::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Signer::Signature(signature) => signature.clone(),
        }
    }
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What goes into tokens does not come out of `Debug`, not even here: tests get copied.
        f.debug_struct("TokenBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn changed(mut members: Map<String, Value>, changes: &Changes) -> Map<String, Value> {
    for (name, value) in changes {
        match value {
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.remove(name),
        };
    }
    members
}

/// A `jti` that no other token has.
fn unique() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system has randomness to give");
    base64url(&bytes)
}
