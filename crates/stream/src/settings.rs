use millrace_event::Span;

/// What an engine may be told. None of it changes the meaning of a feature.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key states are spread over this many shards.
    pub shards: usize,
    /// Threads that work on the shards of one large batch; 1 keeps everything on the caller's.
    pub threads: usize,
    /// How far behind the watermark reads stay exact, beyond what windows need anyway.
    pub history: Span,
    /// A partition that has delivered nothing for this long no longer holds the watermark back.
    pub idle_after: Span,
    /// An event further than this in the future of the receiving clock is refused.
    pub future_max: Span,
    /// Events that wait for the watermark in an [`crate::Ordered`] run.
    pub pending_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            shards: 1,
            threads: 1,
            history: Span(0),
            idle_after: Span::seconds(30),
            future_max: Span::hours(1),
            pending_max: 16 << 20,
        }
    }
}

/// Batches smaller than this are applied on the caller's thread: starting threads costs more.
pub(crate) const PARALLEL_ROWS_MIN: usize = 4_096;
