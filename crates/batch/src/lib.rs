//! The offline engine: point-in-time training sets over history.
//!
//! ```text
//!  events ─▶ judged, in order ─▶ scatter: per group, by key ─▶ partitions ─▶ features ─▶ assemble ─▶ rows
//!            (as a live server    (spool: memory, then scratch)  (each alone,            (in the order
//!             would)                                              on any thread)          of events)
//! ```
//!
//! A live engine visits the keys in the order of the events, and finds most of them out of the
//! cache. Here the events of each group are first put into partitions by key. A partition holds so
//! few keys that their states stay near, it depends on no other, and when it is done its states
//! are gone. So only a sixty-fourth of a group's keys is in memory for each thread, and the work is
//! spread over threads by key. The plan, the shards and the key states are those of `millrace-stream`, and so are the
//! bits.
//!
//! What is on the scratch file can be kept with a list of its blocks, first when all events are
//! scattered and then with the features of each partition that is done, so that another run of the
//! same job goes on from there: see `unfinished.rs`.

mod arrival;
mod asof;
mod assemble;
mod history;
mod job;
mod keeper;
mod label;
mod packed;
mod partition;
mod placed;
mod scatter;
mod scattered;
mod spool;
mod unfinished;
mod work;

pub use asof::AsOf;
pub use history::History;
pub use job::{BatchError, Counting, Job, Labelling, States, Subject};
pub use keeper::Keeper;
pub use scattered::{Scattered, Step, TrainingRows};
pub use spool::Scratch;
