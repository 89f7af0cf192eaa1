/// What one record may cost. The defaults are the named constants; a deployment may set its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one field, decoded.
    pub field_bytes: usize,
    /// Bytes of one record as it arrived; a decoder never buffers more than this and one read.
    pub record_bytes: usize,
    /// Levels of objects and lists in one JSON record, the record itself being the first.
    pub depth: usize,
    /// Bytes that a dead letter keeps of a record beyond `record_bytes`.
    pub kept_bytes: usize,
    /// Bytes of one body that is decoded as a whole, such as an HTTP request's.
    pub body_bytes: usize,
    /// Bytes of input that make one block, where `max_rows` does not end it earlier.
    pub block_bytes: usize,
}

impl Limits {
    /// 1 MiB.
    pub const FIELD_BYTES: usize = 1 << 20;
    /// 4 MiB.
    pub const RECORD_BYTES: usize = 4 << 20;
    /// Levels of JSON.
    pub const DEPTH: usize = 64;
    /// 64 KiB.
    pub const KEPT_BYTES: usize = 64 << 10;
    /// 256 MiB: far below the 4 GiB that a text column can address.
    pub const BODY_BYTES: usize = 256 << 20;
    /// 16 MiB.
    pub const BLOCK_BYTES: usize = 16 << 20;
    /// 1 GiB, the most that any limit of bytes may be set to: a block and one record more must
    /// stay below the 4 GiB that a text column can address.
    pub const BYTES_MAX: usize = 1 << 30;

    /// With no limit of bytes beyond [`Limits::BYTES_MAX`].
    #[must_use]
    pub(crate) fn bounded(self) -> Limits {
        let bounded = |bytes: usize| bytes.min(Limits::BYTES_MAX);
        Limits {
            field_bytes: bounded(self.field_bytes),
            record_bytes: bounded(self.record_bytes),
            depth: self.depth,
            kept_bytes: bounded(self.kept_bytes),
            body_bytes: bounded(self.body_bytes),
            block_bytes: bounded(self.block_bytes),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            field_bytes: Limits::FIELD_BYTES,
            record_bytes: Limits::RECORD_BYTES,
            depth: Limits::DEPTH,
            kept_bytes: Limits::KEPT_BYTES,
            body_bytes: Limits::BODY_BYTES,
            block_bytes: Limits::BLOCK_BYTES,
        }
    }
}
