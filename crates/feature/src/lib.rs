//! The language: text to tree to resolved, typed definitions (the plan), with diagnostics,
//! formatter, lineage.

pub mod plan;
