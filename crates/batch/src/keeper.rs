//! Where unfinished work is kept, so that a job which was stopped can go on.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

/// Keeps unfinished work beside the scratch file. It knows the clock and the disk; a job does not.
pub trait Keeper: Send + Sync + fmt::Debug {
    /// Whether it is time to keep again: losing so many partitions, which were done since, would be
    /// a pity.
    fn is_due(&self, partitions: usize) -> bool;

    /// Makes durable all that was appended to the scratch file, and then these bytes, which say
    /// where it lies, in the place of those before. They are for [`crate::History::resume`].
    ///
    /// # Errors
    /// A sentence that says what could not be written, and why. What was kept before still is.
    fn keep(&self, work: &[u8]) -> Result<(), String>;
}

/// A job whose work is kept.
#[derive(Debug)]
pub(crate) struct Keeping {
    pub keeper: Arc<dyn Keeper>,
    /// What of the work no longer changes: where the events lie.
    pub scattered: Vec<u8>,
    /// One thread keeps at a time.
    pub turn: Mutex<()>,
    /// Partitions that were done since.
    pub unkept: AtomicUsize,
}

impl Keeping {
    pub fn new(keeper: Arc<dyn Keeper>, scattered: Vec<u8>) -> Keeping {
        Keeping { keeper, scattered, turn: Mutex::new(()), unkept: AtomicUsize::new(0) }
    }
}
