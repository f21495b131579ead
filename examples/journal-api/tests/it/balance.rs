use journal_api::demo;
use reqwest::StatusCode;
use serde_json::json;

use crate::running::{Running, answer};

const BALANCE: &str = "/tenant1/trial-balance";

#[tokio::test]
async fn a_trial_balance_adds_up_what_the_tenant_booked() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    app.book("tenant1").await;
    app.book("tenant1").await;
    app.book("tenant2").await;

    assert_eq!(
        answer(app.get(BALANCE, &token)).await,
        (
            StatusCode::OK,
            json!({
                "accounts": [
                    {"account": "1200", "currency": "EUR", "debit": "0.00", "credit": "2400.00",
                        "balance": "-2400.00"},
                    {"account": "6310", "currency": "EUR", "debit": "2400.00", "credit": "0.00",
                        "balance": "2400.00"},
                ],
                "totals": [{"currency": "EUR", "debit": "2400.00", "credit": "2400.00"}],
            })
        )
    );
    let before = answer(app.get(&format!("{BALANCE}?to=2026-11-20"), &token)).await;
    assert_eq!(before.1, json!({"to": "2026-11-20", "accounts": [], "totals": []}));
}

#[tokio::test]
async fn a_reversed_entry_leaves_nothing_in_the_balance() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let entry = app.book("tenant1").await;
    let reversal = format!("/tenant1/journal-entries/{}/reversal", entry["id"].as_str().unwrap());
    answer(app.post(&reversal, &token)).await;

    let (_, balance) = answer(app.get(BALANCE, &token)).await;
    for row in balance["accounts"].as_array().unwrap() {
        assert_eq!(row["balance"], "0.00");
    }
    let (_, none) = answer(app.get(&format!("{BALANCE}?from=2026-11-22"), &token)).await;
    assert_eq!(none["accounts"], json!([]));
}

#[tokio::test]
async fn a_period_that_is_none_is_refused() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    for query in
        ["from=", "to=2026-02-30", "to=21.11.2026", "from=2026-11-21&from=2026-11-21", "x=1"]
    {
        let (status, problem) = answer(app.get(&format!("{BALANCE}?{query}"), &token)).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &json!("query_malformed")),
            "{query}"
        );
    }
    let backwards = format!("{BALANCE}?from=2026-11-22&to=2026-11-21");
    let (status, problem) = answer(app.get(&backwards, &token)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "period_invalid");
}

#[tokio::test]
async fn a_trial_balance_needs_the_scope_of_reading() {
    let app = Running::start().await;
    let scope = "tenant1.finance.write tenant1.journal.create tenant2.journal.read";
    let token = demo::token(&app.issuer, "tenant1").scope(scope).sign();
    let (status, problem) = answer(app.get(BALANCE, &token)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")));
}
