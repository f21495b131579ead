//! What a store promises, the same on SQLite and on PostgreSQL, and what servers over it do.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests of both databases share fails the test"
)]

mod audit;
mod cancelled;
mod clients;
mod fixture;
mod keys;
mod once;
mod only_postgres;
mod opening;
mod outage;
mod postgres;
mod races;
mod refresh;
mod refresh_model;
mod replicas;
mod servers;
mod storm;
mod tenants;

/// Makes two tests of each function: one on a SQLite file, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::fixture::Fixture::sqlite().await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let Some(fixture) = $crate::fixture::Fixture::postgres().await else { return };
                    let database = fixture.database().clone();
                    super::$name(fixture).await;
                    database.remove().await;
                }
            )*
        }
    };
}

pub(crate) use on_both;
