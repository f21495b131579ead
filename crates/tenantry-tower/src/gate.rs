//! What the layers share, so that a subtle rule exists once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use tenantry_core::{Reason, Rejection};

use crate::body::RefusalBody;
use crate::figures;

pin_project! {
    /// Answers for the inner service, or refuses.
    #[derive(Debug)]
    pub struct GateFuture<F> {
        #[pin]
        gate: Gate<F>,
    }
}

pin_project! {
    #[project = GateProj]
    #[derive(Debug)]
    enum Gate<F> {
        Admitted { #[pin] future: F },
        Refused { rejection: Option<Rejection> },
    }
}

impl<F> GateFuture<F> {
    pub(crate) const fn admitted(future: F) -> Self {
        Self { gate: Gate::Admitted { future } }
    }

    pub(crate) const fn refused(rejection: Rejection) -> Self {
        Self { gate: Gate::Refused { rejection: Some(rejection) } }
    }
}

impl<F, B, E> Future for GateFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<RefusalBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().gate.project() {
            GateProj::Admitted { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(RefusalBody::inner)))
            }
            GateProj::Refused { rejection } => match rejection.take() {
                Some(rejection) => Poll::Ready(Ok(refuse(&rejection))),
                // Polled after it was done: there is nothing left to say.
                None => Poll::Pending,
            },
        }
    }
}

/// Logs and counts a refusal, and makes its answer.
pub(crate) fn refuse<B>(rejection: &Rejection) -> Response<RefusalBody<B>> {
    let cause = rejection_cause(rejection);
    let tenant = rejection.tenant().map(tracing::field::display);
    let reason = rejection.reason().code();
    let status = rejection.status().as_u16();
    // INVARIANT (secrets stay in): codes, the proven tenant, and our own words.
    match rejection.reason() {
        Reason::Misconfigured => tracing::error!(reason, status, tenant, cause, "request refused"),
        Reason::DirectoryUnavailable | Reason::KeysUnavailable => {
            tracing::warn!(reason, status, tenant, cause, "request refused");
        }
        _ => tracing::info!(reason, status, tenant, cause, "request refused"),
    }
    figures::refusal(rejection);
    RefusalBody::refusal(rejection)
}

fn rejection_cause(rejection: &Rejection) -> Option<String> {
    std::error::Error::source(rejection).map(|source| {
        let mut text = source.to_string();
        let mut next = source.source();
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    })
}

/// Gives back what `poll_ready` may have reserved in a service that is not called after all: a clone,
/// which has never been polled, takes its place.
///
/// INVARIANT (no network for strangers): who is refused, or waits for keys, holds no place that
/// others need.
pub(crate) fn give_back<S: Clone>(service: &mut S) {
    let unpolled = service.clone();
    *service = unpolled;
}
