//! Files of events, as commands that work on history read them.
//!
//! ```text
//!   files ─▶ decode (a thread each) ─▶ Sources: block by block, the furthest behind first
//!                └─▶ dead letters ─▶ OUT.dead.ndjson          rows ─▶ Table (a thread) ─▶ OUT
//! ```

mod asked;
mod inputs;
mod kept_summary;
mod letters;
mod log;
mod offline;
mod roll;
pub mod scratch;
mod sources;
mod summary;
mod table;
pub mod when;

pub use asked::{AskedRows, Intake};
pub use inputs::{Events, keep_files_apart};
pub use kept_summary::KeptSummary;
pub use letters::Letters;
pub use offline::{find_label, read};
pub use roll::Roll;
pub use sources::{Block, Origins, PROGRESS, Reading, Sources};
pub use summary::Summary;
pub use table::{Table, columns_of, unique};
