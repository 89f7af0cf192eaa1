//! Little-endian fields, read in order from bytes that may be too short.

/// The rest of a header; each `take` removes a field from its front, or says that it is too short.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(field)
    }
}

/// The CRC-32 (IEEE) of the bytes.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The CRC-32 of the bytes, started from a seed instead of 0: other seeds give other sums for the
/// same bytes, always, so that bytes which belong elsewhere are noticed.
pub(crate) fn crc32_seeded(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_seed_is_another_sum() {
        for seed in 1..1_000 {
            assert_ne!(crc32_seeded(seed, b"the same bytes"), crc32(b"the same bytes"));
        }
    }

    #[test]
    fn fields_end_where_the_bytes_end() {
        let mut fields = Fields(&[1, 0, 2, 0, 0, 0, 9]);
        assert_eq!((fields.u16(), fields.u32(), fields.u64()), (Some(1), Some(2), None));
        assert_eq!((fields.bytes(2), fields.bytes(1)), (None, Some(&[9u8][..])));
    }
}
