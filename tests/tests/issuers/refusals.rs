//! What the pages say that a refused request gets.

use tenantry_tests::Refusal;

pub(crate) fn audience_mismatch() -> Refusal {
    Refusal::invalid_token("audience_mismatch", "the access token is for another audience")
}

pub(crate) fn claim_malformed() -> Refusal {
    let description = "a claim of the access token has the wrong type or form";
    Refusal::invalid_token("claim_malformed", description)
}

pub(crate) fn claim_missing() -> Refusal {
    let description = "the access token lacks a claim that is required of its issuer";
    Refusal::invalid_token("claim_missing", description)
}

pub(crate) fn issuer_conflict() -> Refusal {
    let description =
        "the issuer belongs to another tenant than the rest of the access token names";
    Refusal::invalid_token("token_conflict.issuer", description)
}

pub(crate) fn tenant_not_of_issuer() -> Refusal {
    let description = "the issuer of the access token does not speak for the tenant it names";
    Refusal::invalid_token("tenant_not_of_issuer", description)
}

pub(crate) fn tenant_unknown() -> Refusal {
    let description = "the tenant of the access token is not known here";
    Refusal::insufficient_scope("tenant_unknown", description)
}

pub(crate) fn token_type() -> Refusal {
    Refusal::invalid_token("token_type", "the token is not an access token")
}
