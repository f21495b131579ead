//! The decision against models too simple to be wrong, on generated policies, tokens and requests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tenantry_core::{Issuer, IssuerSettings, Policy, Reason, Scope, Standing, TokenFacts, Verdict};

use crate::{
    Sent, agreed, claim, decided, erp_everywhere, sent, sent_everywhere, token_of, watched,
};

/// Ids that are prefixes of each other, or differ in case only.
const IDS: [&str; 5] = ["t", "t1", "t10", "T1", "t-1"];

/// Whether a source is configured, and whether it has to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Configured {
    Off,
    Optional,
    Required,
}

use Configured::{Off, Optional, Required};

/// A policy, a token, a request and a directory, in words.
#[derive(Clone, Debug)]
struct Case {
    audience_names_tenant: bool,
    issuer_names_tenant: bool,
    claims_configured: usize,
    listed: bool,
    path: bool,
    header: Configured,
    host: Configured,
    strict: bool,

    iss: &'static str,
    /// Which of two claims, and its value: an id, or nothing that is one.
    claims: Vec<(usize, Option<&'static str>)>,
    /// An id, or another resource server.
    audiences: Vec<Option<&'static str>>,
    /// A scope of this tenant, or of nobody.
    scopes: Vec<Option<&'static str>>,

    path_names: Option<&'static str>,
    header_names: Option<&'static str>,
    host_names: Option<&'static str>,
    standing: Standing,
}

const CLAIMS: [&str; 2] = ["tenant_id", "tenant"];
const LISTED: [&str; 3] = ["t", "t1", "t10"];

impl Case {
    fn policy(&self) -> Policy {
        let mut issuer = IssuerSettings::new(match self.issuer_names_tenant {
            true => "https://login.example/{tenant}",
            false => "https://login.example/all",
        })
        .tenant_claims(CLAIMS.into_iter().take(self.claims_configured));
        if self.listed {
            issuer = issuer.tenants(LISTED);
        }
        let mut builder =
            Policy::builder().issuer(issuer).audience(match self.audience_names_tenant {
                true => "urn:api:{tenant}",
                false => "urn:api",
            });
        if self.path {
            builder = builder.tenant_path("/{tenant}/{*rest}");
        }
        if self.header != Off {
            builder = builder.tenant_header("x-tenant-id");
        }
        if self.header == Required {
            builder = builder.required_sources(["header"]);
        }
        if self.host != Off {
            builder = builder.tenant_host("{tenant}.api.erp.example");
        }
        if self.host == Optional {
            builder = builder.optional_sources(["host"]);
        }
        if self.strict {
            builder = builder.refuse_foreign_scopes();
        }
        builder.build().unwrap()
    }

    fn facts(&self) -> TokenFacts {
        let audience = |id: &Option<&str>| match (id, self.audience_names_tenant) {
            (Some(id), true) => format!("urn:api:{id}").into(),
            (Some(_), false) => "urn:api".into(),
            (None, _) => "urn:other".into(),
        };
        let scope = |id: &Option<&str>| id.map_or("openid".into(), |id| format!("{id}.read"));
        let scopes: Vec<String> = self.scopes.iter().map(scope).collect();
        TokenFacts {
            issuer: Issuer::new(match self.issuer_names_tenant {
                true => format!("https://login.example/{}", self.iss),
                false => "https://login.example/all".into(),
            }),
            audience: self.audiences.iter().map(audience).collect(),
            tenant_claims: self
                .claims
                .iter()
                .map(|(name, id)| claim(CLAIMS[*name], id.unwrap_or("not an id")))
                .collect(),
            scope: Scope::parse(&scopes.join(" ")).unwrap(),
            ..token_of("t1")
        }
    }

    fn sent(&self) -> Sent {
        let mut request = sent(&self.path_names.map_or("/".into(), |id| format!("/{id}/x")));
        if let Some(id) = self.header_names {
            request = request.with("x-tenant-id", id);
        }
        let host =
            self.host_names.map_or("api.example".into(), |id| format!("{id}.api.erp.example"));
        request.with("host", &host)
    }

    /// What the sources that the policy looks at say, `None` for one that says nothing usable.
    fn named(&self) -> Vec<Option<String>> {
        let own = |id: &Option<&str>| id.map(str::to_owned);
        let mut named = Vec::new();
        let claims: Vec<_> =
            self.claims.iter().filter(|(name, _)| *name < self.claims_configured).collect();
        if self.claims_configured > 0 && claims.is_empty() {
            named.push(None);
        }
        named.extend(claims.iter().map(|(_, id)| own(id)));
        let audiences: Vec<_> = self.audiences.iter().filter(|id| id.is_some()).collect();
        if audiences.is_empty() {
            named.push(None);
        }
        if self.audience_names_tenant {
            named.extend(audiences.into_iter().map(own));
        }
        if self.issuer_names_tenant {
            named.push(Some(self.iss.into()));
        }
        if self.path {
            named.push(own(&self.path_names));
        }
        if self.header == Required || (self.header == Optional && self.header_names.is_some()) {
            named.push(own(&self.header_names));
        }
        // A host is not case-sensitive.
        let host = self.host_names.map(str::to_ascii_lowercase);
        if self.host == Required || (self.host == Optional && host.is_some()) {
            named.push(host);
        }
        named
    }

    /// The tenant to admit: the one that every source names.
    fn model(&self) -> Option<String> {
        let named = self.named();
        let tenant = named.first().cloned().flatten()?;
        let agreed = named.iter().all(|id| id.as_ref() == Some(&tenant));
        let spoken_for = !self.listed || LISTED.contains(&tenant.as_str());
        let foreign = self.scopes.iter().flatten().any(|id| *id != tenant);
        (agreed && spoken_for && !(self.strict && foreign) && self.standing == Standing::Active)
            .then_some(tenant)
    }
}

fn id() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just("t1"), 2 => prop::sample::select(&IDS[..])]
}

fn configured() -> impl Strategy<Value = Configured> {
    prop::sample::select(vec![Off, Optional, Required])
}

fn case() -> impl Strategy<Value = Case> {
    let policy = (
        any::<(bool, bool, bool, bool)>(),
        0..=2_usize,
        prop::bool::weighted(0.3),
        configured(),
        configured(),
    );
    let token = (
        id(),
        vec((0..2_usize, option::weighted(0.95, id())), 0..3),
        vec(option::weighted(0.9, id()), 0..3),
        vec(option::weighted(0.8, id()), 0..3),
    );
    let request = (
        option::weighted(0.9, id()),
        option::weighted(0.7, id()),
        option::weighted(0.8, id()),
        prop_oneof![
            8 => Just(Standing::Active),
            1 => Just(Standing::Suspended),
            1 => Just(Standing::Unknown),
        ],
    );
    (policy, token, request).prop_map(|(policy, token, request)| {
        let ((audience, issuer, path, listed), claims_configured, strict, header, host) = policy;
        let (iss, claims, audiences, scopes) = token;
        let (path_names, header_names, host_names, standing) = request;
        Case {
            // Something signed has to name the tenant, or there is no policy.
            audience_names_tenant: audience || (claims_configured == 0 && !issuer),
            issuer_names_tenant: issuer,
            claims_configured,
            listed,
            path,
            header,
            host,
            strict,
            iss,
            claims,
            audiences,
            scopes,
            path_names,
            header_names,
            host_names,
            standing,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // INVARIANT (agreement)
    #[test]
    fn a_request_is_admitted_exactly_when_every_source_names_the_tenant(case in case()) {
        let (verdict, _) = watched(&case.policy(), &case.sent(), case.facts(), case.standing);
        let tenant = verdict.ok().map(|request| request.tenant().to_string());
        prop_assert_eq!(tenant, case.model());
    }

    // What is explained is what is enforced.
    #[test]
    fn the_verdict_does_not_depend_on_the_observer_and_the_first_failing_row_is_its_cause(case in case()) {
        let policy = case.policy();
        let (watched, table) = watched(&policy, &case.sent(), case.facts(), case.standing);
        let unwatched = agreed(&policy, &case.sent(), case.facts())
            .and_then(|agreed| agreed.admit(case.standing, &mut tenantry_core::Unobserved));
        let first = table.rows().iter().find_map(|row| match row.verdict {
            Verdict::Fails(reason) => Some(reason),
            Verdict::Holds | Verdict::Ignored => None,
        });
        match (watched, unwatched) {
            (Ok(watched), Ok(unwatched)) => {
                prop_assert_eq!(watched.tenant(), unwatched.tenant());
                prop_assert_eq!(first, None);
            }
            (Err(watched), Err(unwatched)) => {
                prop_assert_eq!(watched.reason(), unwatched.reason());
                prop_assert_eq!(first, Some(watched.reason()));
                prop_assert_eq!(watched.to_response().into_body(), unwatched.to_response().into_body());
            }
            (watched, unwatched) => prop_assert!(false, "{:?} but {:?}", watched, unwatched),
        }
    }

    // Authentication is judged before authorization.
    #[test]
    fn what_is_wrong_with_the_token_outweighs_what_is_wrong_with_the_request(case in case()) {
        // The same token with a request that is all right in itself: it names what the token names.
        let tokens_only = Case { path: false, header: Off, host: Off, standing: Standing::Active, ..case.clone() };
        let policy = tokens_only.policy();
        if let Err(rejection) = agreed(&policy, &tokens_only.sent(), tokens_only.facts()) {
            let whole = agreed(&case.policy(), &case.sent(), case.facts()).unwrap_err();
            prop_assert_eq!(rejection.status(), 401);
            prop_assert_eq!(whole.reason(), rejection.reason());
        }
    }

    #[test]
    fn any_two_ids_are_one_tenant_only_if_their_bytes_are(
        one in "[A-Za-z0-9][A-Za-z0-9_-]{0,3}", other in "[A-Za-z0-9][A-Za-z0-9_-]{0,3}"
    ) {
        let policy = crate::erp().tenant_path("/{tenant}/{*rest}").build().unwrap();
        let request = sent(&format!("/{other}/x"));
        prop_assert_eq!(decided(&policy, &request, token_of(&one)).is_ok(), one == other);
    }
}

#[test]
fn the_generated_cases_are_neither_all_admitted_nor_all_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let admitted = (0..1000)
        .filter(|_| case().new_tree(&mut runner).unwrap().current().model().is_some())
        .count();
    assert!((50..950).contains(&admitted), "{admitted} of 1000");
}

#[test]
fn ids_that_are_prefixes_of_each_other_never_satisfy_each_other() {
    for token in IDS {
        for named in IDS {
            if token == named {
                continue;
            }
            let policy = crate::erp()
                .tenant_path("/{tenant}/{*rest}")
                .tenant_header("x-tenant-id")
                .build()
                .unwrap();
            let path = decided(&policy, &sent(&format!("/{named}/x")), token_of(token));
            assert_eq!(path.unwrap_err().reason(), Reason::TenantMismatchPath);
            let header = sent(&format!("/{token}/x")).with("x-tenant-id", named);
            let header = decided(&policy, &header, token_of(token));
            assert_eq!(header.unwrap_err().reason(), Reason::TenantMismatchHeader);
            let audience = TokenFacts { audience: token_of(named).audience, ..token_of(token) };
            let audience = decided(&policy, &sent(&format!("/{token}/x")), audience);
            assert_eq!(audience.unwrap_err().reason(), Reason::TokenConflictAudience);
            let scope = crate::scoped(token, &format!("{named}.read"));
            let request = decided(&policy, &sent(&format!("/{token}/x")), scope).unwrap();
            assert!(!request.has_scope("read"));
            let listed = Policy::builder()
                .issuer(IssuerSettings::new(crate::ISSUER).tenants([named]))
                .audience("https://api.erp.example/{tenant}")
                .build()
                .unwrap();
            let listed = decided(&listed, &sent("/"), token_of(token));
            assert_eq!(listed.unwrap_err().reason(), Reason::TenantNotOfIssuer);
        }
    }
    // The token's tenant is compared with the host in lower case, never the other way round.
    let policy = erp_everywhere().build().unwrap();
    let upper = decided(&policy, &sent_everywhere("T1"), token_of("T1"));
    assert_eq!(upper.unwrap_err().reason(), Reason::TenantMismatchHost);
}
