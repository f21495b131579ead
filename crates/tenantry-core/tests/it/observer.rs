//! What the observer is told: the table behind a verdict.

use tenantry_core::{
    IssuerSettings, Policy, Reason, Recording, ScopeNeed, Source, Standing, TokenFacts, Verdict,
};

use crate::{claim, erp_everywhere, scoped, sent, sent_everywhere, token_of, watched};

type Told<'a> = (Source, Option<&'a str>, &'a str, Verdict);

fn told(table: &Recording) -> Vec<Told<'_>> {
    table
        .rows()
        .iter()
        .map(|row| (row.source, row.named.as_deref(), row.origin.as_str(), row.verdict))
        .collect()
}

#[test]
fn it_is_told_every_check_in_the_order_of_the_decision() {
    use Verdict::{Fails, Holds, Ignored};
    let policy = Policy::builder()
        .issuer(IssuerSettings::new("https://login.example/{tenant}").tenants(["tenant1"]))
        .audience("https://api.erp.example/{tenant}")
        .tenant_path("/{tenant}/{*rest}")
        .tenant_header("x-tenant-id")
        .tenant_host("{tenant}.api.erp.example")
        .build()
        .unwrap();
    let facts = TokenFacts {
        issuer: tenantry_core::Issuer::new("https://login.example/tenant1"),
        ..scoped("tenant1", "tenant1.journal.read tenant2.journal.read openid")
    };
    let request = sent("/tenant1/x").with("host", "tenant1.api.erp.example");

    let (verdict, mut table) = watched(&policy, &request, facts, Standing::Active);

    let request = verdict.unwrap();
    let need = ScopeNeed::all(&["journal.read", "journal.create"]);
    assert!(request.require_observed(&need, &mut table).is_err());
    let tenant1 = Some("tenant1");
    let issuer = "https://login.example/{tenant}";
    assert_eq!(
        told(&table),
        [
            (Source::Claim, tenant1, "tenant_id", Holds),
            (Source::Audience, tenant1, "https://api.erp.example/{tenant}", Holds),
            (Source::Issuer, tenant1, issuer, Holds),
            (Source::IssuerTenants, tenant1, issuer, Holds),
            (Source::Scope, Some("tenant1.journal.read"), "{tenant}.{scope}", Holds),
            (Source::Scope, Some("tenant2.journal.read"), "{tenant}.{scope}", Ignored),
            (Source::Scope, Some("openid"), "{tenant}.{scope}", Ignored),
            (Source::Header, None, "x-tenant-id", Ignored),
            (Source::Path, tenant1, "/{tenant}/{*rest}", Holds),
            (Source::Host, tenant1, "{tenant}.api.erp.example", Holds),
            (Source::Directory, tenant1, "standing", Holds),
            (Source::Scope, Some("journal.read"), "required", Holds),
            (Source::Scope, Some("journal.create"), "required", Fails(Reason::ScopeMissing)),
        ]
    );
}

#[test]
fn it_is_told_what_came_after_the_first_failure_too() {
    let policy = erp_everywhere().build().unwrap();
    let request =
        sent("/tenant2/x").with("x-tenant-id", "tenant3").with("host", "tenant1.api.erp.example");
    let (verdict, table) = watched(&policy, &request, token_of("tenant1"), Standing::Active);
    assert_eq!(verdict.unwrap_err().reason(), Reason::TenantMismatchPath);
    let failures: Vec<_> = table
        .rows()
        .iter()
        .filter(|row| matches!(row.verdict, Verdict::Fails(_)))
        .map(|row| row.source)
        .collect();
    assert_eq!(failures, [Source::Path, Source::Header]);
}

#[test]
fn absent_signed_sources_are_rows_of_their_own() {
    let policy = crate::erp().build().unwrap();
    let facts =
        TokenFacts { audience: vec!["x".into()], tenant_claims: vec![], ..token_of("tenant1") };
    let (verdict, table) = watched(&policy, &sent("/"), facts, Standing::Active);
    assert_eq!(verdict.unwrap_err().reason(), Reason::ClaimMissing);
    assert_eq!(
        told(&table),
        [
            (Source::Claim, None, "tenant_id", Verdict::Fails(Reason::ClaimMissing)),
            (Source::Audience, None, "aud", Verdict::Fails(Reason::AudienceMismatch)),
        ]
    );
    let facts = TokenFacts { issuer: tenantry_core::Issuer::new("x"), ..token_of("tenant1") };
    let (_, table) = watched(&policy, &sent("/"), facts, Standing::Active);
    assert_eq!(
        told(&table),
        [(Source::Issuer, None, "iss", Verdict::Fails(Reason::IssuerUnknown))]
    );
}

#[test]
fn the_table_is_written_in_columns() {
    let policy = erp_everywhere().build().unwrap();
    let (_, table) =
        watched(&policy, &sent_everywhere("tenant1"), token_of("tenant1"), Standing::Suspended);
    assert_eq!(
        table.to_string(),
        "\
source            tenant   where from                        verdict
claim             tenant1  tenant_id                         holds
audience          tenant1  https://api.erp.example/{tenant}  holds
path              tenant1  /{tenant}/{*rest}                 holds
header            tenant1  x-tenant-id                       holds
host              tenant1  {tenant}.api.erp.example          holds
directory         tenant1  standing                          fails: tenant_suspended
"
    );
    let (_, table) =
        watched(&policy, &sent("/tenant1/x").with("host", "x"), token_of("a"), Standing::Active);
    assert!(
        table
            .to_string()
            .contains("header            -        x-tenant-id                       ignored\n")
    );
}

#[test]
fn every_source_has_a_name() {
    let names = [
        (Source::Audience, "audience"),
        (Source::Claim, "claim"),
        (Source::Directory, "directory"),
        (Source::Header, "header"),
        (Source::Host, "host"),
        (Source::Issuer, "issuer"),
        (Source::IssuerTenants, "issuer's tenants"),
        (Source::Path, "path"),
        (Source::Revocations, "revocations"),
        (Source::Scope, "scope"),
    ];
    for (source, name) in names {
        assert_eq!(source.to_string(), name);
    }
}

#[test]

fn a_claim_cannot_write_rows_of_its_own() {
    let policy = crate::erp().build().unwrap();
    let forged = "x\nclaim             tenant1  tenant_id                         holds\u{1b}[2J";
    let facts =
        TokenFacts { tenant_claims: vec![claim("tenant_id", forged)], ..token_of("tenant1") };
    let (_, table) = watched(&policy, &sent("/"), facts, Standing::Active);
    let text = table.to_string();
    assert_eq!(text.lines().count(), table.rows().len() + 1);
    assert!(!text.contains('\u{1b}'));
}

#[test]

fn a_scope_that_is_not_held_never_holds() {
    let policy = crate::erp().build().unwrap();
    let request = crate::decided(&policy, &sent("/"), scoped("tenant1", "tenant1.b")).unwrap();
    let mut table = Recording::default();
    assert!(request.require_observed(&ScopeNeed::any(&["a", "b"]), &mut table).is_ok());
    assert!(!told(&table).contains(&(Source::Scope, Some("a"), "required", Verdict::Holds)));
}
