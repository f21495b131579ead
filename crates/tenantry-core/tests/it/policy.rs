//! `PolicyBuilder::build`: what would let one issuer or tenant stand in for another does not start.

use std::time::Duration;

use tenantry_core::{
    Algorithm, IssuerSettings, KeyLocation, Policy, PolicyBuilder, TenantId, TokenProfile,
};

use crate::erp;

fn issuer(name: &str) -> IssuerSettings {
    IssuerSettings::new(name)
}

/// A policy with these issuers only.
fn trusting<const N: usize>(issuers: [IssuerSettings; N]) -> PolicyBuilder {
    issuers
        .into_iter()
        .fold(Policy::builder().audience("https://api.erp.example/{tenant}"), PolicyBuilder::issuer)
}

fn one(settings: IssuerSettings) -> PolicyBuilder {
    trusting([settings])
}

/// Checks that the start fails, naming the setting, and saying something that helps.
#[track_caller]
fn refuses(builder: PolicyBuilder, setting: &str, problem: &str) {
    let error = match builder.build() {
        Ok(policy) => panic!("accepted, instead of a complaint about {setting}: {policy:?}"),
        Err(error) => error,
    };
    assert_eq!(error.setting(), setting, "{error}");
    assert!(error.problem().contains(problem), "{error}");
    assert_eq!(error.to_string(), format!("{setting}: {}", error.problem()));
}

#[track_caller]
fn accepts(builder: PolicyBuilder) -> Policy {
    match builder.build() {
        Ok(policy) => policy,
        Err(error) => panic!("refused: {error}"),
    }
}

const LOGIN: &str = "https://login.example/{tenant}";

#[test]
fn two_issuers_need_lists_or_a_tenant_in_their_name() {
    let listed = || issuer("https://a.example").tenants(["tenant1"]);
    let unlisted = || issuer("https://b.example");
    refuses(trusting([listed(), unlisted()]), "issuer[1].tenants", "list the tenants");
    refuses(trusting([unlisted(), listed()]), "issuer[0].tenants", "list the tenants");
    refuses(
        trusting([unlisted(), issuer("https://c.example")]),
        "issuer[0].tenants",
        "list the tenants",
    );
    accepts(trusting([listed(), unlisted().tenants(["tenant2"])]));
    accepts(one(unlisted()));
    accepts(one(issuer(LOGIN)));
    // A pattern speaks for any tenant, so the other's have to be shared by both.
    let shared = || ["tenant1"];
    accepts(trusting([listed().shared_tenants(shared()), issuer(LOGIN).shared_tenants(shared())]));
}

#[test]
fn no_two_issuers_match_one_iss() {
    let same = "matches the same `iss`";
    // Tenants are shared, so that only the overlap is at fault.
    let all = || ["a", "b", "c", "x"];
    let exact = |name: &str| issuer(name).tenants(["x"]).shared_tenants(all());
    let pattern = |name: &str| issuer(name).shared_tenants(all());
    let listed = |name: &str, tenants: &[&str]| {
        issuer(name).tenants(tenants.iter().copied()).shared_tenants(all())
    };
    let overlapping: [[IssuerSettings; 2]; 7] = [
        [exact("https://login.example/a"), exact("https://login.example/a")],
        [exact("https://login.example/a"), pattern(LOGIN)],
        [exact("https://login.example/a"), listed(LOGIN, &["a", "b"])],
        [pattern(LOGIN), pattern(LOGIN)],
        [pattern(LOGIN), listed(LOGIN, &["a"])],
        [listed(LOGIN, &["a", "b"]), listed(LOGIN, &["b", "c"])],
        // Not the same text: `x-{tenant}` names what `{tenant}` names with another tenant.
        [listed("https://login.example/x-{tenant}", &["a"]), pattern(LOGIN)],
    ];
    for [first, second] in overlapping {
        refuses(trusting([first.clone(), second.clone()]), "issuer[1].issuer", same);
        refuses(trusting([second, first]), "issuer[1].issuer", same);
    }
    let apart: [[IssuerSettings; 2]; 4] = [
        [exact("https://login.example/a"), exact("https://login.example/a/")],
        [exact("https://login.example/a"), listed(LOGIN, &["b", "c"])],
        [exact("https://login.example/a/b"), pattern(LOGIN)],
        [listed(LOGIN, &["a"]), listed(LOGIN, &["b", "c"])],
    ];
    for [first, second] in apart {
        accepts(trusting([first.clone(), second.clone()]));
        accepts(trusting([second, first]));
    }
}

#[test]
fn two_patterns_without_lists_never_stand_side_by_side() {
    let both = [issuer(LOGIN), issuer("https://other.example/{tenant}")];
    refuses(trusting(both.clone()), "issuer[1].tenants", "without lists");
    let [first, second] = both;
    accepts(trusting([first.tenants(["a"]), second.tenants(["b"])]));
}

#[test]
fn an_iss_is_the_issuers_whose_list_it_is_in() {
    let policy = accepts(trusting([
        issuer("https://login.example/fixed").tenants(["x"]),
        issuer("https://a.example/{tenant}").tenants(["a"]),
        issuer("https://b.example/{tenant}/v2").tenants(["b"]),
    ]));
    let found = |iss: &str| {
        policy.issuer_for(iss).map(|found| {
            (found.policy.pattern().as_str().to_owned(), found.tenant.map(ToOwned::to_owned))
        })
    };
    assert_eq!(
        found("https://login.example/fixed"),
        Some(("https://login.example/fixed".into(), None))
    );
    assert_eq!(
        found("https://a.example/a"),
        Some(("https://a.example/{tenant}".into(), Some("a".into())))
    );
    assert_eq!(
        found("https://b.example/b/v2"),
        Some(("https://b.example/{tenant}/v2".into(), Some("b".into())))
    );
    for iss in ["", "https://login.example/fixed/", "https://b.example/b", "https://c.example/a"] {
        assert_eq!(found(iss), None, "{iss}");
    }
}

// INVARIANT (isolation)
#[test]
fn patterns_that_overlap_are_told_apart_by_their_lists() {
    let keys = |of: &str| format!("https://keys.example/{of}/{{tenant}}");
    let first = issuer(LOGIN).tenants(["a"]).jwks_uri(keys("first"));
    let second = issuer(LOGIN).tenants(["b"]).jwks_uri(keys("second"));
    let fixed =
        issuer("https://login.example/c").tenants(["x"]).jwks_uri("https://keys.example/fixed");
    let policy = accepts(trusting([first, second, fixed]));
    let location =
        |iss: &str| policy.issuer_for(iss).map(|found| found.policy.key_location().clone());
    assert_eq!(location("https://login.example/a"), Some(KeyLocation::Uri(keys("first").into())));
    assert_eq!(location("https://login.example/b"), Some(KeyLocation::Uri(keys("second").into())));
    assert_eq!(
        location("https://login.example/c"),
        Some(KeyLocation::Uri("https://keys.example/fixed".into()))
    );
    assert_eq!(location("https://login.example/d"), None);
}

#[test]
fn one_tenant_under_two_issuers_has_to_be_shared_by_both() {
    let first = || issuer("https://a.example").tenants(["tenant1", "both"]);
    let second = || issuer("https://b.example").tenants(["tenant2", "both"]);
    let problem = "`both` would have two issuers";
    refuses(trusting([first(), second()]), "issuer[1].tenants", problem);
    refuses(trusting([first().shared_tenants(["both"]), second()]), "issuer[1].tenants", problem);
    refuses(trusting([first(), second().shared_tenants(["both"])]), "issuer[1].tenants", problem);
    refuses(
        trusting([first().shared_tenants(["tenant1"]), second().shared_tenants(["both"])]),
        "issuer[1].tenants",
        problem,
    );
    accepts(trusting([first().shared_tenants(["both"]), second().shared_tenants(["both"])]));
    // A list beside a pattern: the pattern speaks for all of the list.
    for shared in [[false, false], [true, false], [false, true]] {
        let share = |settings: IssuerSettings, on: bool| match on {
            true => settings.shared_tenants(["tenant1", "both"]),
            false => settings,
        };
        refuses(
            trusting([share(first(), shared[0]), share(issuer(LOGIN), shared[1])]),
            "issuer[1].tenants",
            "would have two issuers",
        );
    }
    // The third is compared with the first as well.
    let third = issuer("https://c.example").tenants(["tenant1"]);
    let issuers = [first(), issuer("https://b.example").tenants(["tenant2"]), third];
    refuses(trusting(issuers), "issuer[2].tenants", "issuer[0]");
}

#[test]
fn one_key_set_for_a_pattern_has_to_be_meant() {
    let pooled = || issuer(LOGIN).jwks_uri("https://login.example/jwks.json");
    refuses(one(pooled()), "issuer[0].jwks_uri", "shared_keys = true");
    accepts(one(pooled().shared_keys(true)));
    accepts(one(issuer(LOGIN).jwks_uri("https://login.example/{tenant}/jwks.json")));
    accepts(one(issuer(LOGIN)));
    for location in [
        KeyLocation::File("keys.json".into()),
        KeyLocation::Jwks("{}".into()),
        KeyLocation::Pem("".into()),
    ] {
        let pooled = issuer(LOGIN).keys(location.clone());
        refuses(one(pooled.clone()), "issuer[0].jwks_file", "shared_keys = true");
        accepts(one(pooled.shared_keys(true)));
        // One issuer has one key set anyway.
        accepts(one(issuer("https://auth.example").keys(location)));
    }
    accepts(one(issuer("https://auth.example").jwks_uri("https://auth.example/jwks")));
    refuses(
        one(issuer("https://auth.example").jwks_uri("https://auth.example/{tenant}")),
        "issuer[0].jwks_uri",
        "the issuer does not",
    );
}

#[test]
fn something_signed_has_to_name_the_tenant() {
    let unclaimed = |name: &str| issuer(name).tenant_claims::<&str>([]);
    let audience = |text: &str| Policy::builder().audience(text);
    let problem = "nothing signed would name the tenant";
    refuses(
        audience("https://api.example").issuer(unclaimed("https://auth.example")),
        "issuer[0].tenant_claim",
        problem,
    );
    refuses(
        audience("https://api.example")
            .issuer(issuer(LOGIN).tenants(["a"]))
            .issuer(unclaimed("https://auth.example").tenants(["b"])),
        "issuer[1].tenant_claim",
        problem,
    );
    accepts(audience("https://api.example/{tenant}").issuer(unclaimed("https://auth.example")));
    accepts(audience("https://api.example").issuer(unclaimed(LOGIN)));
    accepts(audience("https://api.example").issuer("https://auth.example"));
}

#[test]
fn an_audience_is_named_and_either_all_or_none_hold_the_tenant() {
    let setting = "resource_server.audience";
    let policy = || Policy::builder().issuer("https://auth.example");
    refuses(policy(), setting, "name this resource server");
    refuses(policy().audience(""), setting, "name this resource server");
    refuses(policy().audience("urn:a").audience(""), setting, "name this resource server");
    let mixed = "either every audience holds `{tenant}`, or none does";
    refuses(policy().audience("urn:a").audience("urn:a:{tenant}"), setting, mixed);
    refuses(policy().audience("urn:a:{tenant}").audience("urn:a"), setting, mixed);
    refuses(policy().audience("urn:{org}"), setting, "brace");
    refuses(policy().audience("https://{tenant}.example"), setting, "last two labels");
    let both = accepts(policy().audience("urn:a:{tenant}").audience("urn:b:{tenant}"));
    assert!(both.accepts_audience("urn:a:x") && both.accepts_audience("urn:b:x"));
    assert!(!both.accepts_audience("urn:a:") && !both.accepts_audience("urn:c:x"));
    assert_eq!(both.audiences().len(), 2);
    accepts(policy().audience("urn:a").audience("urn:b"));
}

#[test]
fn an_issuer_has_to_be_named() {
    refuses(Policy::builder().audience("urn:a"), "issuer", "at least one");
    refuses(one(issuer("")), "issuer[0].issuer", "empty");
    refuses(one(issuer("https://{org}.example")), "issuer[0].issuer", "brace");
    refuses(one(issuer("https://{tenant}.example")), "issuer[0].issuer", "last two labels");
    refuses(one(issuer("https://{tenant}x.auth.example.com")), "issuer[0].issuer", "no end");
}

#[test]
fn plain_http_is_for_loopback_and_only_when_asked() {
    let keys = |uri: &str| issuer("https://auth.example").jwks_uri(uri);
    for url in [
        "http://127.0.0.1:9000",
        "http://127.0.0.1",
        "http://127.8.9.1/x",
        "http://localhost:9000/jwks.json",
        "http://localhost",
        "http://[::1]:9000/x",
        "http://[::1]",
    ] {
        for (settings, setting) in
            [(issuer(url), "issuer[0].issuer"), (keys(url), "issuer[0].jwks_uri")]
        {
            refuses(one(settings.clone()), setting, "allow_http = true");
            accepts(one(settings.allow_http(true)));
        }
    }
    accepts(one(keys("http://localhost?x").allow_http(true)));
    for url in [
        "http://auth.example",
        "http://auth.example:80/x",
        "http://localhost.example",
        "http://127.0.0.1.auth.example",
        "http://127.0.0.1:80.auth.example",
        "http://128.0.0.1",
        "http://10.0.0.1:9000",
        "http://0.0.0.0",
        "http://[::2]:9000",
        "http://localhost:80:80",
        "http://",
    ] {
        for settings in [issuer(url), issuer(url).allow_http(true)] {
            refuses(one(settings), "issuer[0].issuer", "use https");
        }
        refuses(one(keys(url).allow_http(true)), "issuer[0].jwks_uri", "use https");
    }
}

#[test]
fn keys_are_fetched_from_plain_urls() {
    let keys = |uri: &str| issuer("https://auth.example").jwks_uri(uri).allow_http(true);
    for (url, problem) in [
        ("auth.example", "not an https URL"),
        ("ftp://auth.example", "not an https URL"),
        ("HTTPS://auth.example", "not an https URL"),
        ("//auth.example", "not an https URL"),
        ("file:///etc/keys", "not an https URL"),
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https://user@auth.example", "no user name"),
        ("https://auth.example@evil.example/x", "no user name"),
        ("http://localhost@auth.example", "no user name"),
        ("http://127.0.0.1:80@auth.example", "no user name"),
        ("https://auth.example/x#y", "no fragment"),
        ("https://auth.example/a b", "no blanks"),
        ("https://auth.example/\u{e9}", "no blanks"),
        ("https://auth.example/\n", "no blanks"),
    ] {
        refuses(one(issuer(url).allow_http(true)), "issuer[0].issuer", problem);
        refuses(one(keys(url)), "issuer[0].jwks_uri", problem);
    }
    // What would be another spelling of the same place.
    for (url, problem) in [
        ("https://auth.example:443/jwks", "leave the port out"),
        ("http://127.0.0.1:80/jwks", "leave the port out"),
        ("https://auth.example:0443/jwks", "leave the port out"),
        ("https://auth.example:/jwks", "leave the port out"),
        ("https://AUTH.example/jwks", "lower case"),
        ("https://auth.example./jwks", "lower case, without a dot"),
        ("https://%61uth.example/jwks", "lower case"),
        ("http://127.1/jwks", "use https"),
        ("https://0x7f.1/jwks", "not a name, nor an address"),
        ("https://auth.example/a/../jwks", "write the path plainly"),
        ("https://auth.example//jwks", "write the path plainly"),
        ("https://auth.example/%6Awks", "write the path plainly"),
        ("https://auth.example/jwks?", "write the path plainly"),
    ] {
        refuses(one(keys(url)), "issuer[0].jwks_uri", problem);
    }
    accepts(one(keys("https://auth.example:8443/a/jwks.json?x=y")));
    accepts(one(keys("https://192.0.2.1/jwks")));
    refuses(one(issuer("https://auth.example?x=y")), "issuer[0].issuer", "without a query");
    accepts(one(keys("https://auth.example/jwks?x=y@z")));
    accepts(one(issuer("https://auth.example?x=y").jwks_uri("https://auth.example/jwks")));
    // A fragment is not sent: it would not tell one tenant's keys from another's.
    let fragment = issuer(LOGIN).jwks_uri("https://login.example/jwks#{tenant}");
    refuses(one(fragment), "issuer[0].jwks_uri", "no fragment");
    // Nothing is fetched from an issuer whose keys are here: any `iss` will do.
    accepts(one(issuer("urn:auth").jwks_uri("https://auth.example/jwks")));
    accepts(one(issuer("auth").keys(KeyLocation::File("keys.json".into()))));
}

#[test]
fn two_issuers_have_keys_of_their_own_unless_both_say_otherwise() {
    let listed = |name: &str, tenant: &str| issuer(name).tenants([tenant]);
    let a = || listed("https://a.example", "a");
    let b = || listed("https://b.example", "b");
    let uri = || KeyLocation::Uri("https://keys.example/jwks".into());
    for (location, setting) in [
        (uri(), "issuer[1].jwks_uri"),
        (KeyLocation::File("keys.json".into()), "issuer[1].jwks_file"),
        (KeyLocation::Jwks("{}".into()), "issuer[1].jwks_file"),
        (KeyLocation::Pem("pem".into()), "issuer[1].jwks_file"),
    ] {
        let (a, b) = (a().keys(location.clone()), b().keys(location));
        let problem = "each could sign for the other";
        refuses(trusting([a.clone(), b.clone()]), setting, problem);
        refuses(trusting([a.clone().shared_keys(true), b.clone()]), setting, problem);
        refuses(trusting([a.clone(), b.clone().shared_keys(true)]), setting, problem);
        accepts(trusting([a.shared_keys(true), b.shared_keys(true)]));
    }
    let blank = KeyLocation::Jwks(" {} ".into());
    let jwks = a().keys(KeyLocation::Jwks("{}".into()));
    refuses(trusting([jwks, b().keys(blank)]), "issuer[1].jwks_file", "each could sign");
    accepts(trusting([a().keys(uri()), b()]));
    accepts(trusting([a(), b()]));
    accepts(trusting([a().keys(uri()), b().jwks_uri("https://keys.example/jwks/b")]));
    accepts(trusting([a().keys(uri()), b().keys(KeyLocation::File("keys.json".into()))]));
    // A pattern of keys may name the other's.
    let pattern = |tenant| {
        listed("https://c.example/{tenant}", tenant).jwks_uri("https://keys.example/{tenant}")
    };
    refuses(trusting([a().keys(uri()), pattern("jwks")]), "issuer[1].jwks_uri", "each could sign");
    accepts(trusting([a().keys(uri()), pattern("c")]));
    let other = listed("https://d.example/{tenant}", "d").jwks_uri("https://keys.example/{tenant}");
    accepts(trusting([pattern("c"), other]));
}

#[test]
fn ids_of_two_issuers_differ_in_more_than_case() {
    let listed = |name: &str, tenant: &str| issuer(name).tenants([tenant]);
    let twins = [listed("https://a.example", "acme"), listed("https://b.example", "Acme")];
    refuses(trusting(twins), "issuer[1].tenants", "`Acme` differs from `acme` only in case");
}

#[test]
fn scopes_are_written_in_one_way() {
    let setting = "resource_server.scope";
    for (scope, problem) in [
        ("", "empty"),
        ("{tenant}", "ends with `{scope}`"),
        ("{tenant}.x", "ends with `{scope}`"),
        ("{scope}.{tenant}", "brace"),
        ("{tenant}{scope}", "next hole"),
        ("{tenant}-{scope}", "no end"),
        ("{tenant} {scope}", "no blank"),
        ("\"{scope}", "no blank"),
        ("{org}.{scope}", "brace"),
    ] {
        refuses(erp().scope(scope), setting, problem);
    }
    for scope in ["{scope}", "{tenant}.{scope}", "{tenant}/{scope}", "erp:{tenant}:{scope}"] {
        assert_eq!(accepts(erp().scope(scope)).scope_pattern().as_str(), scope);
    }
}

#[test]
fn plain_scopes_are_for_qualified_ones_and_never_read_as_a_listed_tenants() {
    let setting = "resource_server.plain_scopes";
    refuses(erp().scope("{scope}").plain_scopes(["a"]), setting, "every scope is plain already");
    refuses(
        erp().scope("{scope}").plain_scopes::<&str>([]),
        setting,
        "every scope is plain already",
    );
    refuses(erp().plain_scopes(["a b"]), setting, "not a scope");
    refuses(erp().plain_scopes([""]), setting, "not a scope");
    accepts(erp().plain_scopes(["finance.write"]));

    let listed = |tenants: &[&str]| {
        one(issuer("https://auth.example").tenants(tenants.iter().copied()))
            .plain_scopes(["openid", "finance.write"])
    };
    refuses(listed(&["tenant1", "finance"]), setting, "also a scope of the tenant `finance`");
    refuses(listed(&["finance"]), setting, "listed under issuer[0].tenants");
    accepts(listed(&["tenant1", "finance2", "openid", "Finance"]));
    let second = trusting([
        issuer("https://a.example").tenants(["tenant1"]),
        issuer("https://b.example").tenants(["finance"]),
    ]);
    refuses(second.plain_scopes(["finance.write"]), setting, "listed under issuer[1].tenants");
}

#[test]
fn ids_in_a_list_are_ids_and_differ_in_more_than_case() {
    let listed = |ids: &[&str]| one(issuer("https://auth.example").tenants(ids.iter().copied()));
    let shared =
        |ids: &[&str]| one(issuer("https://auth.example").shared_tenants(ids.iter().copied()));
    for (ids, problem) in [
        (&["acme", "Acme"][..], "`Acme` is there twice, or differs from another id only in case"),
        (&["acme", "b", "acme"], "`acme` is there twice"),
        (&["tenant 1"], "`tenant 1` is not a tenant id"),
        (&[""], "not a tenant id"),
    ] {
        refuses(listed(ids), "issuer[0].tenants", problem);
        refuses(shared(ids), "issuer[0].shared_tenants", problem);
    }
    refuses(listed(&[]), "issuer[0].tenants", "empty list speaks for nobody");
    let policy = accepts(listed(&["acme", "acme2"]));
    let [issuer] = policy.issuers() else { panic!("one issuer") };
    assert!(issuer.speaks_for("acme") && !issuer.speaks_for("Acme") && !issuer.speaks_for("acme3"));
    assert_eq!(issuer.tenants().map(|tenants| tenants.len()), Some(2));
}

#[test]
fn with_a_host_ids_are_lower_case_without_underscore() {
    let listed = |id: &str| one(issuer("https://auth.example").tenants(["tenant1", id]));
    let host = "{tenant}.api.erp.example";
    for id in ["Tenant2", "tenant_2"] {
        refuses(listed(id).tenant_host(host), "issuer[0].tenants", "cannot stand in a host");
        accepts(listed(id));
    }
    accepts(listed("tenant-2").tenant_host(host));
    for (host, problem) in [
        ("", "empty"),
        ("api.erp.example", "needs a `{tenant}` hole"),
        ("{tenant}.example", "last two labels"),
        ("api.{tenant}.example", "last two labels"),
        ("{tenant}.API.erp.example", "lower case"),
        ("{tenant}.api.erp.example:443", "lower case"),
        ("x{tenant}.api.erp.example", "whole label"),
        ("{tenant}-x.api.erp.example", "no end"),
        ("{tenant}:x.api.erp.example", "whole label"),
    ] {
        refuses(erp().tenant_host(host), "tenant.host", problem);
    }
    assert!(accepts(erp().tenant_host("x.{tenant}.api.example")).host().is_some());
}

#[test]
fn a_trailing_dot_is_no_label() {
    refuses(erp().tenant_host("{tenant}.example."), "tenant.host", "empty label");
    for name in [
        "https://{tenant}.example.",
        "https://{tenant}.example./x",
        "https://{tenant}..example.com",
    ] {
        refuses(one(issuer(name)), "issuer[0].issuer", "empty label");
    }
}

#[test]

fn a_trailing_dot_before_a_port_is_no_label_either() {
    refuses(one(issuer("https://{tenant}.example.:443/x")), "issuer[0].issuer", "empty label");
}

#[test]
fn a_path_pattern_matches_paths_that_are_let_through() {
    for (path, problem) in [
        ("", "empty"),
        ("/x", "needs a `{tenant}` hole"),
        ("{tenant}/x", "starts with `/`"),
        ("/x{tenant}/y", "whole segment"),
        ("/{tenant}.x", "whole segment"),
        ("/{tenant}/x{*rest}", "whole segment"),
        ("/{tenant}{*rest}", "next hole"),
        ("/{tenant}/{*rest}/x", "brace"),
        ("/{tenant}/{tenant}", "brace"),
        ("//{tenant}", "no path that is let through"),
        ("/{tenant}//{*rest}", "no path that is let through"),
        ("/a/../{tenant}", "no path that is let through"),
        ("/{tenant}/.", "no path that is let through"),
        ("/%61/{tenant}", "no path that is let through"),
        ("/a;b/{tenant}", "no path that is let through"),
        ("/a b/{tenant}", "no path that is let through"),
        ("/{tenant}/?x", "no path that is let through"),
        ("/{tenant}/#x", "no path that is let through"),
        ("/{tenant}/*", "write `{*rest}`"),
        ("/:version/{tenant}", "write `{*rest}`"),
    ] {
        refuses(erp().tenant_path(path), "tenant.path", problem);
    }
    for path in [
        "/{tenant}",
        "/{tenant}/",
        "/{tenant}/{*rest}",
        "/v1/{tenant}/x/{*rest}",
        "/a.b/{tenant}/c",
    ] {
        assert!(
            accepts(erp().tenant_path(path)).path().is_some_and(|found| found.as_str() == path)
        );
    }
}

#[test]
fn a_tenant_header_is_a_header_that_means_nothing_else() {
    for name in [
        "authorization",
        "Authorization",
        "connection",
        "cookie",
        "Host",
        "te",
        "transfer-encoding",
        "Upgrade",
    ] {
        refuses(erp().tenant_header(name), "tenant.header", "means something else already");
    }
    for name in ["", "x tenant", "x:tenant", "tén"] {
        refuses(erp().tenant_header(name), "tenant.header", "not a header's name");
    }
    let policy = accepts(erp().tenant_header("X-Tenant-ID"));
    assert_eq!(policy.header().map(|name| name.as_str()), Some("x-tenant-id"));
}

#[test]
fn only_a_header_can_be_made_required_and_only_a_host_optional() {
    let header = || erp().tenant_header("x-tenant-id");
    let host = || erp().tenant_host("{tenant}.api.erp.example");
    let required = "tenant.required";
    for source in ["path", "host", "claim", "Header", ""] {
        refuses(header().required_sources([source]), required, "only `header` can be listed here");
        refuses(
            header().required_sources(["header", source]),
            required,
            "only `header` can be listed here",
        );
    }
    refuses(erp().required_sources(["header"]), required, "tenant.header is not set");
    let optional = "tenant.optional";
    for source in ["path", "header", "Host"] {
        refuses(host().optional_sources([source]), optional, "only `host` can be listed here");
    }
    refuses(erp().optional_sources(["host"]), optional, "tenant.host is not set");

    assert!(accepts(header().required_sources(["header"])).header_required());
    assert!(!accepts(header()).header_required());
    assert!(!accepts(header().required_sources::<&str>([])).header_required());
    assert!(accepts(host().optional_sources(["host"])).host_optional());
    assert!(!accepts(host()).host_optional());
}

#[test]
fn a_claim_has_a_name_and_one_meaning() {
    let base = || issuer("https://auth.example");
    refuses(one(base().tenant_claims([""])), "issuer[0].tenant_claim", "name is empty");
    refuses(one(base().tenant_claims(["tenant", ""])), "issuer[0].tenant_claim", "name is empty");
    refuses(one(base().required_claims(["sub", ""])), "issuer[0].required_claims", "name is empty");
    refuses(one(base().scope_claim("")), "issuer[0].scope_claim", "name is empty");
    refuses(one(base().client_id_claim("")), "issuer[0].client_id_claim", "name is empty");
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "cnf"] {
        refuses(
            one(base().tenant_claims(["tenant_id", name])),
            "issuer[0].tenant_claim",
            "means something else already",
        );
    }
    let client = base().client_id_claim("azp").tenant_claims(["azp"]);
    refuses(one(client), "issuer[0].tenant_claim", "means something else already");
    refuses(one(base().algorithms([])), "issuer[0].algorithms", "at least one");
    accepts(one(base().required_claims::<&str>([])));
}

#[test]
fn a_realm_and_a_skew_have_their_bounds() {
    for realm in ["a\"b", "a\\b", "a\nb", "\u{e9}", "\u{7f}"] {
        refuses(erp().realm(realm), "resource_server.realm", "printable ASCII");
    }
    assert_eq!(accepts(erp().realm("the journal, ~!")).realm(), "the journal, ~!");
    refuses(
        erp().clock_skew(Duration::from_millis(300_001)),
        "resource_server.clock_skew",
        "5 minutes",
    );
    assert_eq!(
        accepts(erp().clock_skew(Duration::from_secs(300))).clock_skew(),
        Duration::from_secs(300)
    );
    assert_eq!(accepts(erp().clock_skew(Duration::ZERO)).clock_skew(), Duration::ZERO);
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let policy = accepts(one(issuer("https://auth.example")));
    assert_eq!(policy.clock_skew(), Duration::from_secs(30));
    assert_eq!(policy.max_token_bytes(), 16_384);
    assert_eq!(policy.realm(), "tenantry");
    assert_eq!(policy.scope_pattern().as_str(), "{tenant}.{scope}");
    assert!(policy.scope_pattern().has_tenant());
    assert!(policy.problem_details());
    assert!(policy.path().is_none() && policy.header().is_none() && policy.host().is_none());
    let [issuer] = policy.issuers() else { panic!("one issuer") };
    assert_eq!(issuer.algorithms(), [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]);
    assert_eq!(issuer.tenant_claims(), ["tenant_id".into()]);
    assert_eq!(issuer.required_claims(), ["sub", "client_id", "iat", "jti"].map(Into::into));
    assert_eq!((issuer.scope_claim(), issuer.client_id_claim()), ("scope", "client_id"));
    assert_eq!(issuer.profile(), TokenProfile::Rfc9068);
    assert_eq!(issuer.key_location(), &KeyLocation::Discovery);
    assert!(!issuer.allow_http() && !issuer.shared_keys());
    assert!(issuer.tenants().is_none() && issuer.speaks_for("anybody"));
}

#[test]
fn what_was_set_is_what_the_policy_says() {
    let policy = accepts(
        one(issuer("http://localhost/{tenant}")
            .algorithms([Algorithm::Ps512])
            .tenant_claims(["org_id"])
            .scope_claim("scp")
            .required_claims(["sub"])
            .client_id_claim("azp")
            .profile(TokenProfile::Jwt)
            .keys(KeyLocation::Pem("pem".into()))
            .shared_keys(true)
            .allow_http(true))
        .problem_details(false),
    );
    let [issuer] = policy.issuers() else { panic!("one issuer") };
    assert_eq!(issuer.algorithms(), [Algorithm::Ps512]);
    assert_eq!(issuer.tenant_claims(), ["org_id".into()]);
    assert_eq!(issuer.required_claims(), ["sub".into()]);
    assert_eq!((issuer.scope_claim(), issuer.client_id_claim()), ("scp", "azp"));
    assert_eq!(issuer.profile(), TokenProfile::Jwt);
    assert_eq!(issuer.key_location(), &KeyLocation::Pem("pem".into()));
    assert!(issuer.allow_http() && issuer.shared_keys() && !policy.problem_details());
}

#[test]
fn no_two_policies_have_one_epoch() {
    let policy = accepts(erp());
    assert_eq!(policy.epoch(), policy.clone().epoch());
    assert_ne!(policy.epoch(), accepts(erp()).epoch());
    assert_ne!(policy.epoch().get(), 0);
}

#[test]
fn the_ids_of_a_directory_are_checked_when_it_is_loaded() {
    let ids =
        |ids: &[&str]| -> Vec<TenantId> { ids.iter().map(|id| id.parse().unwrap()).collect() };
    let check = |policy: &Policy, of: &[&str]| {
        policy
            .check_tenants(&ids(of))
            .map_err(|error| (error.setting().to_owned(), error.problem().to_owned()))
    };
    let plain = accepts(erp());
    assert_eq!(check(&plain, &["acme", "acme2", "Other", "x_y"]), Ok(()));
    let host = accepts(erp().tenant_host("{tenant}.api.erp.example"));
    assert_eq!(check(&host, &["acme", "acme-2"]), Ok(()));
    for id in ["Acme", "ac_me"] {
        let (setting, problem) = check(&host, &[id]).unwrap_err();
        assert_eq!(setting, "directory.tenant");
        assert!(problem.contains("cannot stand in a host"), "{problem}");
    }
    let migrating = accepts(erp().plain_scopes(["finance.write"]));
    assert_eq!(check(&migrating, &["acme", "finance2"]), Ok(()));
    let (setting, problem) = check(&migrating, &["acme", "finance"]).unwrap_err();
    assert_eq!(setting, "resource_server.plain_scopes");
    assert!(
        problem.contains("`finance.write` is also a scope of the tenant `finance`"),
        "{problem}"
    );
}

// INVARIANT (secrets stay in): a document may hold a private key by mistake.
#[test]
fn debug_says_where_keys_are_and_shows_none() {
    let shown = |location: KeyLocation| format!("{location:?}");
    assert_eq!(shown(KeyLocation::Jwks("s3cret".into())), "Jwks(..)");
    assert_eq!(shown(KeyLocation::Pem("s3cret".into())), "Pem(..)");
    assert_eq!(shown(KeyLocation::Uri("https://a".into())), r#"Uri("https://a")"#);
    assert_eq!(shown(KeyLocation::File("keys.json".into())), r#"File("keys.json")"#);
    assert_eq!(shown(KeyLocation::Discovery), "Discovery");
    let policy = accepts(one(issuer("a").keys(KeyLocation::Jwks("s3cret".into()))));
    assert!(!format!("{policy:?}{:?}", policy.issuers()).contains("s3cret"));
}
