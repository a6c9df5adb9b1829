//! How long to wait before a child's place is filled again.

use std::time::Duration;

/// The first pause and the longest; each is twice the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        // Without any pause a broken program would be started without end.
        let first = first.max(Duration::from_millis(1));
        Self {
            first,
            longest: longest.max(first),
        }
    }

    fn number(&self, number: u32) -> Duration {
        let factor = 2_u32.saturating_pow(number);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// The pauses of one place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    /// Early ends since the last child that lived long enough.
    early: u32,
}

impl Backoff {
    /// The child ended on purpose, by status 0. `counted`: it has a maximum of requests, and may
    /// well have served them in no time.
    pub(crate) fn finished(&mut self, lived: Duration, pauses: Pauses, counted: bool) -> Duration {
        if lived >= pauses.first {
            self.early = 0;
            Duration::ZERO
        } else if counted {
            pauses.first - lived
        } else {
            self.failed(lived, pauses)
        }
    }

    /// The child ended by an error, or (after no time) was not even started.
    pub(crate) fn failed(&mut self, lived: Duration, pauses: Pauses) -> Duration {
        if lived >= pauses.longest {
            self.early = 0;
        }
        let pause = pauses.number(self.early);
        self.early = self.early.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn failures_pause_longer_each_time() {
        let (mut backoff, pauses) = (Backoff::default(), Pauses::new(ms(100), ms(10_000)));
        for wanted in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            assert_eq!(backoff.failed(ms(9_999), pauses), ms(wanted));
        }
        for _ in 0..100 {
            assert_eq!(backoff.failed(NO_TIME, pauses), ms(10_000));
        }
        assert_eq!(backoff.failed(ms(10_000), pauses), ms(100));
        assert_eq!(backoff.failed(NO_TIME, pauses), ms(200));
    }

    #[test]
    fn who_ends_on_purpose_is_replaced_at_once() {
        let (mut backoff, pauses) = (Backoff::default(), Pauses::new(ms(100), ms(10_000)));
        assert_eq!(backoff.failed(NO_TIME, pauses), ms(100));
        assert_eq!(backoff.finished(ms(100), pauses, false), NO_TIME);
        assert_eq!(backoff.failed(NO_TIME, pauses), ms(100));
    }

    #[test]
    fn who_ends_right_after_its_start_is_not() {
        let (mut backoff, pauses) = (Backoff::default(), Pauses::new(ms(100), ms(10_000)));
        for wanted in [100, 200, 400] {
            assert_eq!(backoff.finished(ms(99), pauses, false), ms(wanted));
        }
        // Unless it has served all it should; then starts are only kept apart.
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            assert_eq!(backoff.finished(ms(30), pauses, true), ms(70));
        }
    }

    #[test]
    fn there_is_always_a_pause() {
        let pauses = Pauses::new(NO_TIME, NO_TIME);
        assert_eq!(Backoff::default().failed(NO_TIME, pauses), ms(1));
    }
}
