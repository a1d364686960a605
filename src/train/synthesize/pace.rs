//! How fast and how much is asked: waiting, the rate limit, the budget, and the wish to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait between two looks at whether the user wants to stop.
const SLICE: Duration = Duration::from_millis(100);

/// Time, which tests replace.
pub trait Clock: Sync {
    /// The time now.
    fn now(&self) -> Instant;
    /// Waits.
    fn sleep(&self, pause: Duration);
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

/// Spaces the requests of all threads, and tells them when to stop.
pub struct Pace<'a> {
    clock: &'a dyn Clock,
    interrupted: &'a AtomicBool,
    halted: AtomicBool,
    interval: Duration,
    next: Mutex<Instant>,
}

impl<'a> Pace<'a> {
    /// At most `per_minute` requests a minute, evenly spaced; `interrupted` is set by Ctrl-C.
    pub fn new(per_minute: f64, clock: &'a dyn Clock, interrupted: &'a AtomicBool) -> Self {
        Self {
            clock,
            interrupted,
            halted: AtomicBool::new(false),
            interval: Duration::from_secs_f64(60.0 / per_minute),
            next: Mutex::new(clock.now()),
        }
    }

    /// Waits for this thread's turn; false when the work is to stop instead.
    pub fn turn(&self) -> bool {
        while let Some(wait) = self.claim() {
            if !self.sleep(wait) {
                return false;
            }
        }
        !self.stopped()
    }

    /// Takes the next turn if it has come, else says how long it is off.
    fn claim(&self) -> Option<Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if *next > now {
            return Some(*next - now);
        }
        *next = now + self.interval;
        None
    }

    /// Lets nobody have a turn for `pause`: the server asked for it.
    pub fn hold(&self, pause: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(self.clock.now() + pause);
    }

    /// Sleeps; false when the work is to stop instead.
    pub fn sleep(&self, pause: Duration) -> bool {
        let until = self.clock.now() + pause;
        while !self.stopped() {
            let left = until.saturating_duration_since(self.clock.now());
            if left.is_zero() {
                return true;
            }
            self.clock.sleep(left.min(SLICE));
        }
        false
    }

    /// Ends the work: no further turns.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// Whether the user pressed Ctrl-C.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether no further request is to begin.
    pub fn stopped(&self) -> bool {
        self.interrupted() || self.halted.load(Ordering::Relaxed)
    }
}

/// What one run may use.
pub struct Budget {
    requests: usize,
    tokens: u64,
    sent: AtomicUsize,
    used: AtomicU64,
    refused: AtomicBool,
}

impl Budget {
    /// At most so many requests and tokens; none is no limit.
    pub fn new(requests: Option<usize>, tokens: Option<u64>) -> Self {
        Self {
            requests: requests.unwrap_or(usize::MAX),
            tokens: tokens.unwrap_or(u64::MAX),
            sent: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            refused: AtomicBool::new(false),
        }
    }

    /// Takes one request out of the budget; false when there is none left, or no token.
    pub fn take(&self) -> bool {
        let more = |sent| (sent < self.requests && self.used() < self.tokens).then_some(sent + 1);
        let taken = self
            .sent
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        self.refused.fetch_or(taken.is_err(), Ordering::Relaxed);
        taken.is_ok()
    }

    /// Counts tokens used.
    pub fn spend(&self, tokens: u64) {
        self.used.fetch_add(tokens, Ordering::SeqCst);
    }

    /// Requests sent so far.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// Tokens used so far.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    /// Whether a request was refused for want of budget.
    pub fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A clock on which time passes only by sleeping.
    pub struct TestClock {
        start: Instant,
        slept: Mutex<Duration>,
    }

    impl TestClock {
        pub fn new() -> Self {
            Self {
                start: Instant::now(),
                slept: Mutex::default(),
            }
        }

        pub fn slept(&self) -> Duration {
            *self.slept.lock().unwrap()
        }
    }

    impl Clock for TestClock {
        fn now(&self) -> Instant {
            self.start + self.slept()
        }

        fn sleep(&self, pause: Duration) {
            *self.slept.lock().unwrap() += pause;
        }
    }

    fn going() -> AtomicBool {
        AtomicBool::new(false)
    }

    #[test]
    fn turns_are_spaced_evenly() {
        let (clock, going) = (TestClock::new(), going());
        let pace = Pace::new(30.0, &clock, &going);
        assert!((0..4).all(|_| pace.turn()));
        assert_eq!(clock.slept(), Duration::from_secs(6));
    }

    #[test]
    fn a_hold_delays_every_turn_after_it() {
        let (clock, going) = (TestClock::new(), going());
        let pace = Pace::new(6000.0, &clock, &going);
        pace.hold(Duration::from_secs(7));
        pace.hold(Duration::from_secs(3));
        assert!(pace.turn());
        assert_eq!(clock.slept(), Duration::from_secs(7));
    }

    #[test]
    fn stopping_ends_a_wait_at_once() {
        let (clock, stop) = (TestClock::new(), AtomicBool::new(true));
        assert!(!Pace::new(60.0, &clock, &stop).sleep(Duration::from_secs(9)));
        let going = going();
        let pace = Pace::new(60.0, &clock, &going);
        pace.halt();
        assert!(!pace.turn() && !pace.interrupted());
        assert_eq!(clock.slept(), Duration::ZERO);
    }

    #[test]
    fn the_budget_ends_at_requests_or_tokens() {
        let budget = Budget::new(Some(2), None);
        assert!(budget.take() && budget.take() && !budget.refused());
        assert!(!budget.take() && budget.refused());
        assert_eq!(budget.sent(), 2);
        let budget = Budget::new(None, Some(10));
        budget.spend(9);
        assert!(budget.take());
        budget.spend(1);
        assert!(!budget.take());
    }
}
