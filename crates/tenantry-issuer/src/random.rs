//! Random bytes for secrets and names.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;

use aws_lc_rs::rand;

/// Returns `N` bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomError(()))?;
    Ok(bytes)
}

/// Returns 16 bytes to name something by.
///
/// They are drawn by the dozen, because each call of the generator costs much more than its bytes, and
/// wait in memory until they are used. So they are for names that everybody may see, not for secrets.
pub(crate) fn random_name() -> Result<[u8; 16], RandomError> {
    thread_local! {
        static READY: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    READY.with_borrow_mut(|ready| {
        if ready.is_empty() {
            ready.extend(random::<{ 16 * 64 }>()?.as_chunks().0);
        }
        ready.pop().ok_or(RandomError(()))
    })
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_names_are_the_same_on_whatever_thread() {
        let draw = || (0..200).map(|_| random_name().unwrap()).collect::<Vec<_>>();
        let other = std::thread::spawn(draw);
        let mut names: HashSet<_> = draw().into_iter().collect();
        names.extend(other.join().unwrap());
        assert_eq!(names.len(), 400);
    }
}
