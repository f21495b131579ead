//! `tenantry keys`: what tokens are signed with.

use crate::args::{KeysCommand, Place};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(_: &KeysCommand, _: &Place, _: Output) -> Result<(), Failure> {
    Err(Failure::told("not built yet"))
}
