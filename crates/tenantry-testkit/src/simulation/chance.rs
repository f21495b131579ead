//! Chance that follows from a seed.

use std::time::Duration;

/// SplitMix64. Good enough for weather, and the same everywhere.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own: what it is asked for does not move this one.
    pub(super) const fn split(&mut self) -> Self {
        Self(self.draw())
    }

    /// A number spread evenly over all of `u64`.
    pub(super) const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; zero if that is zero.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let part = (u128::from(self.draw()) * u128::from(limit)) >> 64;
        u64::try_from(part).expect("a part is no longer than the whole")
    }

    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Whole milliseconds, both ends included.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (least, most) = (milliseconds(least), milliseconds(most));
        let spread = most.saturating_sub(least).saturating_add(1);
        Duration::from_millis(least.saturating_add(self.below(spread)))
    }

    /// One of `choices`; they are given as literals, and not none.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let length = u64::try_from(choices.len()).expect("few choices");
        let index = usize::try_from(self.below(length)).expect("below the number of choices");
        *choices.get(index).expect("there is something to choose from")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            [(); 4].map(|()| chance.draw())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        // The first number of SplitMix64 for a seed of zero.
        assert_eq!(draw(0).first(), Some(&0xE220_A839_7B1D_CDAF));
    }

    #[test]
    fn a_number_between_two_is_between_them_and_both_ends_come_up() {
        let mut chance = Chance::new(7);
        let (least, most) = (Duration::from_millis(3), Duration::from_millis(5));
        let drawn: Vec<_> = (0..100).map(|_| chance.between(least, most)).collect();
        assert!(drawn.iter().all(|time| (least..=most).contains(time)));
        assert!(drawn.contains(&least) && drawn.contains(&most));
        assert_eq!(chance.between(most, least), most);
    }

    #[test]
    fn what_a_part_is_asked_for_does_not_move_the_whole() {
        let (mut one, mut other) = (Chance::new(3), Chance::new(3));
        one.split().draw();
        let _ = other.split();
        assert_eq!(one.draw(), other.draw());
    }
}
