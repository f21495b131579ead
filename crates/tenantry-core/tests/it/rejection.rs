//! The answer to a refused request: the fields of RFC 6750 and the problem document of RFC 9457.

use std::error::Error;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use tenantry_core::{Reason, Rejection};

use crate::{decided, erp, sent, token_of};

/// Status, and `error` of RFC 6750 section 3.1, for every reason.
fn expected(reason: Reason) -> (u16, Option<&'static str>) {
    match reason.code() {
        "credentials_missing" => (401, None),
        "misconfigured" => (500, None),
        "directory_unavailable" | "keys_unavailable" => (503, None),
        "scope_missing"
        | "tenant_mismatch.header"
        | "tenant_mismatch.host"
        | "tenant_mismatch.path"
        | "tenant_suspended"
        | "tenant_unknown" => (403, Some("insufficient_scope")),
        "credentials_in_query"
        | "credentials_malformed"
        | "credentials_multiple"
        | "header_in_connection"
        | "host_ambiguous"
        | "path_ambiguous"
        | "tenant_malformed.header"
        | "tenant_missing.header"
        | "tenant_missing.host"
        | "tenant_missing.path"
        | "tenant_repeated.header" => (400, Some("invalid_request")),
        _ => (401, Some("invalid_token")),
    }
}

#[test]
fn every_reason_has_the_status_and_the_error_of_its_row() {
    for &reason in Reason::ALL {
        assert_eq!((reason.status().as_u16(), reason.error()), expected(reason), "{reason}");
    }
}

#[test]
fn every_answer_agrees_with_itself() {
    let policy = erp().build().unwrap();
    for &reason in Reason::ALL {
        let response = Rejection::new(reason).under(&policy).to_response();
        let (status, error) = expected(reason);
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());

        assert_eq!(response.status(), status);
        assert_eq!(header(CACHE_CONTROL), Some("no-store"), "{reason}");
        assert_eq!(header(CONTENT_TYPE), Some("application/problem+json"), "{reason}");
        assert_eq!(header(RETRY_AFTER), (status == 503).then_some("5"), "{reason}");
        let challenge = match (status, error) {
            (500 | 503, _) => None,
            (_, None) => Some(r#"Bearer realm="journal""#.to_owned()),
            (_, Some(error)) => Some(format!(
                r#"Bearer realm="journal", error="{error}", error_description="{}""#,
                reason.summary()
            )),
        };
        assert_eq!(header(WWW_AUTHENTICATE), challenge.as_deref(), "{reason}");
        let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem["status"], status, "{reason}");
        assert_eq!(problem["code"], reason.code());
        assert_eq!(problem["title"], reason.summary());
        assert_eq!(problem["detail"], reason.hint());
        assert_eq!(problem["type"], format!("urn:tenantry:rejection:{reason}"));
        assert!(problem.get("scope").is_none());
    }
}

#[test]
fn a_policy_that_explains_nothing_leaves_the_fields_of_the_rfc() {
    let policy = erp().problem_details(false).build().unwrap();
    for &reason in Reason::ALL {
        let response = Rejection::new(reason).under(&policy).to_response();
        assert!(response.body().is_empty());
        assert!(!response.headers().contains_key(CONTENT_TYPE));
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.status(), expected(reason).0);
        if let Some(value) = response.headers().get(WWW_AUTHENTICATE) {
            assert!(!value.to_str().unwrap().contains("error_description"));
        }
    }
}

#[test]
fn a_missing_scope_is_in_the_problem_document_too() {
    let policy = erp().build().unwrap();
    let request = crate::decided(&policy, &crate::sent("/"), crate::token_of("tenant1")).unwrap();
    let need = tenantry_core::ScopeNeed::all(&["journal.read"]);
    let response = request.require(&need).unwrap_err().to_response();
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(problem["scope"], "tenant1.journal.read");
}

#[test]
fn retry_after_is_whole_seconds_rounded_up_and_never_zero() {
    let after = |after| {
        let rejection = Rejection::new(Reason::DirectoryUnavailable).with_retry_after(after);
        rejection.to_response().headers()[RETRY_AFTER].to_str().unwrap().to_owned()
    };
    assert_eq!(after(Duration::ZERO), "1");
    assert_eq!(after(Duration::from_nanos(1)), "1");
    assert_eq!(after(Duration::from_secs(1)), "1");
    assert_eq!(after(Duration::from_millis(1001)), "2");
    assert_eq!(after(Duration::from_secs(30)), "30");
    // It belongs to 503 only.
    let rejection = Rejection::new(Reason::TokenExpired).with_retry_after(Duration::from_secs(1));
    assert!(!rejection.to_response().headers().contains_key(RETRY_AFTER));
}

#[test]
fn retry_after_is_at_most_an_hour() {
    let rejection = Rejection::new(Reason::KeysUnavailable).with_retry_after(Duration::MAX);
    assert_eq!(rejection.to_response().headers()[RETRY_AFTER], "3600");
}

#[test]
fn what_happened_inside_goes_to_the_log_and_not_to_the_caller() {
    let rejection = Rejection::new(Reason::KeysUnavailable).with_source("connection refused");
    assert_eq!(
        rejection.to_string(),
        "keys_unavailable: the keys of the issuer cannot be had, so the access token was not judged"
    );
    assert_eq!(rejection.source().map(ToString::to_string).as_deref(), Some("connection refused"));
    let body = rejection.to_response().into_body();
    assert!(!String::from_utf8_lossy(&body).contains("refused"));
}

#[test]
fn a_refusal_knows_the_issuer_of_the_policy_once_a_token_is_verified() {
    let pattern = "https://login.example/{tenant}";
    let policy = tenantry_core::Policy::builder()
        .issuer(pattern)
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
        .build()
        .unwrap();
    let from = |tenant: &str| tenantry_core::TokenFacts {
        issuer: tenantry_core::Issuer::new(format!("https://login.example/{tenant}")),
        ..token_of("tenant1")
    };
    let mut nobody = from("tenant1");
    nobody.tenant_claims.clear();
    nobody.audience.clear();
    let stranger = token_of("tenant1");
    for (facts, path, reason, issuer) in [
        (nobody, "/tenant1/x", Reason::ClaimMissing, Some(pattern)),
        (from("tenant2"), "/tenant1/x", Reason::TokenConflictIssuer, Some(pattern)),
        (from("tenant1"), "/tenant2/x", Reason::TenantMismatchPath, Some(pattern)),
        (from("tenant1"), "/", Reason::TenantMissingPath, Some(pattern)),
        (stranger, "/tenant1/x", Reason::IssuerUnknown, None),
    ] {
        let rejection = decided(&policy, &sent(path), facts).unwrap_err();
        assert_eq!((rejection.reason(), rejection.issuer()), (reason, issuer));
    }
    // Nothing signed names a tenant, and still it is known who signed.
    let mut nobody = token_of("tenant1");
    nobody.tenant_claims.clear();
    nobody.audience.clear();
    let rejection = decided(&erp().build().unwrap(), &sent("/"), nobody).unwrap_err();
    assert_eq!(rejection.issuer(), Some("https://auth.erp.example"));
    let unread = sent("//").read(&policy).unwrap_err();
    assert_eq!(unread.issuer(), None);
    let admitted = decided(&policy, &sent("/tenant1/x"), from("tenant1")).unwrap();
    assert_eq!(admitted.issuer_index(), Some(0));
}
