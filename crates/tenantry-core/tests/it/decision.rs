//! `agree` and `admit`: each check, its reason, its status and its place in the order.

use tenantry_core::{
    Directory, IssuerSettings, Policy, PolicyBuilder, Reason, Scope, Standing, StaticDirectory,
    TenantId, TokenFacts, TrustIssuers, Unobserved, VerifiedToken, agree,
};

use crate::{
    ISSUER, Sent, agreed, assert_refused, claim, decided, erp, erp_everywhere, scoped, sent,
    sent_everywhere, token_of,
};

/// An issuer, audience and claim per tenant: three signed sources.
fn signed_thrice() -> PolicyBuilder {
    Policy::builder()
        .issuer(
            IssuerSettings::new("https://login.example/{tenant}")
                .tenant_claims(["tenant_id", "tenant"]),
        )
        .audience("https://api.erp.example/{tenant}")
        .realm("journal")
}

fn from_issuer_of(tenant: &str, facts: TokenFacts) -> TokenFacts {
    TokenFacts {
        issuer: tenantry_core::Issuer::new(format!("https://login.example/{tenant}")),
        ..facts
    }
}

fn for_audiences(audiences: &[&str], facts: TokenFacts) -> TokenFacts {
    TokenFacts { audience: audiences.iter().map(|&audience| audience.into()).collect(), ..facts }
}

fn with_claims(claims: &[(&str, &str)], facts: TokenFacts) -> TokenFacts {
    TokenFacts {
        tenant_claims: claims.iter().map(|(name, value)| claim(name, value)).collect(),
        ..facts
    }
}

#[test]
fn a_request_whose_sources_all_agree_is_admitted_for_their_tenant() {
    let policy = erp_everywhere().build().unwrap();

    let request = decided(&policy, &sent_everywhere("tenant1"), token_of("tenant1")).unwrap();

    assert_eq!(request.tenant().as_str(), "tenant1");
    let agreed = agreed(&policy, &sent_everywhere("tenant1"), token_of("tenant1")).unwrap();
    assert_eq!(agreed.tenant().as_str(), "tenant1");
}

/// The tenant of the issuer, those of the claims and of the audiences, and what comes of it.
type Signed<'a> = (&'a str, &'a [&'a str], &'a [&'a str], Option<Reason>);

#[test]
fn every_pair_of_signed_sources_that_disagree_is_refused() {
    use Reason::{TokenConflictAudience, TokenConflictClaim, TokenConflictIssuer};
    let policy = signed_thrice().build().unwrap();
    // The first source in the order claim, audience, issuer speaks; the later one is the conflict.
    let cases: [Signed<'_>; 9] = [
        ("tenant1", &["tenant1"], &["tenant1"], None),
        ("tenant1", &["tenant1", "tenant1"], &["tenant1", "tenant1"], None),
        ("tenant1", &["tenant1"], &["tenant2"], Some(TokenConflictAudience)),
        ("tenant2", &["tenant1"], &["tenant1"], Some(TokenConflictIssuer)),
        ("tenant2", &["tenant1"], &["tenant2"], Some(TokenConflictAudience)),
        ("tenant1", &["tenant2"], &["tenant1"], Some(TokenConflictAudience)),
        ("tenant1", &["tenant1", "tenant2"], &["tenant1"], Some(TokenConflictClaim)),
        ("tenant1", &["tenant2", "tenant1"], &["tenant1"], Some(TokenConflictClaim)),
        ("tenant1", &["tenant1"], &["tenant1", "tenant2"], Some(TokenConflictAudience)),
    ];
    for (issuer, claims, audiences, conflict) in cases {
        let names = ["tenant_id", "tenant"];
        let claims: Vec<_> = names.into_iter().zip(claims.iter().copied()).collect();
        let audiences: Vec<_> =
            audiences.iter().map(|id| format!("https://api.erp.example/{id}")).collect();
        let audiences: Vec<_> = audiences.iter().map(String::as_str).collect();
        let facts = with_claims(&claims, for_audiences(&audiences, token_of("tenant1")));
        let verdict = decided(&policy, &sent("/"), from_issuer_of(issuer, facts));
        match conflict {
            None => assert_eq!(verdict.unwrap().tenant().as_str(), "tenant1"),
            Some(reason) => assert_refused(verdict, 401, "invalid_token", reason),
        }
    }
}

#[test]
fn every_source_of_a_request_that_names_another_tenant_is_refused() {
    let policy = erp_everywhere().build().unwrap();
    let host = |tenant: &str| format!("{tenant}.api.erp.example");
    let request = |path: &str, header: &str, at: &str| {
        sent(&format!("/{path}/journal-entries"))
            .with("x-tenant-id", header)
            .with("host", &host(at))
    };
    for (sent, reason) in [
        (request("tenant2", "tenant1", "tenant1"), Reason::TenantMismatchPath),
        (request("tenant1", "tenant2", "tenant1"), Reason::TenantMismatchHeader),
        (request("tenant1", "tenant1", "tenant2"), Reason::TenantMismatchHost),
        // Several at once: path, then header, then host.
        (request("tenant2", "tenant2", "tenant2"), Reason::TenantMismatchPath),
        (request("tenant1", "tenant2", "tenant2"), Reason::TenantMismatchHeader),
        // Sources that agree with each other do not outvote the token.
        (request("tenant2", "tenant2", "tenant1"), Reason::TenantMismatchPath),
    ] {
        let verdict = decided(&policy, &sent, token_of("tenant1"));
        assert_eq!(
            verdict.as_ref().err().and_then(|r| r.tenant()).map(|t| t.as_str()),
            Some("tenant1")
        );
        assert_refused(verdict, 403, "insufficient_scope", reason);
    }
}

#[test]
fn every_pair_of_a_signed_and_an_unsigned_source_that_disagree_is_refused() {
    // Each signed source alone, against each unsigned source alone.
    let plain_audience = "https://api.erp.example";
    let signed: [(&str, PolicyBuilder, TokenFacts); 3] = [
        (
            "claim",
            Policy::builder().issuer(ISSUER).audience(plain_audience),
            for_audiences(&[plain_audience], token_of("tenant1")),
        ),
        (
            "audience",
            Policy::builder()
                .issuer(IssuerSettings::new(ISSUER).tenant_claims::<&str>([]))
                .audience("https://api.erp.example/{tenant}"),
            with_claims(&[], token_of("tenant1")),
        ),
        (
            "issuer",
            Policy::builder()
                .issuer(
                    IssuerSettings::new("https://login.example/{tenant}").tenant_claims::<&str>([]),
                )
                .audience(plain_audience),
            from_issuer_of(
                "tenant1",
                with_claims(&[], for_audiences(&[plain_audience], token_of("tenant1"))),
            ),
        ),
    ];
    type Place = (fn(PolicyBuilder) -> PolicyBuilder, fn(&str) -> Sent, Reason);
    let unsigned: [Place; 3] = [
        (
            |builder| builder.tenant_path("/{tenant}/{*rest}"),
            |tenant| sent(&format!("/{tenant}/x")),
            Reason::TenantMismatchPath,
        ),
        (
            |builder| builder.tenant_header("x-tenant-id"),
            |tenant| sent("/").with("x-tenant-id", tenant),
            Reason::TenantMismatchHeader,
        ),
        (
            |builder| builder.tenant_host("{tenant}.api.erp.example"),
            |tenant| sent("/").with("host", &format!("{tenant}.api.erp.example")),
            Reason::TenantMismatchHost,
        ),
    ];
    for (name, builder, facts) in signed {
        for (configure, request, reason) in unsigned {
            let policy = configure(builder.clone().realm("journal")).build().unwrap();
            let admitted = decided(&policy, &request("tenant1"), facts.clone());
            assert_eq!(admitted.unwrap().tenant().as_str(), "tenant1", "{name}");
            let refused = decided(&policy, &request("tenant2"), facts.clone());
            assert_refused(refused, 403, "insufficient_scope", reason);
        }
    }
}

#[test]
fn a_required_source_that_is_absent_is_refused_and_an_optional_one_is_not() {
    let required = || erp_everywhere().required_sources(["header"]).build().unwrap();
    let whole = || sent_everywhere("tenant1");
    let without = |name: &str| {
        let mut sent = whole();
        sent.headers.remove(name);
        sent
    };
    let elsewhere =
        || sent("/tenant1/x").with("x-tenant-id", "tenant1").with("host", "api.erp.example");
    let rootless = || Sent { uri: "/".parse().unwrap(), ..whole() };

    for (sent, reason) in [
        (rootless(), Reason::TenantMissingPath),
        (without("x-tenant-id"), Reason::TenantMissingHeader),
        (elsewhere(), Reason::TenantMissingHost),
    ] {
        let verdict = decided(&required(), &sent, token_of("tenant1"));
        assert_refused(verdict, 400, "invalid_request", reason);
    }
    let header_optional = erp_everywhere().build().unwrap();
    assert!(decided(&header_optional, &without("x-tenant-id"), token_of("tenant1")).is_ok());
    let host_optional = erp_everywhere().optional_sources(["host"]).build().unwrap();
    assert!(decided(&host_optional, &elsewhere(), token_of("tenant1")).is_ok());
    // Optional is not ignored: a host that does match has to agree.
    let other = sent("/tenant1/x").with("host", "tenant2.api.erp.example");
    let verdict = decided(&host_optional, &other, token_of("tenant1"));
    assert_refused(verdict, 403, "insufficient_scope", Reason::TenantMismatchHost);
}

#[test]
fn a_path_too_short_for_its_pattern_names_no_tenant() {
    let policy = erp().tenant_path("/v1/{tenant}/{*rest}").build().unwrap();
    for path in
        ["/", "/v1", "/v1/tenant1", "/v1/tenant1/", "/tenant1/x", "/v1/-x/y", "/V1/tenant1/x", "*"]
    {
        let verdict = decided(&policy, &sent(path), token_of("tenant1"));
        assert_refused(verdict, 400, "invalid_request", Reason::TenantMissingPath);
    }
    assert!(decided(&policy, &sent("/v1/tenant1/x?y=z"), token_of("tenant1")).is_ok());
}

#[test]
fn a_tenant_claim_that_is_configured_is_required() {
    let policy = signed_thrice().build().unwrap();
    for claims in [&[][..], &[("org_id", "tenant1")]] {
        let facts = from_issuer_of("tenant1", with_claims(claims, token_of("tenant1")));
        assert_refused(
            decided(&policy, &sent("/"), facts),
            401,
            "invalid_token",
            Reason::ClaimMissing,
        );
    }
    // One of several will do, and one that is not configured is nothing.
    let facts = with_claims(&[("tenant", "tenant1"), ("org_id", "tenant2")], token_of("tenant1"));
    assert!(decided(&policy, &sent("/"), from_issuer_of("tenant1", facts)).is_ok());
}

#[test]
fn a_tenant_claim_that_is_no_tenant_id_is_refused_and_never_made_to_fit() {
    let policy = erp().build().unwrap();
    let long = "a".repeat(129);
    for value in [
        "",
        " tenant1",
        "tenant1 ",
        "tenant1,tenant2",
        "-tenant1",
        "t\u{e9}nant1",
        "tenant1\0",
        &long,
    ] {
        let facts = with_claims(&[("tenant_id", value)], token_of("tenant1"));
        assert_refused(
            decided(&policy, &sent("/"), facts),
            401,
            "invalid_token",
            Reason::ClaimMalformed,
        );
    }
    // Not even next to a good one.
    let facts =
        with_claims(&[("tenant_id", "tenant1"), ("tenant_id", "Tenant 1")], token_of("tenant1"));
    assert_refused(
        decided(&policy, &sent("/"), facts),
        401,
        "invalid_token",
        Reason::ClaimMalformed,
    );
}

#[test]
fn audiences_that_do_not_match_are_ignored_but_one_has_to() {
    let policy = erp().build().unwrap();
    let elsewhere = "https://billing.example";
    let mine = "https://api.erp.example/tenant1";
    for audiences in [&[mine, elsewhere][..], &[elsewhere, mine], &[mine, mine]] {
        let verdict = decided(&policy, &sent("/"), for_audiences(audiences, token_of("tenant1")));
        assert_eq!(verdict.unwrap().tenant().as_str(), "tenant1");
    }
    for audiences in [
        &[][..],
        &[elsewhere],
        &["https://api.erp.example/"],
        &["https://api.erp.example/tenant1/"],
        &["https://api.erp.example/tenant1/x"],
        &["xhttps://api.erp.example/tenant1"],
        &["https://API.erp.example/tenant1"],
    ] {
        let verdict = decided(&policy, &sent("/"), for_audiences(audiences, token_of("tenant1")));
        assert_refused(verdict, 401, "invalid_token", Reason::AudienceMismatch);
    }
    let two = [mine, "https://api.erp.example/tenant2"];
    let verdict = decided(&policy, &sent("/"), for_audiences(&two, token_of("tenant1")));
    assert_refused(verdict, 401, "invalid_token", Reason::TokenConflictAudience);
}

#[test]
fn an_audience_without_a_tenant_has_to_match_too() {
    let policy = Policy::builder()
        .issuer(ISSUER)
        .audience("https://api.erp.example")
        .audience("urn:erp")
        .realm("journal")
        .build()
        .unwrap();
    for audiences in [&["https://api.erp.example"][..], &["urn:erp", "x"]] {
        assert!(
            decided(&policy, &sent("/"), for_audiences(audiences, token_of("tenant1"))).is_ok()
        );
    }
    let verdict = decided(&policy, &sent("/"), token_of("tenant1"));
    assert_refused(verdict, 401, "invalid_token", Reason::AudienceMismatch);
}

#[test]
fn an_issuer_speaks_for_its_listed_tenants_only() {
    let policy = Policy::builder()
        .issuer(IssuerSettings::new(ISSUER).tenants(["tenant1", "tenant2"]))
        .issuer(IssuerSettings::new("https://other.example").tenants(["tenant3"]))
        .audience("https://api.erp.example/{tenant}")
        .realm("journal")
        .build()
        .unwrap();
    assert!(decided(&policy, &sent("/"), token_of("tenant2")).is_ok());
    for tenant in ["tenant3", "tenant4", "tenant", "tenant11", "Tenant1"] {
        let verdict = decided(&policy, &sent("/"), token_of(tenant));
        assert_refused(verdict, 401, "invalid_token", Reason::TenantNotOfIssuer);
    }
}

#[test]
fn a_token_of_an_issuer_that_the_policy_does_not_have_is_refused() {
    let policy = signed_thrice().build().unwrap();
    for issuer in ["tenant1/", "", "tenant1/x", "ten.ant1"] {
        let verdict = decided(&policy, &sent("/"), from_issuer_of(issuer, token_of("tenant1")));
        assert_refused(verdict, 401, "invalid_token", Reason::IssuerUnknown);
    }
}

#[test]
fn authentication_is_judged_before_the_request_and_absence_before_difference() {
    let policy =
        erp_everywhere().required_sources(["header"]).refuse_foreign_scopes().build().unwrap();
    let conflict = || for_audiences(&["https://api.erp.example/tenant2"], token_of("tenant1"));
    let foreign = || scoped("tenant1", "tenant2.finance.write");
    let other_path = || {
        sent("/tenant2/x").with("x-tenant-id", "tenant1").with("host", "tenant1.api.erp.example")
    };
    let other_path_without_header = || sent("/tenant2/x").with("host", "tenant1.api.erp.example");
    let no_path_other_header =
        || sent("/").with("x-tenant-id", "tenant2").with("host", "tenant1.api.erp.example");

    for (sent, facts, status, error, reason) in [
        (other_path(), conflict(), 401, "invalid_token", Reason::TokenConflictAudience),
        (no_path_other_header(), conflict(), 401, "invalid_token", Reason::TokenConflictAudience),
        (other_path(), foreign(), 401, "invalid_token", Reason::ScopeForeign),
        (no_path_other_header(), foreign(), 401, "invalid_token", Reason::ScopeForeign),
        (
            no_path_other_header(),
            token_of("tenant1"),
            400,
            "invalid_request",
            Reason::TenantMissingPath,
        ),
        (
            other_path_without_header(),
            token_of("tenant1"),
            400,
            "invalid_request",
            Reason::TenantMissingHeader,
        ),
        (other_path(), token_of("tenant1"), 403, "insufficient_scope", Reason::TenantMismatchPath),
    ] {
        assert_refused(decided(&policy, &sent, facts), status, error, reason);
    }
}

#[test]
fn what_was_verified_or_read_under_another_policy_is_judged_by_none() {
    let (first, second) = (erp().build().unwrap(), erp().build().unwrap());
    let token = || VerifiedToken::assert_verified(&first, token_of("tenant1"));
    let request = sent("/");
    let (of_first, of_second) = (request.read(&first).unwrap(), request.read(&second).unwrap());

    for (policy, facts) in [(&second, &of_second), (&second, &of_first), (&first, &of_second)] {
        let rejection = agree(policy, facts, token(), &mut Unobserved).unwrap_err();
        assert_eq!(rejection.reason(), Reason::Misconfigured);
        assert_eq!(rejection.status(), 500);
        assert!(rejection.challenge().is_none());
        assert_eq!(rejection.tenant(), None);
    }
    // A clone is the same policy.
    assert!(agree(&first.clone(), &of_first, token(), &mut Unobserved).is_ok());
}

#[test]
fn only_an_active_tenant_is_admitted() {
    let policy = erp().build().unwrap();
    for (standing, reason) in
        [(Standing::Suspended, Reason::TenantSuspended), (Standing::Unknown, Reason::TenantUnknown)]
    {
        let agreed = agreed(&policy, &sent("/"), token_of("tenant1")).unwrap();
        let verdict = agreed.admit(standing, &mut Unobserved);
        assert_eq!(
            verdict.as_ref().err().and_then(|r| r.tenant()).map(|t| t.as_str()),
            Some("tenant1")
        );
        assert_refused(verdict, 403, "insufficient_scope", reason);
    }
}

#[test]
fn a_directory_that_cannot_be_asked_is_a_503_of_the_policy_and_the_tenant() {
    let policy = erp().problem_details(false).build().unwrap();
    let agreed = agreed(&policy, &sent("/"), token_of("tenant1")).unwrap();

    let rejection = agreed.refuse(tenantry_core::Rejection::new(Reason::DirectoryUnavailable));

    assert_eq!(rejection.status(), 503);
    assert_eq!(rejection.tenant().map(|tenant| tenant.as_str()), Some("tenant1"));
    assert!(rejection.to_response().body().is_empty(), "the policy's answer explains nothing");
}

#[test]
fn the_answer_for_a_foreign_tenant_is_the_same_whether_it_exists_or_not() {
    let policy = erp_everywhere().build().unwrap();
    let active = |id: &str| (id.parse().unwrap(), Standing::Active);
    let directory = StaticDirectory::new([
        active("tenant1"),
        active("exists"),
        ("suspended".parse().unwrap(), Standing::Suspended),
    ])
    .unwrap();
    // As a layer goes about it: the directory is asked for the tenant that was agreed on.
    let answer = |tenant: &str, sent: Sent| {
        let rejection = agreed(&policy, &sent, token_of("tenant1"))
            .and_then(|agreed| {
                let standing = directory.cached(agreed.tenant()).unwrap();
                agreed.admit(standing, &mut Unobserved)
            })
            .unwrap_err();
        let response = rejection.to_response();
        let text = format!("{:?} {:?}", response.headers(), response.body());
        assert!(!text.contains(tenant));
        (response.status(), text, rejection.to_string())
    };
    const OWN: &str = "tenant1.api.erp.example";
    let places: [fn(&str) -> Sent; 3] = [
        |tenant| sent(&format!("/{tenant}/x")).with("host", OWN),
        |tenant| sent("/tenant1/x").with("x-tenant-id", tenant).with("host", OWN),
        |tenant| sent("/tenant1/x").with("host", &format!("{tenant}.api.erp.example")),
    ];
    for place in places {
        let missing = answer("missing", place("missing"));
        assert_eq!(missing.0, 403);
        assert_eq!(missing, answer("exists", place("exists")));
        assert_eq!(missing, answer("suspended", place("suspended")));
    }
}

#[test]
fn a_directory_says_how_tenants_stand() {
    let id = |id: &str| id.parse::<TenantId>().unwrap();
    let list = |tenants: &[(&str, Standing)]| {
        StaticDirectory::new(tenants.iter().map(|(tenant, standing)| (id(tenant), *standing)))
    };
    for twice in ["a", "A"] {
        let error = list(&[("a", Standing::Active), (twice, Standing::Suspended)]).unwrap_err();
        assert_eq!(error.setting(), "directory.tenant");
        assert!(error.problem().contains("only in case"), "{error}");
    }
    let list = list(&[("a", Standing::Active), ("b", Standing::Suspended)]).unwrap();
    let mut known = list.known_at_start();
    known.sort();
    assert_eq!(known, [id("a"), id("b")]);
    assert!(TrustIssuers.known_at_start().is_empty());
    assert_eq!(list.cached(&id("a")), Some(Standing::Active));
    assert_eq!(list.cached(&id("b")), Some(Standing::Suspended));
    assert_eq!(list.cached(&id("A")), Some(Standing::Unknown));
    // INVARIANT (no network for strangers): only the trusting one knows nobody by itself.
    assert!(!list.trusts_issuers());
    assert_eq!(TrustIssuers.cached(&id("a")), Some(Standing::Active));
    assert!(TrustIssuers.trusts_issuers());
}

#[test]
fn one_token_serves_many_requests_and_each_is_judged_anew() {
    let policy = erp().tenant_path("/{tenant}/{*rest}").build().unwrap();
    let token = VerifiedToken::assert_verified(&policy, token_of("tenant1"));
    let judge = |path: &str| {
        let sent = sent(path);
        let request = sent.read(&policy).unwrap().into_owned();
        agree(&policy, &request, token.clone(), &mut Unobserved)
            .map(|agreed| agreed.tenant().clone())
    };
    assert_eq!(judge("/tenant1/x").unwrap().as_str(), "tenant1");
    assert_refused(judge("/tenant2/x"), 403, "insufficient_scope", Reason::TenantMismatchPath);
    assert_eq!(judge("/tenant1/y").unwrap().as_str(), "tenant1");
}

#[test]
fn the_empty_scope_is_no_obstacle_to_agreement() {
    let policy = erp().refuse_foreign_scopes().build().unwrap();
    let facts = TokenFacts { scope: Scope::parse("").unwrap(), ..token_of("tenant1") };
    assert!(decided(&policy, &sent("/"), facts).is_ok());
}
