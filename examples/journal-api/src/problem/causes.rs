//! What went wrong, as a problem document.

use std::error::Error;

use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::StatusCode;

use super::Problem;
use crate::balance::BalanceError;
use crate::cursor::InvalidCursor;
use crate::idempotency::InvalidKey;
use crate::invalid::InvalidEntry;
use crate::store::BookError;
use crate::store_error::StoreError;

/// The most bytes of a detail that quotes from the request.
pub(super) const MAX_DETAIL: usize = 300;

impl From<InvalidEntry> for Problem {
    fn from(invalid: InvalidEntry) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let detail = invalid.to_string();
        let InvalidEntry::Unbalanced(differences) = invalid else {
            return Self::new(status, "entry_invalid", "this is not a journal entry", detail);
        };
        let difference = differences
            .into_iter()
            .map(|(currency, by)| (currency.code().to_owned(), by.to_string().into()));
        Self {
            difference: Some(difference.collect()),
            ..Self::new(status, "entry_unbalanced", "the entry does not balance", detail)
        }
    }
}

impl From<InvalidKey> for Problem {
    fn from(invalid: InvalidKey) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_invalid",
            "the Idempotency-Key cannot be used",
            invalid.to_string(),
        )
    }
}

impl From<BalanceError> for Problem {
    fn from(error: BalanceError) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "trial_balance_too_large",
            "the trial balance is too large",
            format!("In this period {error}. Ask for a shorter one."),
        )
    }
}

impl From<BookError> for Problem {
    fn from(error: BookError) -> Self {
        match error {
            BookError::AlreadyReversed(by) => Self::new(
                StatusCode::CONFLICT,
                "entry_reversed",
                "the entry was reversed before",
                format!("It was reversed by {by}, and an entry is reversed once."),
            ),
            BookError::Invalid(invalid) => invalid.into(),
            BookError::IsReversal => Self::new(
                StatusCode::CONFLICT,
                "entry_is_reversal",
                "the entry is a reversal",
                "A reversal is not reversed. Book the entry again.",
            ),
            BookError::NotFound => Self::entry_not_found(),
            BookError::KeyInProgress => Self::new(
                StatusCode::CONFLICT,
                "idempotency_key_in_progress",
                "a request with this Idempotency-Key is being worked on",
                "Wait for its answer, or send the same request again in a moment.",
            ),
            BookError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this Idempotency-Key was of another request",
                "A retry has the same path and the same body. Choose a new key for another one.",
            ),
            BookError::Store(error) => error.into(),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::too_large();
        }
        Self::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "the body ended before its time",
            "Nothing was booked. Send it again.",
        )
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match &rejection {
            JsonRejection::JsonDataError(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "entry_invalid",
                "this is not a journal entry",
                quoted(&rejection),
            ),
            JsonRejection::MissingJsonContentType(_) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type_unsupported",
                "the body does not say that it is JSON",
                "Send Content-Type: application/json.",
            ),
            // Broken JSON. That the body did not arrive is known before.
            _ => Self::new(
                StatusCode::BAD_REQUEST,
                "json_malformed",
                "the body is not JSON",
                quoted(&rejection),
            ),
        }
    }
}

impl From<InvalidCursor> for Problem {
    fn from(invalid: InvalidCursor) -> Self {
        Self::query(invalid.to_string())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::query(quoted(&rejection))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_crowded() {
            tracing::info!("{error}");
            return Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "tenant_busy",
                "too many requests of this tenant are being worked on",
                "Nothing was booked. Wait for some answers, and send it again.",
            );
        }
        let source = error.source().map(tracing::field::display);
        if error.is_busy() {
            tracing::warn!(source, "{error}");
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "too many requests are being worked on",
                "Nothing was booked. Retry in a moment.",
            );
        }
        tracing::error!(source, "{error}");
        Self::internal()
    }
}

/// What the reader of the request said. It may quote the request, which may be long.
fn quoted(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let mut detail = innermost.to_string();
    detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
    detail
}
