//! `tenantry serve issuer`.

use crate::args::{Place, ServeIssuer};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(_: &ServeIssuer, _: &Place, _: Output) -> Result<(), Failure> {
    Err(Failure::told("not built yet"))
}
