//! Pages of a list, while others book.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;
use crate::cursor::Cursor;

proptest! {
    #![proptest_config(Config::with_cases(24))]
    #[test]
    fn a_walk_over_the_pages_sees_each_entry_once_whatever_is_booked_meanwhile(
        before in 0_usize..25,
        limit in 1_u32..8,
        meanwhile in prop::collection::vec(0_usize..3, 30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (booked, seen, sizes) = runtime.block_on(async {
            let (_dir, journal) = journal().await;
            let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
            let mut booked = Vec::new();
            for _ in 0..before {
                booked.push(book(&journal, &ours, &entry("rent")).await.unwrap());
                book(&journal, &theirs, &entry("theirs")).await.unwrap();
            }
            let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), None);
            for more in meanwhile {
                let page = journal.page(&ours, limit, cursor).await.unwrap();
                sizes.push(page.entries.len());
                seen.extend(page.entries.into_iter().map(|entry| entry.id));
                for _ in 0..more {
                    book(&journal, &ours, &entry("meanwhile")).await.unwrap();
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            (booked, seen, sizes)
        });
        // Newest first, none twice, none left out.
        prop_assert_eq!(seen, booked.into_iter().rev().collect::<Vec<_>>());
        let (last, full) = sizes.split_last().unwrap();
        prop_assert!(full.iter().all(|size| *size == limit as usize));
        // A page is empty only if the list is.
        prop_assert_eq!(*last == 0, before == 0);
    }
}

#[tokio::test]
async fn a_page_is_found_by_the_key_and_not_by_counting() {
    let (_dir, journal) = journal().await;
    let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(
        "EXPLAIN QUERY PLAN SELECT tenant, id, date, memo FROM journal_entry \
         WHERE tenant = 'tenant1' AND id < 'x' ORDER BY id DESC LIMIT 50",
    );
    let plan = plan.fetch_all(&journal.pool).await.unwrap();
    let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
    assert_eq!(steps, ["SEARCH journal_entry USING PRIMARY KEY (tenant=? AND id<?)"]);
}

#[tokio::test]
async fn isolation_a_cursor_is_a_place_in_the_list_of_whoever_uses_it() {
    let (_dir, journal) = journal().await;
    let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
    let older = book(&journal, &theirs, &entry("theirs")).await.unwrap();
    for _ in 0..3 {
        book(&journal, &ours, &entry("ours")).await.unwrap();
    }
    let newer = book(&journal, &theirs, &entry("theirs")).await.unwrap();

    let ids = async |limit, cursor| {
        let page = journal.page(&theirs, limit, cursor).await.unwrap();
        let ids: Vec<_> = page.entries.into_iter().map(|entry| entry.id).collect();
        (ids, page.next)
    };
    let foreign = journal.page(&ours, 1, None).await.unwrap().next;
    assert!(foreign.is_some());
    assert_eq!(ids(100, foreign).await, (vec![older], None));
    // The same as with an id that nobody has.
    assert_eq!(ids(100, Some(Cursor::behind(newer))).await, (vec![older], None));
    assert_eq!(ids(100, Some(Cursor::behind(EntryId::new()))).await, (vec![newer, older], None));
}
