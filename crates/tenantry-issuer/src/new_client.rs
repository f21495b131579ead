//! A client that is to be registered, held to the rules that its tokens will be held to.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tenantry_core::{Match, ScopeToken, TenantId};
use tenantry_jwks::KeySet;

use crate::random::random;
use crate::records::{Client, ClientAuth, ClientId, Grants};
use crate::reserved::check_claims;
use crate::secret::Secret;
use crate::settings::Settings;

/// How many keys a client may have: to change one, two are enough. All are read when the client has to
/// prove itself, and how long that takes must not tell that there is a client.
const MOST_KEYS: usize = 8;

/// A client that is to be registered.
///
/// ```
/// use std::time::Duration;
///
/// use tenantry_issuer::{NewClient, Settings};
///
/// let settings = Settings::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .build()?;
/// let new = NewClient::of("tenant1".parse()?).id("journal-sync".parse()?).scope("journal.read");
/// let (client, secret) = new.check(&settings, Duration::ZERO)?;
/// assert!(client.scopes.contains("journal.read"));
/// assert!(secret.is_some());
///
/// let foreign = NewClient::of("tenant1".parse()?).audience("https://api.erp.example/tenant2");
/// assert_eq!(
///     foreign.check(&settings, Duration::ZERO).unwrap_err().to_string(),
///     "the audience `https://api.erp.example/tenant2` is tenant2's: a client of tenant1 cannot have it",
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a client is registered when it was checked and added to a store"]
#[derive(Clone, Debug)]
pub struct NewClient {
    tenant: TenantId,
    id: Option<ClientId>,
    name: Option<String>,
    method: Method,
    grants: Grants,
    scopes: Vec<String>,
    audiences: Vec<String>,
    claims: Map<String, Value>,
}

#[derive(Clone, Debug)]
enum Method {
    Basic,
    Post,
    PrivateKeyJwt { jwks: String },
}

impl NewClient {
    /// A client of `tenant` with a random id, a secret by HTTP Basic, `client_credentials`, and
    /// nothing that it may ask for.
    pub fn of(tenant: TenantId) -> Self {
        Self {
            tenant,
            id: None,
            name: None,
            method: Method::Basic,
            grants: Grants { client_credentials: true, refresh_token: false },
            scopes: Vec::new(),
            audiences: Vec::new(),
            claims: Map::new(),
        }
    }

    /// Its id. Default: a random one.
    pub fn id(mut self, id: ClientId) -> Self {
        self.id = Some(id);
        self
    }

    /// A name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets it send its secret in the body, and only there ([RFC 6749 §2.3.1]).
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn secret_in_body(mut self) -> Self {
        self.method = Method::Post;
        self
    }

    /// Gives it no secret: it signs assertions with a key of `jwks`, a JWK Set with public keys, eight
    /// at most ([RFC 7523 §2.2]).
    ///
    /// [RFC 7523 §2.2]: https://www.rfc-editor.org/rfc/rfc7523#section-2.2
    pub fn private_key_jwt(mut self, jwks: impl Into<String>) -> Self {
        self.method = Method::PrivateKeyJwt { jwks: jwks.into() };
        self
    }

    /// The grants that it may use. With both it gets refresh tokens.
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// Adds a scope that it may obtain, plain or qualified with its tenant.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Adds an audience that it may obtain tokens for, in full. Without one it may ask for all of
    /// its tenant.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Puts a claim into every token of this client.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Checks everything, and makes the record to add to a store, with the secret to show once.
    ///
    /// # Errors
    ///
    /// If a scope is not one; if an audience is none of this tenant's; if a claim has a name that is
    /// taken; if the keys are not public keys that assertions can be checked with; if it has no grant
    /// that gives a token; if there are no random numbers.
    pub fn check(
        self,
        settings: &Settings,
        now: Duration,
    ) -> Result<(Client, Option<Secret>), InvalidClient> {
        let scopes = self.scopes.iter().map(|text| plain_scope(&self.tenant, text, settings));
        let scopes = scopes.collect::<Result<BTreeSet<_>, _>>()?;
        let mut audiences = Vec::new();
        for audience in self.audiences {
            check_audience(&self.tenant, &audience, settings)?;
            if !audiences.contains(&audience) {
                audiences.push(audience);
            }
        }
        check_claims(&self.claims, settings.tenant_claims())
            .map_err(|error| InvalidClient(error.to_string()))?;
        check_grants(self.grants)?;
        let (auth, secret) = match self.method {
            Method::Basic => new_secret(ClientAuth::Basic)?,
            Method::Post => new_secret(ClientAuth::Post)?,
            Method::PrivateKeyJwt { jwks } => {
                check_keys(&jwks)?;
                (ClientAuth::PrivateKeyJwt { jwks }, None)
            }
        };
        let id = self.id.map_or_else(random_id, Ok)?;
        let client = Client {
            tenant: self.tenant,
            id,
            name: self.name,
            auth,
            grants: self.grants,
            scopes,
            audiences,
            claims: self.claims,
            enabled: true,
            created_at: now,
        };
        Ok((client, secret))
    }
}

/// The scope `text` without its tenant.
pub(crate) fn plain_scope(
    tenant: &TenantId,
    text: &str,
    settings: &Settings,
) -> Result<String, InvalidClient> {
    let scope: ScopeToken =
        text.parse().map_err(|error| InvalidClient(format!("`{text}` is {error}")))?;
    let own = settings
        .scope()
        .matches(scope.as_str())
        .filter(|found| found.tenant.is_some_and(|named| *tenant == *named));
    Ok(own.map_or(scope.as_str(), |found| found.scope).to_owned())
}

/// Refuses an audience that a client of `tenant` cannot have.
pub(crate) fn check_audience(
    tenant: &TenantId,
    audience: &str,
    settings: &Settings,
) -> Result<(), InvalidClient> {
    match settings.match_audience(audience) {
        Some(Match::Exact) => Ok(()),
        Some(Match::Tenant(named)) if *tenant == *named => Ok(()),
        Some(Match::Tenant(other)) => Err(InvalidClient(format!(
            "the audience `{audience}` is {other}'s: a client of {tenant} cannot have it"
        ))),
        None => {
            let known: Vec<_> = settings.audiences_of(tenant).collect();
            Err(InvalidClient(format!(
                "the audience `{audience}` is not one of this issuer: those of {tenant} are `{}`",
                known.join("`, `")
            )))
        }
    }
}

pub(crate) fn check_grants(grants: Grants) -> Result<(), InvalidClient> {
    if grants.client_credentials {
        return Ok(());
    }
    Err(InvalidClient("without the grant client_credentials it could never obtain a token".into()))
}

fn new_secret(
    auth: impl FnOnce(crate::secret::SecretHash) -> ClientAuth,
) -> Result<(ClientAuth, Option<Secret>), InvalidClient> {
    let secret = Secret::generate().map_err(|error| InvalidClient(error.to_string()))?;
    Ok((auth(secret.hash()), Some(secret)))
}

/// 128 random bits. They may start with `-`, which a command line takes for an option, so there is
/// a letter before them.
fn random_id() -> Result<ClientId, InvalidClient> {
    let bytes: [u8; 16] = random().map_err(|error| InvalidClient(error.to_string()))?;
    let text = format!("c{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    text.parse().map_err(|error| InvalidClient(format!("{error}")))
}

/// Private members would be stored, and are none of ours.
pub(crate) fn check_keys(jwks: &str) -> Result<(), InvalidClient> {
    let refuse =
        |problem: String| Err(InvalidClient(format!("the keys cannot be used: {problem}")));
    if jwks.len() > 64 * 1024 {
        return refuse("a key set has at most 64 KiB".into());
    }
    let Ok(Value::Object(document)) = serde_json::from_str::<Value>(jwks) else {
        return refuse("this is not a JWK Set: an object with `keys`".into());
    };
    let keys = document.get("keys").and_then(Value::as_array);
    let count = keys.map_or(0, Vec::len);
    if count > MOST_KEYS {
        return refuse(format!("there are {count}, and a client has {MOST_KEYS} at most"));
    }
    let secret = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    let is_secret = |key: &Value| secret.iter().any(|member| key.get(member).is_some());
    if keys.is_some_and(|keys| keys.iter().any(is_secret)) {
        return refuse("a key is private: register the public ones only".into());
    }
    match KeySet::parse(jwks.as_bytes()) {
        Err(error) => refuse(error.to_string()),
        Ok(_) if keys.is_none_or(Vec::is_empty) => refuse("there is none".into()),
        Ok(set) => match set.skipped().first() {
            Some(skipped) => refuse(format!("keys[{}]: {}", skipped.index(), skipped.reason())),
            None => Ok(()),
        },
    }
}

/// Why a client cannot be registered, or changed. It names no secret and no key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidClient(pub(crate) String);

impl fmt::Display for InvalidClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidClient {}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tenantry_core::Algorithm;
    use tenantry_testkit::SigningKey;

    use super::*;

    const OWN: &str = "https://api.erp.example/tenant1";
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn new() -> NewClient {
        NewClient::of("tenant1".parse().unwrap())
    }

    fn check(new: NewClient) -> Result<(Client, Option<Secret>), String> {
        check_for("https://api.erp.example/{tenant}", new)
    }

    fn check_for(audience: &str, new: NewClient) -> Result<(Client, Option<Secret>), String> {
        let settings = Settings::builder()
            .issuer("https://auth.erp.example")
            .audience(audience)
            .tenant_claims(["customer"]);
        new.check(&settings.build().unwrap(), NOW).map_err(|error| error.to_string())
    }

    fn refused(new: NewClient) -> String {
        check(new).unwrap_err()
    }

    /// The key of RFC 7517, appendix A.1, with other members.
    fn jwks(change: impl FnOnce(&mut Value)) -> String {
        let mut key = json!({
            "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        change(&mut key);
        json!({ "keys": [key] }).to_string()
    }

    #[test]
    fn a_client_is_enabled_and_has_a_random_id_and_a_secret_that_is_not_kept() {
        let (client, secret) = check(new()).unwrap();
        assert!(client.enabled);
        assert_eq!((client.created_at, client.audiences.len(), client.scopes.len()), (NOW, 0, 0));
        assert_eq!((client.id.as_str().len(), client.id.as_str().chars().next()), (23, Some('c')));
        assert_eq!(client.auth, ClientAuth::Basic(secret.unwrap().hash()));
        let (other, secret) = check(new().secret_in_body()).unwrap();
        assert_ne!(other.id, client.id);
        assert_eq!(other.auth, ClientAuth::Post(secret.unwrap().hash()));
        let (client, secret) = check(new().private_key_jwt(jwks(|_| ()))).unwrap();
        assert!(secret.is_none());
        assert_eq!(client.auth, ClientAuth::PrivateKeyJwt { jwks: jwks(|_| ()) });
    }

    #[test]
    fn scopes_are_kept_without_the_tenant_that_the_client_is_of() {
        let scopes = |scope: &str| check(new().scope(scope)).map(|(client, _)| client.scopes);
        for scope in ["journal.read", "tenant1.journal.read"] {
            assert_eq!(scopes(scope).unwrap(), BTreeSet::from(["journal.read".to_owned()]));
        }
        // A plain one may look like this.
        let plain = "tenant2.journal.read";
        assert_eq!(scopes(plain).unwrap(), BTreeSet::from([plain.to_owned()]));
        for text in ["", "a b", "a\"", "ä"] {
            let error = scopes(text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is ")), "{error}");
        }
    }

    #[test]
    fn audiences_are_those_of_the_tenant_or_of_all() {
        let (client, _) = check(new().audience(OWN).audience(OWN)).unwrap();
        assert_eq!(client.audiences, [OWN]);
        let (client, _) = check_for("urn:hub", new().audience("urn:hub")).unwrap();
        assert_eq!(client.audiences, ["urn:hub"]);
        let foreign = "https://api.erp.example/tenant2";
        assert_eq!(
            refused(new().audience(OWN).audience(foreign)),
            format!("the audience `{foreign}` is tenant2's: a client of tenant1 cannot have it")
        );
        assert_eq!(
            refused(new().audience("https://elsewhere.example")),
            format!(
                "the audience `https://elsewhere.example` is not one of this issuer: \
                 those of tenant1 are `{OWN}`"
            )
        );
    }

    #[test]
    fn claims_have_names_that_are_free() {
        let (client, _) = check(new().claim("plan", 7)).unwrap();
        assert_eq!(client.claims["plan"], 7);
        for name in ["customer", "tenant_id", "sub"] {
            let expected = format!("claim `{name}`: the name is reserved; choose another");
            assert_eq!(refused(new().claim(name, "tenant2")), expected);
        }
    }

    #[test]
    fn a_client_without_a_grant_that_gives_a_token_is_refused() {
        let grants = Grants { client_credentials: false, refresh_token: true };
        assert_eq!(
            refused(new().grants(grants)),
            "without the grant client_credentials it could never obtain a token"
        );
        assert!(check(new().grants(Grants { client_credentials: true, ..grants })).is_ok());
    }

    #[test]
    fn keys_are_public_ones_that_assertions_can_be_checked_with() {
        let keys = |jwks: String| check(new().private_key_jwt(jwks)).map(drop);
        let refused = |problem: &str| Err(format!("the keys cannot be used: {problem}"));
        let with = |member: &str, value: Value| jwks(|key| key[member] = value);

        let long = |length: usize| {
            let set = jwks(|_| ());
            format!("{set}{}", " ".repeat(length - set.len()))
        };
        assert_eq!(keys(long(64 * 1024)), Ok(()));
        assert_eq!(keys(long(64 * 1024 + 1)), refused("a key set has at most 64 KiB"));
        for text in ["", "hello", "[]", "1"] {
            let problem = "this is not a JWK Set: an object with `keys`";
            assert_eq!(keys(text.into()), refused(problem), "{text}");
        }
        for member in ["d", "k", "p", "q", "dp", "dq", "qi", "oth"] {
            let problem = "a key is private: register the public ones only";
            assert_eq!(keys(with(member, "AQ".into())), refused(problem), "{member}");
        }
        assert_eq!(keys(r#"{"keys":[]}"#.into()), refused("there is none"));
        let unsupported = "keys[0]: its type is not supported";
        assert_eq!(keys(r#"{"keys":[{"kty":"oct"}]}"#.into()), refused(unsupported));
        for (member, value) in [("crv", json!("P-192")), ("x", json!("AQ")), ("use", json!("enc"))]
        {
            assert!(keys(with(member, value)).is_err(), "{member}");
        }
        assert!(keys("{}".into()).is_err());
    }

    #[test]
    fn a_client_has_eight_keys_at_most() {
        let settings = Settings::builder().issuer("https://auth.erp.example");
        let settings = settings.audience("https://api.erp.example/{tenant}").build().unwrap();
        let key = |at| SigningKey::generate(Algorithm::EdDsa, format!("k{at}")).public_jwk();
        let checked = |count: usize| {
            let keys: Vec<_> = (0..count).map(key).collect();
            let new = NewClient::of("tenant1".parse().unwrap());
            let new = new.private_key_jwt(json!({ "keys": keys }).to_string());
            new.check(&settings, Duration::ZERO).map(drop).map_err(|error| error.to_string())
        };

        assert_eq!(checked(MOST_KEYS), Ok(()));
        let why = "the keys cannot be used: there are 9, and a client has 8 at most";
        assert_eq!(checked(MOST_KEYS + 1), Err(why.to_owned()));
    }
}
