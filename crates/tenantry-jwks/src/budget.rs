//! How often a stranger may cause a fetch.

use std::time::Duration;

/// Tokens that are spent one at a time and come back one at a time.
///
/// Anyone can make up a key id, so a fetch for an unknown one draws on this. It is charged before
/// the fetch, and what was charged is not given back when the fetch fails.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    capacity: u32,
    refill: Duration,
    tokens: u32,
    /// When the bucket was last known to hold `tokens`, with nothing of the next one earned.
    counted_at: Duration,
}

impl Bucket {
    /// Returns a full bucket of `capacity` that earns one token per `refill`.
    pub(crate) const fn full(capacity: u32, refill: Duration) -> Self {
        Self { capacity, refill, tokens: capacity, counted_at: Duration::ZERO }
    }

    /// Takes a token, or says that there is none.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        self.earn(now);
        let Some(left) = self.tokens.checked_sub(1) else {
            return false;
        };
        self.tokens = left;
        true
    }

    /// Whether there is a token to take.
    pub(crate) fn holds_one(&mut self, now: Duration) -> bool {
        self.earn(now);
        self.tokens > 0
    }

    fn earn(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.counted_at);
        let Some(earned) = elapsed.as_nanos().checked_div(self.refill.as_nanos()) else {
            // A refill time of zero: no limit.
            self.tokens = self.capacity;
            return;
        };
        let missing = self.capacity.saturating_sub(self.tokens);
        match u32::try_from(earned) {
            Ok(earned) if earned < missing => {
                self.tokens = self.tokens.saturating_add(earned);
                self.counted_at =
                    self.counted_at.saturating_add(self.refill.saturating_mul(earned));
            }
            // Full: what would be earned on top is lost, so a long silence saves nothing up.
            _ => {
                self.tokens = self.capacity;
                self.counted_at = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REFILL: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_bucket_of_two_gives_two_then_one_per_refill() {
        let mut bucket = Bucket::full(2, REFILL);
        for (now, given) in [
            (100, true),
            (100, true),
            (100, false),
            (129, false),
            (130, true),
            (130, false),
            (159, false),
            (160, true),
        ] {
            assert_eq!(bucket.take(seconds(now)), given, "at {now} s");
        }
    }

    #[test]
    fn a_long_silence_saves_up_no_more_than_the_capacity() {
        let mut bucket = Bucket::full(2, REFILL);
        assert!(bucket.take(seconds(0)));
        let later = seconds(1_000_000);
        assert_eq!([0; 3].map(|_| bucket.take(later)), [true, true, false]);
    }

    #[test]
    fn a_part_of_a_refill_time_is_not_lost_by_asking() {
        let mut bucket = Bucket::full(1, REFILL);
        assert!(bucket.take(seconds(0)));
        for now in 1..30 {
            assert!(!bucket.take(seconds(now)));
        }
        assert!(bucket.take(seconds(30)));
    }

    proptest! {
        // The model: never more than the capacity plus what the time since the start can refill.
        #[test]
        fn no_pattern_of_asking_gets_more_than_capacity_and_refills(
            steps in proptest::collection::vec(0_u64..50, 1..100),
        ) {
            let mut bucket = Bucket::full(2, REFILL);
            let (mut now, mut given) = (0, 0);
            for step in steps {
                now += step;
                given += u64::from(bucket.take(seconds(now)));
                prop_assert!(given <= 2 + now / 30);
            }
        }
    }
}
