//! Long work told to the person waiting: what is next, how long it takes, how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The steps of one command, with their times.
pub struct Steps {
    started: Instant,
    done: Vec<Done>,
}

struct Done {
    title: String,
    took: Duration,
    failed: bool,
}

impl Steps {
    /// Starts the clock.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Runs one step. `minutes` is what it takes from nothing on 2 cores.
    pub fn run<T>(
        &mut self,
        title: &str,
        minutes: f32,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        println!("\n==> {title} ({})", expectation(minutes));
        let started = Instant::now();
        let result = work();
        let took = started.elapsed();
        let verb = if result.is_ok() { "done" } else { "FAILED" };
        println!("    {verb} after {}", spoken(took));
        self.done.push(Done {
            title: title.to_string(),
            took,
            failed: result.is_err(),
        });
        result
    }

    /// Tells that a step has nothing to do.
    pub fn skip(&self, what: &str) {
        println!("\n==> {what}: already there");
    }

    /// Prints every step's minutes and the total.
    pub fn print(&self) {
        println!("\n  minutes  step");
        for step in &self.done {
            let mark = if step.failed { "  FAILED" } else { "" };
            println!("  {:>7.1}  {}{mark}", in_minutes(step.took), step.title);
        }
        println!("  {:>7.1}  in all", in_minutes(self.started.elapsed()));
    }
}

fn expectation(minutes: f32) -> String {
    if minutes < 1.0 {
        "under a minute".to_string()
    } else {
        format!("from nothing about {minutes:.0} min on 2 cores")
    }
}

fn spoken(time: Duration) -> String {
    if time < Duration::from_secs(100) {
        format!("{:.0} s", time.as_secs_f32())
    } else {
        format!("{:.1} min", in_minutes(time))
    }
}

fn in_minutes(time: Duration) -> f32 {
    time.as_secs_f32() / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spoken() {
        assert_eq!(spoken(Duration::from_secs(7)), "7 s");
        assert_eq!(spoken(Duration::from_secs(150)), "2.5 min");
    }

    #[test]
    fn a_failed_step_is_kept() {
        let mut steps = Steps::start();
        assert!(
            steps
                .run("breaks", 0.0, || anyhow::bail!("no") as Result<()>)
                .is_err()
        );
        assert!(steps.done[0].failed);
    }
}
