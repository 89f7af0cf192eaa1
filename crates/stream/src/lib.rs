//! The embedded engine: shards, watermarks, lateness, checkpoints, as a deterministic step function.
