//! What the scopes of a token are to a tenant, and `require`.

use tenantry_core::{PolicyBuilder, Reason, ScopeNeed, TenantAwareRequest};

use crate::{assert_refused, decided, erp, scoped, sent};

fn holding(builder: PolicyBuilder, tenant: &str, scope: &str) -> TenantAwareRequest {
    let policy = builder.build().unwrap();
    decided(&policy, &sent("/"), scoped(tenant, scope)).unwrap()
}

fn scopes(builder: PolicyBuilder, tenant: &str, scope: &str) -> Vec<String> {
    holding(builder, tenant, scope).scopes().map(Into::into).collect()
}

#[test]
fn handlers_see_the_scopes_of_the_proven_tenant_without_its_prefix() {
    let token = "openid tenant1.finance.write tenant2.journal.read tenant10.a tenant1.b finance.write tenant1.";
    assert_eq!(scopes(erp(), "tenant1", token), ["finance.write", "b"]);
    assert_eq!(scopes(erp(), "tenant10", token), ["a"]);
    assert_eq!(scopes(erp(), "tenant3", token), [""; 0]);
}

#[test]
fn plain_scopes_count_where_the_policy_lets_them() {
    assert_eq!(
        scopes(erp().scope("{scope}"), "tenant1", "journal.read tenant2.journal.read"),
        ["journal.read", "tenant2.journal.read"]
    );
    let migrating = || erp().plain_scopes(["finance.write"]);
    assert_eq!(
        scopes(migrating(), "tenant1", "finance.write finance.read tenant1.journal.read"),
        ["finance.write", "journal.read"]
    );
}

#[test]
fn a_plain_scope_that_reads_as_the_tenants_own_is_refused() {
    let policy = erp().plain_scopes(["finance.write"]).build().unwrap();
    let verdict = decided(&policy, &sent("/"), scoped("finance", "finance.write"));
    assert_refused(verdict, 401, "invalid_token", Reason::ScopeAmbiguous);
    // Its own scopes that are not listed stay its own.
    assert!(decided(&policy, &sent("/"), scoped("finance", "finance.read")).is_ok());
    assert!(decided(&policy, &sent("/"), scoped("finance2", "finance.write")).is_ok());
}

#[test]
fn a_scope_of_another_tenant_refuses_the_token_only_in_strict_mode() {
    let token = || scoped("tenant1", "tenant1.a tenant2.a");
    let ignoring = erp().build().unwrap();
    assert!(decided(&ignoring, &sent("/"), token()).is_ok());
    let strict = erp().refuse_foreign_scopes().build().unwrap();
    assert_refused(
        decided(&strict, &sent("/"), token()),
        401,
        "invalid_token",
        Reason::ScopeForeign,
    );
    // What is nobody's is not another's.
    assert!(decided(&strict, &sent("/"), scoped("tenant1", "openid tenant1.a")).is_ok());
}

#[test]
fn a_missing_scope_is_a_403_that_names_what_is_needed_as_tokens_write_it() {
    let request = holding(erp(), "tenant1", "tenant1.journal.read");
    let challenge = |need: &ScopeNeed| {
        let rejection = request.require(need).unwrap_err();
        assert_eq!(rejection.reason(), Reason::ScopeMissing);
        assert_eq!(rejection.status(), 403);
        assert_eq!(rejection.tenant().map(|tenant| tenant.as_str()), Some("tenant1"));
        rejection.challenge().unwrap().to_string()
    };
    let start = r#"Bearer realm="journal", error="insufficient_scope", error_description="the access token lacks a scope of its tenant", "#;
    assert_eq!(
        challenge(&ScopeNeed::all(&["finance.write", "journal.create"])),
        format!(r#"{start}scope="tenant1.finance.write tenant1.journal.create""#)
    );
    assert_eq!(
        challenge(&ScopeNeed::all(&["journal.read", "journal.create"])),
        format!(r#"{start}scope="tenant1.journal.read tenant1.journal.create""#)
    );
    assert_eq!(challenge(&ScopeNeed::any(&["a", "b"])), format!(r#"{start}scope="tenant1.a""#));
    let lists = ScopeNeed::from_lists([vec!["a", "b"], vec!["c"]]).unwrap();
    assert_eq!(challenge(&lists), format!(r#"{start}scope="tenant1.a tenant1.b""#));
    assert!(request.require(&ScopeNeed::any(&["a", "journal.read"])).is_ok());
}

#[test]
fn without_a_tenant_in_the_pattern_the_challenge_names_plain_scopes() {
    let request = holding(erp().scope("{scope}").problem_details(false), "tenant1", "a");
    let rejection = request.require(&ScopeNeed::all(&["journal.read"])).unwrap_err();
    assert_eq!(
        rejection.challenge().unwrap().to_string(),
        r#"Bearer realm="journal", error="insufficient_scope", scope="journal.read""#
    );
}

#[test]
fn only_a_whole_scope_of_this_tenant_satisfies_a_need() {
    let need = ScopeNeed::all(&["journal.read"]);
    assert!(holding(erp(), "tenant1", "tenant1.journal.read").require(&need).is_ok());
    for held in [
        "",
        "journal.read",
        "tenant2.journal.read",
        "tenant10.journal.read",
        "tenant.journal.read",
        "Tenant1.journal.read",
        "tenant1.journal",
        "tenant1.journal.read.all",
        "tenant1.journal.Read",
        "tenant1.tenant1.journal.read",
        "tenant1.tenant2.journal.read",
        "tenant1:journal.read",
    ] {
        let request = holding(erp(), "tenant1", held);
        assert!(!request.has_scope("journal.read"), "{held}");
        assert_eq!(request.require(&need).unwrap_err().reason(), Reason::ScopeMissing, "{held}");
    }
}
