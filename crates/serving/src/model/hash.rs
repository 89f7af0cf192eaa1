//! A model's identity: the SHA-256 of its file, as definitions have one.

use std::fmt;

use sha2::{Digest, Sha256};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelHash(pub [u8; 32]);

impl ModelHash {
    pub fn of(bytes: &[u8]) -> ModelHash {
        ModelHash(Sha256::digest(bytes).into())
    }
}

/// All 64 digits with `{:#}`; else the first 12, enough to tell models apart in answers and logs.
impl fmt::Display for ModelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { self.0.len() } else { 6 };
        self.0.iter().take(shown).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelHash({self})")
    }
}
