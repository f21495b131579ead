//! The trial balance, against a model that adds whole numbers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;
use crate::balance::{MAX_ROWS, Period};

/// What was paid from one account to another, in minor units.
type Payment = (&'static str, &'static str, &'static str, u32, i128);

fn payment() -> impl Strategy<Value = Payment> {
    let account = || prop::sample::select(vec!["1200", "1300", "6310"]);
    let currency = prop::sample::select(vec![("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)]);
    let minor = prop_oneof![1..10_i128, 1..10_i128.pow(15), Just(10_i128.pow(15) - 1)];
    (account(), account(), currency, minor)
        .prop_map(|(to, from, (currency, digits), minor)| (to, from, currency, digits, minor))
}

fn written(minor: i128, digits: u32) -> String {
    rust_decimal::Decimal::from_i128_with_scale(minor, digits).to_string()
}

fn booking((to, from, currency, digits, minor): &Payment) -> JournalEntry {
    let amount = written(*minor, *digits);
    let new: NewEntry = serde_json::from_value(json!({"date": "2026-11-21", "memo": "", "lines": [
        {"account": to, "debit": amount, "currency": currency},
        {"account": from, "credit": amount, "currency": currency}]}))
    .unwrap();
    new.try_into().unwrap()
}

fn model(payments: &[Payment]) -> serde_json::Value {
    let mut accounts = BTreeMap::<_, (i128, i128)>::new();
    let mut totals = BTreeMap::<_, i128>::new();
    for (to, from, currency, digits, minor) in payments {
        accounts.entry((*to, *currency, *digits)).or_default().0 += minor;
        accounts.entry((*from, *currency, *digits)).or_default().1 += minor;
        *totals.entry((*currency, *digits)).or_default() += minor;
    }
    let accounts = accounts.into_iter().map(|((account, currency, digits), (debit, credit))| {
        json!({"account": account, "currency": currency, "debit": written(debit, digits),
            "credit": written(credit, digits), "balance": written(debit - credit, digits)})
    });
    let totals = totals.into_iter().map(|((currency, digits), total)| {
        let total = written(total, digits);
        json!({"currency": currency, "debit": total, "credit": total})
    });
    json!({"accounts": accounts.collect::<Vec<_>>(), "totals": totals.collect::<Vec<_>>()})
}

async fn balance(journal: &Journal, tenant: &ProvenTenant, period: Period) -> serde_json::Value {
    let balance = journal.trial_balance(tenant, period).await.unwrap().unwrap();
    serde_json::to_value(balance).unwrap()
}

proptest! {
    #![proptest_config(Config::with_cases(24))]
    #[test]
    fn a_trial_balance_agrees_with_a_model_in_minor_units(
        payments in prop::collection::vec(payment(), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let found = runtime.block_on(async {
            let (_dir, journal) = journal().await;
            let tenant = proven("tenant1");
            for payment in &payments {
                book(&journal, &tenant, &booking(payment)).await.unwrap();
            }
            book(&journal, &proven("tenant2"), &entry("theirs")).await.unwrap();
            balance(&journal, &tenant, Period::default()).await
        });
        prop_assert_eq!(found, model(&payments));
    }
}

#[tokio::test]
async fn the_largest_amounts_add_up_beyond_64_bits() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let most = 10_i128.pow(19) - 1; // 999999999999999.9999
    let payments: Vec<Payment> = vec![("1200", "1300", "CLF", 4, most); 3];
    for payment in &payments {
        book(&journal, &tenant, &booking(payment)).await.unwrap();
    }
    let found = balance(&journal, &tenant, Period::default()).await;
    assert_eq!(found, model(&payments));
    assert_eq!(found["totals"][0]["debit"], "2999999999999999.9997");
}

#[tokio::test]
async fn a_period_has_its_first_and_its_last_day() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    for day in ["2026-11-20", "2026-11-21", "2026-11-22"] {
        let mut new = serde_json::to_value(entry("rent")).unwrap();
        new["date"] = day.into();
        let new: NewEntry = serde_json::from_value(new).unwrap();
        book(&journal, &tenant, &new.try_into().unwrap()).await.unwrap();
    }
    let yen = async |from: Option<&str>, to: Option<&str>| {
        let day = |day: Option<&str>| day.map(|day| day.parse().unwrap());
        let period = Period { from: day(from), to: day(to) };
        balance(&journal, &tenant, period).await["totals"][1]["debit"].clone()
    };
    assert_eq!(yen(None, None).await, "21");
    assert_eq!(yen(Some("2026-11-21"), None).await, "14");
    assert_eq!(yen(None, Some("2026-11-20")).await, "7");
    assert_eq!(yen(Some("2026-11-21"), Some("2026-11-21")).await, "7");
    assert_eq!(yen(Some("2026-11-23"), None).await, json!(null));
}

#[tokio::test]
async fn isolation_joins_of_the_balance_name_the_tenant() {
    let (_dir, journal) = journal().await;
    let (ours, theirs) = (proven("tenant1"), proven("tenant2"));
    book(&journal, &ours, &entry("rent")).await.unwrap();
    let before = balance(&journal, &ours, Period::default()).await;
    copy_to_tenant2(&journal).await;
    assert_eq!(balance(&journal, &ours, Period::default()).await, before);
    let copied = balance(&journal, &theirs, Period::default()).await;
    assert_eq!(copied["totals"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn too_many_accounts_are_an_error() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let mut account = 0;
    while account <= MAX_ROWS {
        let lines = (0..1000).map(|line| {
            account += 1;
            let side = ["debit", "credit"][line % 2];
            json!({"account": account.to_string(), side: "1", "currency": "EUR"})
        });
        let lines: Vec<_> = lines.collect();
        let new = json!({"date": "2026-11-21", "memo": "", "lines": lines});
        let new: NewEntry = serde_json::from_value(new).unwrap();
        book(&journal, &tenant, &new.try_into().unwrap()).await.unwrap();
    }
    let balance = journal.trial_balance(&tenant, Period::default()).await.unwrap();
    assert_eq!(balance, Err(crate::balance::BalanceError::TooManyRows));
}

#[tokio::test]
async fn callers_that_go_away_leave_a_tenant_with_no_more_than_its_share() {
    let (_dir, journal) = journal().await;
    let tenant = proven("tenant1");
    let mut transaction = journal.pool.begin().await.unwrap();
    for rows in [
        "INSERT INTO journal_line WITH RECURSIVE n(at) AS \
         (SELECT 0 UNION ALL SELECT at + 1 FROM n WHERE at < 299999) \
         SELECT 'tenant1', 'e', at, '1200', iif(at % 2, 'debit', 'credit'), '1', 'EUR' FROM n",
        "INSERT INTO journal_entry VALUES ('tenant1', 'e', '2026-11-21', '')",
    ] {
        sqlx::query(rows).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let moment = Duration::from_millis(20);
    for _ in 0..CONNECTIONS {
        let balance = journal.trial_balance(&tenant, Period { from: None, to: None });
        assert!(tokio::time::timeout(moment, balance).await.is_err(), "it takes longer");
    }
    let used = journal.pool.size() as usize - journal.pool.num_idle();
    assert!((1..=share::SHARE).contains(&used), "{used} connections are in use");
}
