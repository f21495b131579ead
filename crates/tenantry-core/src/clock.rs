//! The time, passed in.

use std::time::Duration;

/// Tells the time to whatever depends on it: key sets and token lifetimes.
///
/// The decision itself takes no clock. Tests pass one that they set by hand.
pub trait Clock: Send + Sync + 'static {
    /// Time since the Unix epoch. May jump, in both directions.
    fn unix(&self) -> Duration;

    /// Time since a moment of the clock's own choosing. Never goes back.
    fn monotonic(&self) -> Duration;
}
