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
    prop_oneof![
        12 => Just("tenant1"),
        5 => Just("tenant2"),
        1 => Just("Tenant1"),
        1 => Just("tenant10"),
        1 => Just(""),
    ]
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

fn parameters() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let audience = || tenant().prop_map(|tenant| format!("https://api.erp.example/{tenant}"));
    let token = || prop_oneof![Just("OWN"), Just("FOREIGN")].prop_map(String::from);
    let grant = prop_oneof![3 => Just("client_credentials"), 1 => Just("refresh_token")];
    let maybe = proptest::option::weighted::<BoxedStrategy<String>>;
    let once = (
        maybe(0.9, grant.prop_map(String::from).boxed()),
        maybe(0.4, scope().boxed()),
        maybe(0.3, tenant().prop_map(String::from).boxed()),
        maybe(0.3, audience().boxed()),
        maybe(0.3, audience().boxed()),
        maybe(0.6, token().boxed()),
        maybe(0.6, token().boxed()),
    );
    (once, maybe(0.2, audience().boxed()), maybe(0.1, tenant().prop_map(String::from).boxed()))
        .prop_map(
            |((grant, scope, tenant, audience, resource, refresh, token), again, repeated)| {
                let named = [
                    ("grant_type", grant),
                    ("scope", scope),
                    ("tenant_id", tenant),
                    ("audience", audience),
                    ("resource", resource),
                    ("refresh_token", refresh),
                    ("token", token),
                    ("audience", again),
                    ("tenant_id", repeated),
                ];
                let there = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
                there.collect()
            },
        )
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        prop_oneof![6 => Just("/oauth/token"), 2 => Just("/oauth/introspect"), 1 => Just("/oauth/revoke")],
        proptest::option::weighted(0.4, tenant()),
        prop_oneof![Just("erp-sync"), Just("renewing"), Just("posting")],
        proptest::collection::vec(tenant(), 0..2),
        parameters(),
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
    assert!(granted >= 20, "only {granted} of 200");
}
