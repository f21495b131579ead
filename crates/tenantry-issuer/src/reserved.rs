//! Claims that a client or a tenant may add to its tokens, and the names that are taken.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// How many bytes the claims of one tenant, or of one client, may have as JSON: 4 KiB.
///
/// With both at the limit, a token still fits into what resource servers take (16 KiB) and most
/// servers' limit on header fields (8 KiB and more) is respected with one of them.
pub const LONGEST_CLAIMS: usize = 4 * 1024;

/// How many bytes the name of a claim may have.
const LONGEST_NAME: usize = 128;

/// Names that somebody gives a meaning to already.
///
/// First those of the [registry of JWT claims], which has those of OAuth and OpenID Connect.
///
/// [registry of JWT claims]: https://www.iana.org/assignments/jwt/jwt.xhtml
const RESERVED: &[&str] = &[
    "_claim_names",
    "_claim_sources",
    "_sd",
    "_sd_alg",
    "...",
    "ace_profile",
    "acr",
    "act",
    "address",
    "also_known_as",
    "amr",
    "at_hash",
    "at_use_nbr",
    "atc",
    "ath",
    "attest",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "bdate",
    "birth_family_name",
    "birth_given_name",
    "birth_middle_name",
    "birthdate",
    "bootcount",
    "bootseed",
    "c_hash",
    "cdnicrit",
    "cdniets",
    "cdniip",
    "cdnistd",
    "cdnistt",
    "cdniuc",
    "cdniv",
    "client_id",
    "cnf",
    "cnonce",
    "constraints",
    "crit",
    "crn",
    "dbgstat",
    "delegation",
    "dest",
    "div",
    "dloas",
    "eat_nonce",
    "eat_profile",
    "email",
    "email_verified",
    "entitlements",
    "events",
    "exi",
    "exp",
    "family_name",
    "gender",
    "geohash",
    "given_name",
    "groups",
    "htm",
    "htu",
    "hwmodel",
    "hwversion",
    "iat",
    "intuse",
    "iss",
    "jcard",
    "jti",
    "jwks",
    "keys",
    "locale",
    "location",
    "logo_uri",
    "manifests",
    "may_act",
    "measres",
    "measurements",
    "metadata",
    "metadata_policy",
    "metadata_policy_crit",
    "middle_name",
    "mky",
    "msgi",
    "msisdn",
    "name",
    "nationalities",
    "nbf",
    "nickname",
    "nonce",
    "oemboot",
    "oemid",
    "opt",
    "orig",
    "origid",
    "phone_number",
    "phone_number_verified",
    "picture",
    "place_of_birth",
    "preferred_username",
    "profile",
    "rcd",
    "rcdi",
    "rdap_allowed_purposes",
    "rdap_dnt_allowed",
    "ref",
    "roles",
    "rph",
    "s_hash",
    "salutation",
    "scope",
    "sd_hash",
    "sid",
    "sig_val_claims",
    "sip_callid",
    "sip_cseq_num",
    "sip_date",
    "sip_from_tag",
    "sip_via_branch",
    "source_endpoint",
    "sph",
    "status",
    "sub",
    "sub_id",
    "sub_jwk",
    "submods",
    "sueids",
    "swname",
    "swversion",
    "title",
    "toe",
    "token_introspection",
    "trust_anchor",
    "trust_chain",
    "trust_mark_issuers",
    "trust_mark_owners",
    "trust_marks",
    "txn",
    "ueid",
    "updated_at",
    "uptime",
    "vc",
    "vct",
    "verified_claims",
    "vot",
    "vp",
    "vtm",
    "website",
    "x5t",
    "zoneinfo",
    // What other authorization servers call a scope, a role, a client or the kind of token, and
    // resource servers look at.
    "appid",
    "authorities",
    "cid",
    "oid",
    "permissions",
    "realm_access",
    "resource_access",
    "role",
    "scopes",
    "scp",
    "token_type",
    "token_use",
    "typ",
    "uid",
    "ver",
    // What they call a tenant.
    "org",
    "org_id",
    "org_name",
    "organisation",
    "organization",
    "organization_id",
    "tenant",
    "tenant_ctx",
    "tenant_id",
    "tenant_name",
    "tenants",
    "tid",
];

static TAKEN: LazyLock<HashSet<String>> =
    LazyLock::new(|| RESERVED.iter().map(|name| plain(name)).collect());

/// Whether a claim `name` has a meaning already: because it is registered for JWT or OAuth, because
/// resource servers look at it, or because it names a tenant, as those of `tenant_claims` do here.
///
/// Names are compared without case, `_` and `-`: some programs take `tenantId` for `tenant_id`.
///
/// ```
/// use tenantry_issuer::is_reserved_claim;
///
/// assert!(is_reserved_claim("scope", &["tenant_id"]));
/// assert!(is_reserved_claim("tenantId", &["customer"]));
/// assert!(is_reserved_claim("customer", &["customer"]));
/// assert!(!is_reserved_claim("cost_center", &["tenant_id"]));
/// ```
#[must_use]
pub fn is_reserved_claim(name: &str, tenant_claims: &[impl AsRef<str>]) -> bool {
    let name = plain(name);
    TAKEN.contains(&name) || tenant_claims.iter().any(|claim| plain(claim.as_ref()) == name)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Checks the claims that are registered for a tenant or a client, which go into its tokens.
///
/// ```
/// use serde_json::json;
/// use tenantry_issuer::check_claims;
///
/// let claims = |json: serde_json::Value| json.as_object().cloned().unwrap_or_default();
///
/// check_claims(&claims(json!({ "cost_center": "4711" })), &["tenant_id"])?;
///
/// let refused = check_claims(&claims(json!({ "tid": "tenant2" })), &["tenant_id"]).unwrap_err();
/// assert_eq!(refused.to_string(), "claim `tid`: the name is reserved; choose another");
/// # Ok::<_, tenantry_issuer::InvalidClaim>(())
/// ```
///
/// # Errors
///
/// If a name is reserved ([`is_reserved_claim`]), empty, longer than 128 bytes or not made of
/// printable ASCII characters; if a number is one that JSON programs read differently; or if all of
/// them together are longer than [`LONGEST_CLAIMS`].
pub fn check_claims(
    claims: &Map<String, Value>,
    tenant_claims: &[impl AsRef<str>],
) -> Result<(), InvalidClaim> {
    for (name, value) in claims {
        let refused = |problem| InvalidClaim { name: name.clone(), problem };
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(InvalidClaim { name: String::new(), problem: ClaimProblem::Name });
        }
        if is_reserved_claim(name, tenant_claims) {
            return Err(refused(ClaimProblem::Reserved));
        }
        if !is_plain(value) {
            return Err(refused(ClaimProblem::Number));
        }
    }
    let length = serde_json::to_vec(claims).map_or(usize::MAX, |json| json.len());
    if length > LONGEST_CLAIMS {
        return Err(InvalidClaim { name: String::new(), problem: ClaimProblem::TooLong(length) });
    }
    Ok(())
}

/// Whether every program reads the numbers in `value` as the same ([RFC 8259 §6]).
///
/// [RFC 8259 §6]: https://www.rfc-editor.org/rfc/rfc8259#section-6
fn is_plain(value: &Value) -> bool {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.unsigned_abs() <= EXACT,
            (None, Some(_)) => false,
            (None, None) => true,
        },
        Value::Array(values) => values.iter().all(is_plain),
        Value::Object(members) => members.values().all(is_plain),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Why a claim cannot be registered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidClaim {
    name: String,
    problem: ClaimProblem,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ClaimProblem {
    Name,
    Number,
    Reserved,
    TooLong(usize),
}

impl fmt::Display for InvalidClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            ClaimProblem::Name => write!(
                f,
                "the name of a claim has 1 to {LONGEST_NAME} printable ASCII characters, no blank"
            ),
            ClaimProblem::Number => write!(
                f,
                "claim `{}`: not every program can read this number; write it as a string",
                self.name
            ),
            ClaimProblem::Reserved => {
                write!(f, "claim `{}`: the name is reserved; choose another", self.name)
            }
            ClaimProblem::TooLong(length) => write!(
                f,
                "the claims have {length} bytes as JSON, and {LONGEST_CLAIMS} are permitted"
            ),
        }
    }
}

impl Error for InvalidClaim {}
