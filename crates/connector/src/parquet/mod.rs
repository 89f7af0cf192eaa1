//! Parquet, in and out, by way of Arrow's arrays.

mod from_arrow;
mod nested;
mod numbers;
mod shown;
mod source;
mod to_arrow;

pub(crate) use source::ParquetSource;
pub(crate) use to_arrow::{Decimals, column_to_array, column_type};
