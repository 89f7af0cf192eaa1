//! Sources: where records come from, block by block, each block with the place to resume at.

mod feed;
mod file;
mod mark;
mod rotated;
mod tail;

pub use file::{FileOptions, FileSource, Progress};
pub use mark::{FileMark, Resumed};
pub use tail::{FileChange, TailSource, Tailed};
