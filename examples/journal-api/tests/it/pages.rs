use reqwest::StatusCode;
use reqwest::header::LINK;
use serde_json::{Value, json};

use crate::running::{Running, answer};

const OURS: &str = "/tenant1/journal-entries";

/// The target of the one link to a next page.
fn next(answer: &reqwest::Response) -> Option<String> {
    let link = answer.headers().get(LINK)?.to_str().unwrap();
    let target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    Some(target.to_owned())
}

#[tokio::test]
async fn the_links_lead_through_the_list() {
    let app = Running::start().await;
    let token = app.token("tenant1");
    let mut booked = Vec::new();
    for _ in 0..5 {
        booked.insert(0, app.book("tenant1").await);
    }

    let (mut seen, mut pages) = (Vec::new(), 0);
    let mut path = Some(format!("{OURS}?limit=2"));
    while let Some(at) = path {
        let answer = app.get(&at, &token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        path = next(&answer);
        let page: Value = answer.json().await.unwrap();
        // The body says the same.
        let cursor = page["next"].as_str();
        let expected = cursor.map(|cursor| format!("{OURS}?limit=2&cursor={cursor}"));
        assert_eq!(path, expected);
        seen.extend(page["entries"].as_array().unwrap().clone());
        pages += 1;
    }
    assert_eq!((seen, pages), (booked, 3));
}

#[tokio::test]
async fn isolation_a_cursor_of_another_tenant_shows_nothing_of_it() {
    let app = Running::start().await;
    let theirs = [app.book("tenant2").await, app.book("tenant2").await];
    let ours = app.book("tenant1").await;
    let list = async |tenant: &str, query: &str| {
        let path = format!("/{tenant}/journal-entries{query}");
        answer(app.get(&path, &app.token(tenant))).await
    };
    let (_, page) = list("tenant2", "?limit=1").await;
    assert_eq!(page["entries"], json!([theirs[1]]));
    let query = format!("?cursor={}", page["next"].as_str().unwrap());

    assert_eq!(list("tenant2", &query).await.1["entries"], json!([theirs[0]]));
    assert_eq!(list("tenant1", &query).await, (StatusCode::OK, json!({"entries": []})));
    app.book("tenant2").await;
    assert_eq!(list("tenant1", "").await.1, json!({"entries": [ours]}));
}
