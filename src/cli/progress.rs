//! Long work: batches over all cores, with progress bars that say what is done, how fast, and how
//! long still.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use indicatif::{ProgressBar, ProgressStyle};

pub use crate::scorer::batches;

/// A bar over `total` of `unit`, on standard error; hidden where that is no terminal.
pub fn bar(label: &str, total: u64, unit: &str) -> ProgressBar {
    let template =
        format!("{label} {{wide_bar}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A bar over the bytes of a download; without `total` it tells what came so far.
pub fn bytes_bar(label: &str, total: Option<u64>) -> ProgressBar {
    let template = "{prefix} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(total.unwrap_or_default())
        .with_prefix(label.to_owned())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Runs `work` on every batch, one thread a core, and hands the results to `done` on this thread
/// as they come.
///
/// Threads over batches, since most of the CPU backend's operations use one core only.
///
/// # Errors
/// The first error of `done`, after which no further batch is begun.
pub fn over_batches<T: Send, E>(
    batches: &[Vec<usize>],
    work: impl Fn(&[usize]) -> T + Sync,
    mut done: impl FnMut(&[usize], T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::sync_channel(threads);
        for _ in 0..threads.min(batches.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A closed channel means that nobody wants further results.
                    if sender.send((batch, work(batch))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        results
            .into_iter()
            .try_for_each(|(batch, result)| done(batch, result))
    })
}

#[cfg(test)]
mod tests {
    use super::over_batches;

    #[test]
    fn every_batch_is_worked_on_once() {
        let batches: Vec<Vec<usize>> = (0..50).map(|index| vec![index, index + 50]).collect();
        let mut seen = Vec::new();
        let sum = |batch: &[usize]| batch.iter().sum::<usize>();
        over_batches(&batches, sum, |batch, sum| {
            assert_eq!(sum, batch.iter().sum::<usize>());
            seen.extend_from_slice(batch);
            Ok::<(), ()>(())
        })
        .unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_the_work() {
        let batches: Vec<Vec<usize>> = (0..1000).map(|index| vec![index]).collect();
        let mut done = 0;
        let result = over_batches(
            &batches,
            |_| (),
            |_, ()| {
                done += 1;
                if done == 3 { Err("stop") } else { Ok(()) }
            },
        );
        assert_eq!((result, done), (Err("stop"), 3));
    }
}
