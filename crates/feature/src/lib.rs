//! The language: text to tree to resolved, typed definitions (the plan), with diagnostics,
//! formatter, lineage.
//!
//! ```text
//! text ──text_to_tokens──▶ tokens ──text_to_tree──▶ tree ──tree_to_ast──▶ AST ──ast_to_plan──▶ plan
//!                                                    └──tree_to_text──▶ text (the formatter)
//! ```
//!
//! Every stage is a pure function that goes on after an error, so that one compilation tells all
//! that is wrong. The tree keeps every byte of the text; the AST keeps the place of everything; the
//! plan keeps neither, and names no engine. What the language means is written in
//! `docs/reference/language.md`.

mod ast;
mod canonical;
mod compile;
mod diagnostic;
mod foreign;
mod format;
mod lexer;
mod lineage;
mod parser;
pub mod plan;
mod replace;
mod resolve;
mod source;
mod tree;
mod types;

pub use compile::{Compiled, SOURCE_BYTES_MAX, compile};
pub use diagnostic::{Code, Diagnostic, Fix, Label, Severity, Suggest, render, render_json};
pub use format::format;
pub use lineage::describe;
pub use replace::{declares, replace};
pub use resolve::function_names;
pub use source::{SourceFile, SourceSpan};
