//! The refresh token grant: rows 24 to 30.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use tenantry_issuer::{
    ClientAuth, FamilyId, NewFamily, RefreshToken, SecretHash, Settings, Tenant, TenantStatus,
};

use crate::stack::{INTROSPECT, ISSUER, NOW, REVOKE, Sent, Stack, TOKEN, claims};

async fn first(stack: &Stack) -> String {
    refresh_token(&stack.token_for("renewing").tokens().await)
}

fn refresh_token(tokens: &Value) -> String {
    tokens["refresh_token"].as_str().unwrap().into()
}

fn renew<'s>(stack: &'s Stack, tenant: &str, client: &str, token: &str) -> Sent<'s> {
    stack
        .post_by(TOKEN, tenant, client)
        .with("grant_type", "refresh_token")
        .with("tenant_id", tenant)
        .with("refresh_token", token)
}

async fn is_live(stack: &Stack, token: &str) -> bool {
    let sent = stack.post_by(INTROSPECT, "tenant1", "renewing").with("tenant_id", "tenant1");
    sent.with("token", token).tokens().await["active"] == true
}

#[tokio::test]
async fn a24_a_refresh_token_works_for_its_client_which_authenticates() {
    let stack = Stack::new().await;
    let token = first(&stack).await;

    let sent = stack.post(TOKEN).with("tenant_id", "tenant1").with("refresh_token", &token);
    let answer = sent.clone().with("grant_type", "refresh_token").send().await;
    answer.assert_no_credentials("credentials_missing");
    let answer = renew(&stack, "tenant1", "other", &token).send().await;
    answer.assert_invalid_grant("refresh_token_foreign");
    let tokens = renew(&stack, "tenant1", "renewing", &token).tokens().await;
    assert_eq!(claims(&tokens)["client_id"], "renewing");
    assert_ne!(refresh_token(&tokens), token);
}

#[tokio::test]
async fn a24_what_is_no_refresh_token_is_an_invalid_grant() {
    let stack = Stack::new().await;
    let token = first(&stack).await;
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
    let refused = |text: String| {
        let sent = renew(&stack, "tenant1", "renewing", &text);
        async move { sent.send().await }
    };

    for text in ["x", "a.b.c", &token[1..], &format!("{token}="), &format!("{token}A")] {
        refused(text.into()).await.assert_invalid_grant("refresh_token_malformed");
    }
    bytes[0] ^= 1;
    let unknown = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
    refused(unknown).await.assert_invalid_grant("refresh_token_unknown");
    assert!(is_live(&stack, &token).await);
    // The right family with the wrong secret part: somebody guesses, or it was used long ago.
    bytes[0] ^= 1;
    bytes[20] ^= 1;
    let reused = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
    refused(reused).await.assert_invalid_grant("refresh_token_reused");
    assert!(!is_live(&stack, &token).await);
}

#[tokio::test]
async fn a25_scope_narrows_for_one_access_token_and_never_widens() {
    let stack = Stack::new().await;
    let tokens = stack.token_for("renewing").with("scope", "finance.write journal.read").tokens();
    let both = "tenant1.finance.write tenant1.journal.read";
    let token = refresh_token(&tokens.await);

    let narrow = renew(&stack, "tenant1", "renewing", &token).with("scope", "journal.read");
    let narrow = narrow.tokens().await;
    assert_eq!(narrow["scope"], "tenant1.journal.read");
    assert_eq!(claims(&narrow)["scope"], "tenant1.journal.read");
    assert_eq!(stack.last_event().scopes, ["journal.read"]);
    let token = refresh_token(&narrow);
    // Registered for this client, but not granted then.
    for (scope, reason) in [
        ("journal.create", "scope_unregistered"),
        ("tenant1.journal.read tenant1.journal.create", "scope_unregistered"),
    ] {
        let answer = renew(&stack, "tenant1", "renewing", &token).with("scope", scope).send().await;
        answer.assert_refused(400, "invalid_scope", reason);
    }
    // The refused ones did not use it up, and the original scope is kept.
    let tokens = renew(&stack, "tenant1", "renewing", &token).tokens().await;
    assert_eq!(tokens["scope"], both);
}

#[tokio::test]
async fn a25_a_scope_that_is_not_registered_any_more_is_not_renewed() {
    let stack = Stack::new().await;
    let token = first(&stack).await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    let mut registered = stack.store.client(&tenant, &client).await.unwrap().unwrap();
    assert!(stack.store.remove_client(&tenant, &client).await.unwrap());
    registered.scopes = BTreeSet::from(["journal.read".into()]);
    stack.store.add_client(&registered).await.unwrap();
    stack.clock.advance(Duration::from_secs(30));

    // A client that was registered anew is another: nothing of the old one is left.
    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
    assert_eq!(answer.json()["error"], "invalid_grant");
    let tokens = stack.token_for("renewing").tokens().await;
    assert_eq!(tokens["scope"], "tenant1.journal.read");
}

/// A family of the client `renewing` with these scopes and audiences, whatever it is registered for.
async fn granted(stack: &Stack, scopes: &[&str], audiences: &[&str]) -> String {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let id = FamilyId::generate().unwrap();
    let token = RefreshToken::generate(id).unwrap();
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    let (.., generation) = stack.store.registration(&tenant, &client).await.unwrap().unwrap();
    let family = NewFamily {
        id,
        tenant,
        client,
        generation,
        scopes: texts(scopes).into_iter().collect(),
        audiences: texts(audiences),
        token: token.hash(),
        created_at: NOW,
        expires_at: NOW + Duration::from_secs(24 * 60 * 60),
    };
    assert!(stack.store.open_family(&family).await.unwrap());
    token.expose().to_owned()
}

#[tokio::test]
async fn a25_of_what_was_granted_only_what_is_still_registered_is_renewed() {
    let stack = Stack::new().await;
    let own = "https://api.erp.example/tenant1";
    // As if the client had been registered for `admin` then.
    let token = granted(&stack, &["admin", "finance.write"], &[own]).await;

    for scope in ["admin", "tenant1.admin", "finance.write admin"] {
        let answer = renew(&stack, "tenant1", "renewing", &token).with("scope", scope).send().await;
        answer.assert_refused(400, "invalid_scope", "scope_unregistered");
    }
    let tokens = renew(&stack, "tenant1", "renewing", &token).tokens().await;
    assert_eq!(tokens["scope"], "tenant1.finance.write");
    assert_eq!(claims(&tokens)["scope"], "tenant1.finance.write");
    // And one that has nothing left gets nothing, not everything.
    let token = granted(&stack, &["admin"], &[own]).await;
    let tokens = renew(&stack, "tenant1", "renewing", &token).tokens().await;
    assert!(claims(&tokens).get("scope").is_none());
}

#[tokio::test]
async fn a26_an_audience_that_is_not_the_clients_any_more_is_not_renewed() {
    let stack = Stack::new().await;
    for foreign in ["https://api.erp.example/tenant2", "https://hr.erp.example/tenant1"] {
        let token = granted(&stack, &["finance.write"], &[foreign]).await;
        let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
        answer.assert_refused(400, "invalid_target", "audience_none");
        let own = "https://api.erp.example/tenant1";
        let token = granted(&stack, &["finance.write"], &[own, foreign]).await;
        let tokens = renew(&stack, "tenant1", "renewing", &token).tokens().await;
        assert_eq!(claims(&tokens)["aud"], own);
    }
}

#[tokio::test]
async fn a26_a_refresh_token_is_of_one_tenant_and_of_the_audiences_that_were_granted() {
    let settings = Settings::builder()
        .issuer(ISSUER)
        .audience("https://api.erp.example/{tenant}")
        .audience("https://hr.erp.example/{tenant}")
        .build()
        .unwrap();
    let stack = Stack::with(settings, "sqlite::memory:").await;
    let (api, hr) = ("https://api.erp.example/tenant1", "https://hr.erp.example/tenant1");
    let token = first(&stack).await;

    let answer = renew(&stack, "tenant2", "renewing", &token).send().await;
    answer.assert_invalid_grant("refresh_token_foreign");
    assert_eq!(stack.last_event().tenant.unwrap(), "tenant2");
    let answer = renew(&stack, "tenant1", "renewing", &token).with("resource", hr).send().await;
    answer.assert_refused(400, "invalid_target", "audience_unregistered");
    let tokens = renew(&stack, "tenant1", "renewing", &token).tokens().await;
    assert_eq!(claims(&tokens)["aud"], api);

    let both = stack.token_for("renewing").with("resource", hr).tokens().await;
    assert_eq!(claims(&both)["aud"], json!([api, hr]));
    let one = renew(&stack, "tenant1", "renewing", &refresh_token(&both)).with("resource", hr);
    let one = one.tokens().await;
    assert_eq!(claims(&one)["aud"], hr);
    let both = renew(&stack, "tenant1", "renewing", &refresh_token(&one)).tokens().await;
    assert_eq!(claims(&both)["aud"], json!([api, hr]));
}

#[tokio::test]
async fn a27_using_a_token_again_revokes_its_family_but_for_a_short_grace() {
    let stack = Stack::new().await;
    let token = first(&stack).await;
    let lost = refresh_token(&renew(&stack, "tenant1", "renewing", &token).tokens().await);

    stack.clock.advance(Duration::from_millis(59_999));
    let second = refresh_token(&renew(&stack, "tenant1", "renewing", &token).tokens().await);
    assert!(is_live(&stack, &second).await);
    assert!(!is_live(&stack, &lost).await, "the answer that was lost is worth nothing");
    // The grace is counted from the first use.
    stack.clock.advance(Duration::from_millis(1));
    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
    answer.assert_invalid_grant("refresh_token_reused");
    let answer = renew(&stack, "tenant1", "renewing", &second).send().await;
    answer.assert_invalid_grant("refresh_token_ended");
}

#[tokio::test]
async fn a27_the_grace_ends_when_the_successor_is_used() {
    let stack = Stack::new().await;
    let token = first(&stack).await;
    let second = refresh_token(&renew(&stack, "tenant1", "renewing", &token).tokens().await);
    let third = refresh_token(&renew(&stack, "tenant1", "renewing", &second).tokens().await);

    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;

    answer.assert_invalid_grant("refresh_token_reused");
    assert!(!is_live(&stack, &third).await);
}

/// Whoever stole it does not get around that by asking for something that is refused anyway.
#[tokio::test]
async fn a27_a_token_that_is_used_again_revokes_its_family_whatever_else_is_wrong() {
    for (name, value) in [("scope", "admin"), ("resource", "https://elsewhere.example")] {
        let stack = Stack::new().await;
        let first = first(&stack).await;
        let second = refresh_token(&renew(&stack, "tenant1", "renewing", &first).tokens().await);
        let third = refresh_token(&renew(&stack, "tenant1", "renewing", &second).tokens().await);

        let again = renew(&stack, "tenant1", "renewing", &first).with(name, value).send().await;

        again.assert_invalid_grant("refresh_token_reused");
        assert!(!is_live(&stack, &third).await);
    }
}

#[tokio::test]
async fn a27_of_two_uses_at_one_moment_one_successor_is_live() {
    let stack = Stack::new().await;
    let token = first(&stack).await;

    let (one, other) = tokio::join!(
        renew(&stack, "tenant1", "renewing", &token).tokens(),
        renew(&stack, "tenant1", "renewing", &token).tokens(),
    );

    let (one, other) = (refresh_token(&one), refresh_token(&other));
    assert!(is_live(&stack, &one).await != is_live(&stack, &other).await);
}

#[tokio::test]
async fn a28_a_family_ends_with_time_and_with_disuse() {
    let day = Duration::from_secs(24 * 60 * 60);
    let stack = Stack::new().await;
    let mut token = first(&stack).await;
    for _ in 0..4 {
        stack.clock.advance(7 * day - Duration::from_secs(1));
        token = refresh_token(&renew(&stack, "tenant1", "renewing", &token).tokens().await);
    }
    stack.clock.advance(2 * day + Duration::from_secs(4));
    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
    answer.assert_invalid_grant("refresh_token_ended");

    let token = first(&stack).await;
    stack.clock.advance(7 * day);
    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
    answer.assert_invalid_grant("refresh_token_ended");
}

#[tokio::test]
async fn a28_suspension_disabling_and_a_new_secret_end_families_at_once() {
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    for event in ["suspended", "disabled", "secret"] {
        let stack = Stack::new().await;
        let token = first(&stack).await;
        let stopped = match event {
            "suspended" => stack.store.set_tenant_status(&tenant, TenantStatus::Suspended).await,
            "disabled" => stack.store.set_client_enabled(&tenant, &client, false).await,
            _ => {
                let secret = tenantry_issuer::Secret::generate().unwrap();
                stack.store.set_client_secret(&tenant, &client, &secret.hash()).await
            }
        };
        assert!(stopped.unwrap());

        // The registration is still remembered as it was; the family is asked for each time.
        let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
        answer.assert_invalid_grant("refresh_token_ended");
    }
}

#[tokio::test]
async fn a29_a_refresh_token_cannot_be_guessed_and_is_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("issuer.db");
    let stack = Stack::over(&format!("sqlite://{}", file.display())).await;
    let one = first(&stack).await;
    let other = first(&stack).await;
    let random = |token: &str| BASE64_URL_SAFE_NO_PAD.decode(token).unwrap().split_off(16);

    assert_eq!(random(&one).len() * 8, 256);
    assert_ne!(random(&one), random(&other));
    stack.store.close().await;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(one.as_bytes()) && !holds(&random(&one)));
        assert!(!holds(stack.secret("tenant1").as_bytes()));
    }
}

#[tokio::test]
async fn a30_a_use_that_could_not_be_stored_left_the_token_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("issuer.db").display());
    let stack = Stack::over(&url).await;
    let token = first(&stack).await;
    let replica = stack.replica(&url).await;

    stack.store.close().await;
    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;

    answer.assert_refused(503, "temporarily_unavailable", "store");
    let tokens = renew(&replica, "tenant1", "renewing", &token).tokens().await;
    renew(&replica, "tenant1", "renewing", &refresh_token(&tokens)).tokens().await;
}

#[tokio::test]
async fn a_revoked_family_gives_nothing() {
    let stack = Stack::new().await;
    let token = first(&stack).await;
    let sent = stack.post_by(REVOKE, "tenant1", "renewing").with("tenant_id", "tenant1");
    sent.with("token", &token).tokens().await;

    let answer = renew(&stack, "tenant1", "renewing", &token).send().await;
    answer.assert_invalid_grant("refresh_token_ended");
}

/// A registration is believed for thirty seconds, so the old secret is good for an access token. What
/// it begins must not last for a month.
#[tokio::test]
async fn a28_a_secret_that_was_changed_begins_no_family() {
    let stack = Stack::new().await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    first(&stack).await;
    let secret = tenantry_issuer::Secret::generate().unwrap();
    assert!(stack.store.set_client_secret(&tenant, &client, &secret.hash()).await.unwrap());

    let answer = stack.token_for("renewing").send().await;

    answer.assert_refused(400, "unauthorized_client", "client_gone");
    stack.token_for("renewing").send().await.assert_invalid_client("secret_wrong");
}

#[tokio::test]
async fn a28_a_client_that_was_removed_begins_no_family_of_the_next_of_its_name() {
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    for event in ["another secret", "the same secret", "another tenant"] {
        let stack = Stack::new().await;
        first(&stack).await;
        let before = stack.store.registration(&tenant, &client).await.unwrap().unwrap();
        let (old_tenant, mut next, _) = before;
        match event {
            "another tenant" => {
                assert!(stack.store.remove_tenant(&tenant).await.unwrap());
                let created_at = NOW + Duration::from_secs(1);
                stack.store.add_tenant(&Tenant { created_at, ..old_tenant }).await.unwrap();
            }
            _ => {
                assert!(stack.store.remove_client(&tenant, &client).await.unwrap());
                next.created_at = NOW + Duration::from_secs(1);
            }
        }
        if event == "another secret" {
            next.auth = ClientAuth::Basic(SecretHash::of("new"));
        }
        stack.store.add_client(&next).await.unwrap();

        let answer = stack.token_for("renewing").send().await;

        answer.assert_refused(400, "unauthorized_client", "client_gone");
    }
}

#[tokio::test]
async fn a28_a_client_whose_families_were_revoked_begins_anew_at_once() {
    let stack = Stack::new().await;
    let (tenant, client) = ("tenant1".parse().unwrap(), "renewing".parse().unwrap());
    let old = first(&stack).await;
    assert!(stack.store.revoke_families_of(&tenant, Some(&client)).await.unwrap());

    let new = first(&stack).await;

    assert!(!is_live(&stack, &old).await);
    assert!(is_live(&stack, &new).await);
}

#[tokio::test]
async fn a27_a_clock_that_goes_back_lengthens_the_grace_by_what_clocks_may_differ_at_most() {
    let hour = Duration::from_secs(3600);
    for (behind, reason) in [(300_000, None), (300_001, Some("refresh_token_reused"))] {
        let stack = Stack::new().await;
        let token = first(&stack).await;
        stack.clock.advance(hour);
        renew(&stack, "tenant1", "renewing", &token).tokens().await;

        stack.clock.set_unix(NOW + hour - Duration::from_millis(behind));

        let again = renew(&stack, "tenant1", "renewing", &token).send().await;
        match reason {
            None => assert_eq!(again.status, StatusCode::OK, "{}", again.text()),
            Some(reason) => again.assert_invalid_grant(reason),
        }
    }
}
