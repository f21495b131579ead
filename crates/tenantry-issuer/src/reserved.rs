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

/// The [registry of JWT claims] as of 2026-07-20, complete: 163 names in its order. Those of OAuth and
/// OpenID Connect are among them.
///
/// [registry of JWT claims]: https://www.iana.org/assignments/jwt/jwt.xhtml
const OF_JWT: &str = "
    iss sub aud exp nbf iat jti name given_name family_name middle_name nickname
    preferred_username profile picture website email email_verified gender birthdate zoneinfo
    locale phone_number phone_number_verified address updated_at azp nonce auth_time at_hash
    c_hash acr amr sub_jwk cnf sip_from_tag sip_date sip_callid sip_cseq_num sip_via_branch
    orig dest mky events toe txn rph sid vot vtm attest origid act scope client_id may_act
    jcard at_use_nbr div opt vc vp sph ace_profile cnonce exi roles groups entitlements
    token_introspection eat_nonce ueid sueids oemid hwmodel hwversion oemboot dbgstat location
    eat_profile submods uptime bootcount bootseed dloas swname swversion manifests
    measurements measres intuse cdniv cdnicrit cdniip cdniuc cdniets cdnistt cdnistd
    sig_val_claims authorization_details verified_claims place_of_birth nationalities
    birth_family_name birth_given_name birth_middle_name salutation title msisdn also_known_as
    htm htu ath atc sub_id rcd rcdi crn msgi _claim_names _claim_sources rdap_allowed_purposes
    rdap_dnt_allowed geohash _sd ... _sd_alg sd_hash consumerPlmnId consumerSnpnId
    producerPlmnId producerSnpnId producerSnssaiList producerNsiList producerNfSetId
    producerNfServiceSetId sourceNfInstanceId analyticsIdList resOwnerId cmw jwks metadata
    constraints crit ref delegation logo_uri authority_hints trust_anchor_hints trust_marks
    trust_mark_issuers trust_mark_owners metadata_policy metadata_policy_crit source_endpoint
    keys trust_mark_type trust_chain trust_anchor status status_list ttl stpl
";

/// Of OAuth what that registry has not: the other names of [introspection responses], and those
/// [parameters] that would be taken for a credential, or for whom a token is from or for.
///
/// [introspection responses]: https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#token-introspection-response
/// [parameters]: https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#parameters
const OF_OAUTH: &str = "
    active username token_type permissions cti access_token refresh_token id_token expires_in
    issued_token_type audience resource client_secret client_assertion password user_name
    req_cnf rs_cnf dpop_jkt
";

/// What other authorization servers call a scope, a role, a user, a client or the kind of token, and
/// resource servers look at.
const OF_OTHERS: &str = "
    acrs allowed-origins appid appidacr authorities azpacr cid grant_type gty idtyp oid puid
    realm_access resource_access role s_hash scopes scp session_state token_use typ uid
    unique_name upn user_id vct ver wids x5t
";

/// What they call a tenant.
const OF_TENANTS: &str = "
    acct hd org org_code org_id org_name org_permissions org_role org_slug organisation
    organisation_id organisations organization organization_id organization_name organizations
    orgs realm tenant tenant_code tenant_ctry tenant_ctx tenant_domain tenant_id tenant_key
    tenant_name tenant_region_scope tenant_slug tenant_uuid tenants tid tnt zid
";

/// Names below which others have theirs. ASP.NET reads the tenant, the roles and the user from the
/// first two.
const FAMILIES: [&str; 4] =
    ["http://schemas.microsoft.com/", "http://schemas.xmlsoap.org/", "cognito:", "urn:zitadel:"];

static TAKEN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let names = [OF_JWT, OF_OAUTH, OF_OTHERS, OF_TENANTS];
    names.iter().flat_map(|names| names.split_whitespace()).map(plain).collect()
});

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
    TAKEN.contains(&name)
        || FAMILIES.iter().any(|family| name.starts_with(family))
        || tenant_claims.iter().any(|claim| plain(claim.as_ref()) == name)
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
