//! Going on after what may pass.

use std::time::Duration;

use crate::error::{Error, Result};

/// Attempts that may fail one after another without any gain.
const ATTEMPTS: u32 = 5;
/// The first wait; it doubles each time.
const BACKOFF: Duration = Duration::from_millis(500);

/// Why an attempt failed.
#[derive(Debug)]
pub enum Trouble {
    /// May pass; the server may have named a pause.
    Passing(Error, Option<Duration>),
    /// Will not pass.
    Lasting(Error),
}

/// What an attempt comes to.
pub type Attempt<T> = std::result::Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

/// Counts failures and waits between them.
#[derive(Default)]
pub struct Patience {
    failures: u32,
}

impl Patience {
    /// Waits, after which another attempt may do better.
    ///
    /// # Errors
    /// The trouble's error where it will not pass, or too many attempts have failed.
    pub fn after(&mut self, trouble: Trouble) -> Result<()> {
        let (error, pause) = match trouble {
            Trouble::Passing(error, pause) => (error, pause),
            Trouble::Lasting(error) => return Err(error),
        };
        self.failures += 1;
        if self.failures >= ATTEMPTS {
            return Err(error.context(format!("given up after {ATTEMPTS} attempts")));
        }
        let pause = pause.unwrap_or(BACKOFF * (1 << (self.failures - 1)));
        eprintln!("{error}; trying again in {} s", pause.as_secs_f32());
        std::thread::sleep(pause);
        Ok(())
    }

    /// Something was gained: earlier failures no longer count.
    pub fn renew(&mut self) {
        self.failures = 0;
    }
}

/// Attempts `work` until it is done.
///
/// # Errors
/// As [`Patience::after`].
pub fn retry<T>(mut work: impl FnMut() -> Attempt<T>) -> Result<T> {
    let mut patience = Patience::default();
    loop {
        match work() {
            Ok(done) => return Ok(done),
            Err(trouble) => patience.after(trouble)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn passing() -> Trouble {
        let error = Error::new(ErrorKind::Network, "busy");
        Trouble::Passing(error, Some(Duration::ZERO))
    }

    #[test]
    fn what_passes_is_tried_again_but_not_for_ever() {
        let mut calls = 0;
        let mut work = |needed| {
            calls += 1;
            if calls < needed {
                Err(passing())
            } else {
                Ok(calls)
            }
        };
        assert_eq!(retry(|| work(3)).unwrap(), 3);
        let mut calls = 0;
        let never = retry(|| {
            calls += 1;
            Attempt::<()>::Err(passing())
        });
        assert!(never.unwrap_err().to_string().contains("busy"));
        assert_eq!(calls, ATTEMPTS);
    }

    #[test]
    fn what_lasts_ends_at_once() {
        let mut calls = 0;
        let result = retry(|| {
            calls += 1;
            Err::<(), _>(Trouble::Lasting(Error::new(ErrorKind::Network, "no")))
        });
        assert!(result.is_err() && calls == 1);
    }
}
