//! Durable bytes: event log, checkpoints, dead-letter and late logs; on disk or in memory.
