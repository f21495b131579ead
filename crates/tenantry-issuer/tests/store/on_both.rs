//! One text of a test for both databases.

/// Makes two tests of each function: one on a SQLite file, one on PostgreSQL. Both get a `Fixture` of
/// the program that uses this.
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
