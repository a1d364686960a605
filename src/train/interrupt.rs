//! Ctrl-C during long work: the work ends at its next step, in order.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C is noted instead of ending the process at once: it sets the flag returned.
pub fn watch() -> &'static AtomicBool {
    // A second handler in one process is refused; the first one sets the same flag.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    &STOP
}

/// Fails once Ctrl-C was pressed; `kept` says what of the work remains.
///
/// # Errors
/// `Input` when the user wants to stop.
pub fn check(kept: &str) -> Result<()> {
    if STOP.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Input, format!("stopped; {kept}")));
    }
    Ok(())
}
