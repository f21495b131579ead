//! `x-request-id`: what a caller can quote, and what is in the log.
//!
//! A caller may choose it: 1 to 128 of `[A-Za-z0-9._-]`, in one field. Anything else is replaced by
//! one of ours, so that it can go into logs and answers as it is.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::request_id::{MakeRequestId, RequestId};
use uuid::Uuid;

/// The field, of requests and answers.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of an id.
const MAX_ID: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Makes ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewId;

impl MakeRequestId for NewId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = Uuid::now_v7().to_string();
        HeaderValue::try_from(id).ok().map(RequestId::new)
    }
}

/// Removes what a caller sent as an id and is none.
pub(crate) async fn distrust(mut request: Request, next: Next) -> Response {
    let mut fields = request.headers().get_all(X_REQUEST_ID).iter();
    let one = fields.next().is_some_and(is_id) && fields.next().is_none();
    if !one {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    next.run(request).await
}

/// Lets whatever answers the request know its id.
pub(crate) async fn remember(request: Request, next: Next) -> Response {
    match request.extensions().get::<RequestId>().cloned() {
        Some(id) => CURRENT.scope(id, next.run(request)).await,
        None => next.run(request).await,
    }
}

/// The id of the request that is being answered, if one is.
pub(crate) fn current() -> Option<Box<str>> {
    CURRENT.try_with(|id| text(id).into()).ok()
}

/// The text of an id.
pub(crate) fn text(id: &RequestId) -> &str {
    // Made or checked above: it is ASCII.
    id.header_value().to_str().unwrap_or_default()
}

fn is_id(field: &HeaderValue) -> bool {
    let is_id_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=MAX_ID).contains(&field.len()) && field.as_bytes().iter().all(is_id_byte)
}
