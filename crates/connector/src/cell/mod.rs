//! One cell: from text to a word, a float or a string, exactly or not at all.

pub(crate) mod digits;
pub(crate) mod number;
mod read;
pub(crate) mod time;

pub(crate) use read::{Problem, cell_to_value, text_to_cell, text_to_value};
