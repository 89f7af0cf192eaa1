//! The ways in which the same events are put through an engine. None may show in an answer.

use std::fmt;

use crate::prng::Prng;

/// One way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variation {
    pub order: Order,
    /// Whether some events are delivered again.
    pub redelivers: bool,
    /// Whether late events are applied after all, when everything has arrived.
    pub replays: bool,
    pub seed: u64,
    pub shards: usize,
    /// The most events of one micro-batch.
    pub batch: usize,
    pub saving: Saving,
    pub reading: Reading,
}

/// In which order the events come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    AsWritten,
    /// Another one within the lateness.
    Shuffled,
}

/// Whether and how the engine is saved around every micro-batch and read back onto other shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saving {
    Never,
    /// All of it, after the batch.
    Whole,
    /// What changed since the last time, while the batch is being applied.
    InSteps,
    /// What changed; then every key state is moved out of memory.
    Spilled,
}

/// When questions are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// All at the end, of an engine that keeps all history.
    AtTheEnd,
    /// After every micro-batch, of an engine that keeps none: what no window needs any more is
    /// removed, folded into tiles and lifetimes, and forgotten.
    AsItGoes,
    /// By an engine over files: a view's vectors for all events of its stream, in their order.
    InOrder,
}

/// Shard counts that a restored engine takes in turn.
pub const RESTORED_SHARDS: [usize; 3] = [4, 1, 3];

impl Variation {
    const PLAIN: Variation = Variation {
        order: Order::AsWritten,
        redelivers: false,
        replays: false,
        seed: 0,
        shards: 1,
        batch: 1,
        saving: Saving::Never,
        reading: Reading::AtTheEnd,
    };

    /// For a case of the corpus. Shuffled ones only where the order of arrival does not matter.
    pub fn of_case(may_shuffle: bool, seeds: u64) -> Vec<Variation> {
        let mut all = Variation::of_order(Variation::PLAIN);
        if may_shuffle {
            for seed in 1..=seeds {
                let shuffled = Variation { order: Order::Shuffled, seed, ..Variation::PLAIN };
                all.extend(Variation::of_order(shuffled));
            }
        }
        all
    }

    /// Whether it is quick for thousands of events: nothing is done after each.
    pub fn suits_many(self) -> bool {
        self.reading == Reading::InOrder || (self.batch > 10 && self.saving == Saving::Never)
    }

    /// The ways of one order of arrival.
    fn of_order(plain: Variation) -> Vec<Variation> {
        let goes = Variation { reading: Reading::AsItGoes, ..plain };
        vec![
            Variation { shards: 4, batch: 10_000, ..plain },
            Variation { saving: Saving::Whole, ..plain },
            Variation { saving: Saving::InSteps, batch: 2, shards: 4, ..plain },
            Variation { redelivers: true, replays: true, batch: 3, ..plain },
            goes,
            Variation { shards: 4, saving: Saving::Whole, ..goes },
            Variation { saving: Saving::InSteps, batch: 3, ..goes },
            Variation { saving: Saving::Spilled, replays: true, batch: 2, shards: 3, ..goes },
            Variation { redelivers: true, batch: 2, ..goes },
            Variation { reading: Reading::InOrder, ..plain },
            Variation { reading: Reading::InOrder, redelivers: true, shards: 4, batch: 7, ..plain },
        ]
    }

    /// For a random scenario: some of the ways, with its own order of arrival and another one.
    pub fn of_random(seed: u64) -> Vec<Variation> {
        let plain = Variation { seed, ..Variation::PLAIN };
        let (all, shuffled) = (
            Variation::of_order(plain),
            Variation::of_order(Variation { order: Order::Shuffled, ..plain }),
        );
        let mut random = Prng::new(seed);
        let mut one_of = |all: &[Variation]| *random.pick(all);
        vec![
            one_of(&all[..4]),
            one_of(&all[4..9]),
            one_of(&all[9..]),
            one_of(&shuffled[..4]),
            one_of(&shuffled[4..9]),
        ]
    }
}

impl fmt::Display for Variation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.order {
            Order::AsWritten => write!(f, "as written")?,
            Order::Shuffled => write!(f, "shuffled with seed {}", self.seed)?,
        }
        if self.redelivers {
            write!(f, ", some again (seed {})", self.seed)?;
        }
        if self.replays {
            write!(f, ", late ones replayed")?;
        }
        write!(f, ", {} shards, batches of {}", self.shards, self.batch)?;
        match self.saving {
            Saving::Never => {}
            Saving::Whole => write!(f, ", saved whole and restored after each")?,
            Saving::Spilled => write!(f, ", saved and moved out of memory after each")?,
            Saving::InSteps => write!(f, ", saved in steps and restored during each")?,
        }
        match self.reading {
            Reading::AtTheEnd => write!(f, ", read at the end"),
            Reading::AsItGoes => write!(f, ", read as it goes with no history"),
            Reading::InOrder => write!(f, ", the in-order engine"),
        }
    }
}
