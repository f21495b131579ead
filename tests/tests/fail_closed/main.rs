//! INVARIANT (fail closed): an error, a missing extension, keys or a directory that cannot be had, or
//! layers in the wrong order never reach the handler.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod directory;
mod keys;
mod nested;
mod order;
mod planted;
mod remembered;

use axum::body::Body;
use http::Request;
use tower::util::MapRequestLayer;

const PATH: &str = "/tenant1/journal-entries";
const KEYS_DOWN: &str = "keys_unavailable";

/// A layer that leaves something in the extensions.
fn plant<T: Clone + Send + Sync + 'static>(
    thing: T,
) -> MapRequestLayer<impl Fn(Request<Body>) -> Request<Body> + Clone> {
    MapRequestLayer::new(move |mut request: Request<Body>| {
        request.extensions_mut().insert(thing.clone());
        request
    })
}

/// Lets tasks in the background come to an end; nothing here takes time.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}
