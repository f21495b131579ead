//! Random bytes for secrets and names.

use std::error::Error;
use std::fmt;

use aws_lc_rs::rand;

/// Returns `N` bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomError(()))?;
    Ok(bytes)
}

/// The system's generator gave no random numbers, so nothing was generated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RandomError(());

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system's generator gave no random numbers")
    }
}

impl Error for RandomError {}
