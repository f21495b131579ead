use journal_api::demo::Demo;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use crate::running::{ANY_PORT, Running, client, rent};

#[tokio::test]
async fn the_figures_of_service_and_libraries_are_in_prometheus_text_form() {
    let app = Running::start().await;
    app.book("tenant1").await;
    app.post("/tenant1/journal-entries", &app.token("tenant1")).json(&rent()).send().await.unwrap();

    let answer = app.get_without_token("/metrics").send().await.unwrap();

    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for begin in [
        "# TYPE journal_requests_total counter",
        "# TYPE journal_request_seconds histogram",
        r#"journal_requests_total{method="POST",route="/{tenant}/journal-entries",status="201"} "#,
        r#"journal_request_seconds_bucket{method="POST",route="/{tenant}/journal-entries",le="0.001"} "#,
        "tenantry_key_fetches_total{",
    ] {
        assert!(text.lines().any(|line| line.starts_with(begin)), "{begin}\n{text}");
    }
    assert!(!text.contains("tenant1"), "{text}");
}

#[tokio::test]
async fn with_a_port_of_their_own_the_figures_are_nowhere_else() {
    let collector = TcpListener::bind(ANY_PORT).await.unwrap();
    let metrics = format!("http://{}/metrics", collector.local_addr().unwrap());
    let mut demo = Demo::start(ANY_PORT, ANY_PORT, None).await.unwrap();
    demo.service = demo.service.metrics_on(Some(collector));
    let app = Running::of(demo);

    let answer = client().get(&metrics).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let elsewhere = app.get_without_token("/metrics").send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED);
    let entries = metrics.replace("metrics", "tenant1/journal-entries");
    let answer = client().get(entries).bearer_auth(app.token("tenant1")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);

    app.stop.send(()).unwrap();
    app.serving.await.unwrap();
    assert!(client().get(&metrics).send().await.is_err(), "somebody still listens");
}
