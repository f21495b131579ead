//! Whatever a client of one tenant sends, it gets nothing that names another.

use proptest::prelude::*;
use serde_json::Value;

use crate::stack::{ISSUER, Stack, claims};

/// What tenant1's clients are, tenant2's are too, under the same ids: only tenants differ.
#[derive(Clone, Debug)]
struct Asked {
    endpoint: &'static str,
    path: Option<&'static str>,
    client: &'static str,
    header: Vec<&'static str>,
    parameters: Vec<(&'static str, String)>,
}

fn tenant() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("tenant1"), 4 => Just("tenant2"), 1 => Just("Tenant1"), 1 => Just("tenant10"), 1 => Just("")]
}

fn scope() -> impl Strategy<Value = String> {
    let token = (
        prop_oneof![Just(""), Just("tenant1."), Just("tenant2."), Just("tenant1.tenant2.")],
        prop_oneof![Just("journal.read"), Just("finance.write"), Just("tenant2"), Just("admin")],
    );
    proptest::collection::vec(token, 0..3).prop_map(|tokens| {
        let tokens: Vec<_> = tokens.iter().map(|(by, scope)| format!("{by}{scope}")).collect();
        tokens.join(" ")
    })
}

fn parameter() -> impl Strategy<Value = (&'static str, String)> {
    let audience = || tenant().prop_map(|tenant| format!("https://api.erp.example/{tenant}"));
    prop_oneof![
        6 => Just(("grant_type", "client_credentials".to_owned())),
        2 => Just(("grant_type", "refresh_token".to_owned())),
        3 => scope().prop_map(|scope| ("scope", scope)),
        3 => tenant().prop_map(|tenant| ("tenant_id", tenant.to_owned())),
        3 => audience().prop_map(|audience| ("audience", audience)),
        3 => audience().prop_map(|audience| ("resource", audience)),
        2 => Just(("refresh_token", "OWN".to_owned())),
        2 => Just(("refresh_token", "FOREIGN".to_owned())),
        2 => Just(("token", "OWN".to_owned())),
        2 => Just(("token", "FOREIGN".to_owned())),
        1 => Just(("client_id", "erp-sync".to_owned())),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        prop_oneof![6 => Just("/oauth/token"), 2 => Just("/oauth/introspect"), 1 => Just("/oauth/revoke")],
        proptest::option::of(tenant()),
        prop_oneof![Just("erp-sync"), Just("renewing"), Just("posting")],
        proptest::collection::vec(tenant(), 0..2),
        proptest::collection::vec(parameter(), 0..6),
    )
        .prop_map(|(endpoint, path, client, header, parameters)| Asked {
            endpoint,
            path,
            client,
            header,
            parameters,
        })
}

/// Tokens of a client of `tenant`: an access token and a refresh token.
async fn tokens_of(stack: &Stack, tenant: &str) -> (String, String) {
    let path = format!("/{tenant}/oauth/token");
    let sent = stack.post_by(&path, tenant, "renewing").with("grant_type", "client_credentials");
    let tokens = sent.tokens().await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Sends `asked` as a client of tenant1, and returns the answer and whether there are tokens in it.
async fn outcome(stack: &Stack, asked: &Asked) -> (String, Option<Value>) {
    let (own, foreign) = (tokens_of(stack, "tenant1").await, tokens_of(stack, "tenant2").await);
    let path = asked.path.map(|tenant| format!("/{tenant}")).unwrap_or_default();
    let path = format!("{path}{}", asked.endpoint);
    let mut sent = stack.post(&path);
    sent = match asked.client {
        "posting" => {
            sent.with("client_id", "posting").with("client_secret", stack.secret("tenant1"))
        }
        client => sent.basic(client, stack.secret("tenant1")),
    };
    for tenant in &asked.header {
        sent = sent.header("x-tenant-id", tenant);
    }
    for (name, value) in &asked.parameters {
        let value = match (*name, value.as_str()) {
            ("token", "OWN") => &own.0,
            ("token", "FOREIGN") => &foreign.0,
            ("refresh_token", "OWN") => &own.1,
            ("refresh_token", "FOREIGN") => &foreign.1,
            (_, value) => value,
        };
        sent = sent.with(name, value);
    }
    let answer = sent.send().await;
    let ok = answer.status.is_success();
    let body = if ok { answer.json() } else { Value::Null };
    // What was asked about is still what it was: nothing of tenant2 was revoked.
    let path = "/tenant2/oauth/introspect";
    for token in [&foreign.0, &foreign.1] {
        let sent = stack.post_by(path, "tenant2", "renewing").with("token", token);
        assert_eq!(sent.tokens().await["active"], true, "{asked:?}");
    }
    let tokens = body.get("access_token").is_some().then(|| body.clone());
    (body.to_string(), tokens)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_client_of_one_tenant_obtains_nothing_that_names_another(asked in asked()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (body, tokens) = runtime.block_on(async {
            let stack = Stack::new().await;
            outcome(&stack, &asked).await
        });

        prop_assert!(!body.contains("tenant2"), "{}", body);
        prop_assert!(!body.contains("tenant10") && !body.contains("Tenant1"), "{}", body);
        if let Some(tokens) = tokens {
            let claims = claims(&tokens);
            prop_assert!(!claims.to_string().contains("tenant2"), "{}", claims);
            prop_assert_eq!(&claims["tenant_id"], "tenant1");
            prop_assert_eq!(&claims["iss"], ISSUER);
            prop_assert_eq!(&claims["aud"], "https://api.erp.example/tenant1");
            let scope = claims["scope"].as_str().unwrap_or_default();
            prop_assert!(scope.split(' ').all(|token| token.starts_with("tenant1.")), "{}", scope);
        }
    }
}

/// That the property above is about requests of which many are granted.
#[test]
fn many_of_the_requests_that_are_generated_are_granted() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut granted = 0;
    for _ in 0..200 {
        let asked = asked().new_tree(&mut runner).unwrap().current();
        let (_, tokens) = runtime.block_on(async {
            let stack = Stack::new().await;
            outcome(&stack, &asked).await
        });
        granted += usize::from(tokens.is_some());
    }
    assert!(granted >= 5, "only {granted} of 200");
}
