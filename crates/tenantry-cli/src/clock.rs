//! The time of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the Unix epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A moment since the Unix epoch, to the second, in UTC.
pub(crate) fn written(moment: Duration) -> String {
    let seconds = i64::try_from(moment.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".into(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(written(Duration::from_millis(1_763_000_000_900)), "2025-11-13T02:13:20Z");
        assert_eq!(written(Duration::MAX), "?");
    }
}
