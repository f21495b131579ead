//! The router under attack, made at once or after waiting.

use std::future::Future;

use axum::Router;

/// What the closure of [`AttackSuite::run`](crate::AttackSuite::run) may return: a [`Router`], or a
/// future of one.
///
/// `Made` tells the two apart for the compiler; it never has to be written.
pub trait IntoRouter<Made> {
    /// Makes the router.
    fn into_router(self) -> impl Future<Output = Router>;
}

/// Marks what is a router already.
#[derive(Debug)]
pub struct AtOnce;

/// Marks what has to be awaited.
#[derive(Debug)]
pub struct Awaited;

impl IntoRouter<AtOnce> for Router {
    async fn into_router(self) -> Router {
        self
    }
}

impl<F: Future<Output = Router>> IntoRouter<Awaited> for F {
    fn into_router(self) -> impl Future<Output = Router> {
        self
    }
}
