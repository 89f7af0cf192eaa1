//! The payments example: a seeded generator of card payments, outcomes and fraud reports.
