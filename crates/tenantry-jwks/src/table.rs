//! The rows of `docs/keys.md`, each as tests.

mod absent_kid;
mod back_off;
mod capacity;
mod clock;
mod concurrency;
mod discovery;
mod egress;
mod fetch;
mod fetches_in_flight;
mod figures;
mod refresh_ahead;
mod snapshot;
mod soft_lifetime;
mod stale_on_failure;
mod status;
mod unknown_kid;
