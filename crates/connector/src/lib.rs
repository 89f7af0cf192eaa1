//! Sources and sinks outside us: files (Parquet, NDJSON, CSV) and their decoding into columns.
