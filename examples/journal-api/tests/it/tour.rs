use journal_api::{table, tour};

use crate::running::Running;

#[tokio::test]
async fn every_request_of_the_tour_gets_the_status_and_code_it_is_there_to_show() {
    let app = Running::start().await;

    let rows = tour::play(&app.url, &app.server, &app.issuer).await.unwrap();

    let got: Vec<_> = rows.iter().map(|row| (row.status, row.code.as_deref())).collect();
    let expected = [
        (400, Some("invalid_request")),
        (200, None),
        (400, Some("invalid_scope")),
        (201, None),
        (201, None),
        (403, Some("scope_missing")),
        (403, Some("scope_missing")),
        (403, Some("tenant_mismatch.path")),
        (403, Some("tenant_mismatch.header")),
        (401, Some("audience_mismatch")),
        (401, Some("token_expired")),
        (422, Some("entry_unbalanced")),
        (201, None),
        (401, Some("key_unknown")),
    ];
    assert_eq!(got, expected, "{}", table::Table(&rows));
    for row in &rows {
        assert!(!row.why.is_empty(), "no reason for {:?}", row.story);
    }
    // The first refusal says what to change, and the third whose scopes they are.
    for part in ["audience=https://api.erp.example/{tenant}", "tenant_id", "/{tenant}/oauth/token"]
    {
        assert!(rows[0].why.contains(part), "{}", rows[0].why);
    }
    assert_eq!(rows[1].why, "a token for tenant1.finance.write tenant1.journal.create");
    assert!(rows[2].why.contains("tenant1") && rows[2].why.contains("tenant2"), "{}", rows[2].why);
    // What was refused was not booked.
    assert_eq!((app.count("tenant1").await, app.count("tenant2").await), (2, 1));
}

#[tokio::test]
async fn the_table_of_the_tour_fits_a_hundred_columns() {
    let app = Running::start().await;
    let rows = tour::play(&app.url, &app.server, &app.issuer).await.unwrap();

    let table = table::Table(&rows).to_string();

    let plain = anstream::adapter::strip_str(&table).to_string();
    for line in plain.lines() {
        assert!(line.chars().count() <= table::WIDTH, "{line}");
    }
    for row in &rows {
        let code = row.code.as_deref().unwrap_or_default();
        assert!(plain.contains(code), "{code} is cut in two:\n{plain}");
    }
}
