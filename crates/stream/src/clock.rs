//! Event time of one stream: what each origin partition has reached, and the watermark.

use millrace_event::{EventTime, Span};

/// An origin partition of a stream, as registered with [`crate::Engine::partition`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PartitionId {
    pub(crate) stream: usize,
    pub(crate) index: usize,
}

impl PartitionId {
    pub fn stream(self) -> usize {
        self.stream
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartitionClock {
    pub(crate) name: String,
    /// The greatest event time seen.
    pub(crate) greatest: EventTime,
    /// Events below this are late whatever the partition has seen: where the watermark stood when
    /// the partition joined, or came back from being idle.
    pub(crate) floor: EventTime,
    /// When it last delivered, by the receiving clock; at first, when it was registered.
    pub(crate) received: EventTime,
    /// It will deliver nothing more.
    pub(crate) closed: bool,
}

/// The clock of a stream. Moves only with events, so a replay moves it alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamClock {
    pub(crate) lateness: Span,
    pub(crate) idle_after: Span,
    pub(crate) partitions: Vec<PartitionClock>,
    /// Below this the stream is held to be complete.
    pub(crate) watermark: EventTime,
    /// The latest reading of the receiving clock.
    pub(crate) now: EventTime,
}

impl StreamClock {
    pub(crate) fn new(lateness: Span, idle_after: Span) -> StreamClock {
        StreamClock {
            lateness,
            idle_after,
            partitions: Vec::new(),
            watermark: EventTime::MIN,
            now: EventTime::MIN,
        }
    }

    pub(crate) fn register(&mut self, name: &str) -> usize {
        if let Some(known) = self.partitions.iter().position(|p| p.name == name) {
            return known;
        }
        self.partitions.push(PartitionClock {
            name: name.to_owned(),
            greatest: EventTime::MIN,
            floor: self.watermark,
            received: self.now,
            closed: false,
        });
        self.partitions.len() - 1
    }

    /// A delivery of partition `index` begins, at `received` by the receiving clock.
    pub(crate) fn receive(&mut self, index: usize, received: EventTime) {
        if self.now == EventTime::MIN {
            // Partitions registered before the first delivery begin to wait now.
            self.partitions.iter_mut().for_each(|p| p.received = received);
        }
        self.now = self.now.max(received);
        let was_idle = self.is_idle(&self.partitions[index]);
        let partition = &mut self.partitions[index];
        if was_idle {
            partition.floor = partition.floor.max(self.watermark);
        }
        partition.received = self.now;
        partition.closed = false;
        self.move_watermark();
    }

    /// The partition has delivered all it will ever deliver.
    pub(crate) fn close(&mut self, index: usize) {
        self.partitions[index].closed = true;
        self.move_watermark();
    }

    /// Whether anything more can come.
    pub(crate) fn is_open(&self) -> bool {
        self.partitions.iter().any(|p| !p.closed)
    }

    fn is_idle(&self, partition: &PartitionClock) -> bool {
        partition.closed || self.now.since(partition.received) > self.idle_after
    }

    /// Whether an event of this time is late in its partition.
    #[inline]
    pub(crate) fn is_late(&self, index: usize, time: EventTime) -> bool {
        time < self.late_before(index)
    }

    /// Events of the partition below this are late.
    #[inline]
    pub(crate) fn late_before(&self, index: usize) -> EventTime {
        let partition = &self.partitions[index];
        partition.greatest.minus(self.lateness).max(partition.floor)
    }

    /// An event of this time was seen in the partition.
    #[inline]
    pub(crate) fn observe(&mut self, index: usize, time: EventTime) {
        let greatest = &mut self.partitions[index].greatest;
        if time > *greatest {
            let before = std::mem::replace(greatest, time);
            // Beyond the watermark, it was another partition that held it back, and still does.
            if before == EventTime::MIN || before.minus(self.lateness) <= self.watermark {
                self.move_watermark();
            }
        }
    }

    fn move_watermark(&mut self) {
        let active = self.partitions.iter().filter(|p| !self.is_idle(p));
        let reached = active
            .map(|p| {
                if p.greatest == EventTime::MIN {
                    p.greatest
                } else {
                    p.greatest.minus(self.lateness)
                }
            })
            .min();
        if let Some(reached) = reached {
            self.watermark = self.watermark.max(reached);
        }
    }
}
