//! Where long work can rest, and be called off.

use crate::error::Result;

/// What long work awaits between layers and between batches.
pub trait Pause {
    /// Lets others run.
    ///
    /// # Errors
    /// `Cancelled` when the work is not wanted any more; it ends with that error.
    fn pause(&self) -> impl Future<Output = Result<()>>;
}

/// The [`Pause`] of callers that nothing waits for: none.
pub struct Unpaused;

impl Pause for Unpaused {
    async fn pause(&self) -> Result<()> {
        Ok(())
    }
}
