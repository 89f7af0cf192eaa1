//! Aggregations as algebra, and the key state that gives exact sliding windows over them.

mod layout;

pub use layout::{Aggregate, Function, Input, Layout, Window};
