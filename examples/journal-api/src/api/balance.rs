//! The trial balance.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;

use tenantry::Scoped;

use crate::balance::{Period, TrialBalance};
use crate::ledger::date;
use crate::problem::Problem;
use crate::scopes::Read;
use crate::store::Journal;

/// Sums per account
///
/// Debits and credits of the entries dated in a period, by account and currency. The totals are
/// equal.
#[utoipa::path(
    get,
    path = "/{tenant}/trial-balance",
    params(Days),
    responses((status = 200, description = "The sums.", body = TrialBalance)),
)]
pub(super) async fn trial_balance(
    caller: Scoped<Read>,
    State(journal): State<Journal>,
    days: Result<Query<Days>, QueryRejection>,
) -> Result<Json<TrialBalance>, Problem> {
    let Query(days) = days?;
    let period = Period { from: day(days.from)?, to: day(days.to)? };
    if period.from.zip(period.to).is_some_and(|(from, to)| from > to) {
        return Err(Problem::period_invalid());
    }
    Ok(Json(journal.trial_balance(caller.tenant(), period).await??))
}

/// Which entries count.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Days {
    /// The first day. Without it, from the first entry on.
    #[param(value_type = String, format = Date)]
    #[serde(default)]
    from: Option<String>,
    /// The last day. Without it, up to the last entry.
    #[param(value_type = String, format = Date)]
    #[serde(default)]
    to: Option<String>,
}

fn day(text: Option<String>) -> Result<Option<Date>, Problem> {
    let read = |text: String| {
        date(&text).ok_or_else(|| Problem::query("from and to are days written as 2026-11-21"))
    };
    text.map(read).transpose()
}
