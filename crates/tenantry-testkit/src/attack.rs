//! Attacks against a user's own router: nothing may cross tenants.

mod answer;
mod attempt;
mod finding;
mod kind;
mod kinds;
mod network;
mod probe;
mod record;
mod report;
mod router;
mod shot;
mod stage;
mod suite;
mod values;

pub use finding::{Finding, Outcome};
pub use kind::AttackKind;
pub use probe::Probe;
pub use report::AttackReport;
pub use router::IntoRouter;
pub use suite::AttackSuite;
