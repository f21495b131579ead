//! What threads share. With `--cfg shuttle`, each use of it is a point at which the check of
//! interleavings may switch to another thread.

use std::future::Future;

use tokio::runtime::Handle;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicU64};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicU64};

/// Runs `task` on its own: nobody waits for it, and nobody can cancel it.
#[cfg(not(shuttle))]
pub(crate) fn spawn(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    runtime.spawn(task);
}

#[cfg(shuttle)]
pub(crate) fn spawn(_: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    drop(shuttle::future::spawn(task));
}
