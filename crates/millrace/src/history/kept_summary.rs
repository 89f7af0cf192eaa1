//! What a run has counted while it read, kept for the run that goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use millrace_stream::Counts;
use serde::{Deserialize, Serialize};

use super::Summary;
use super::summary::StreamSummary;

/// More events than any disk holds: so that no sum of counts is too large.
const COUNT_MAX: u64 = 1 << 48;
/// Streams, and reasons of dead letters of each, at most.
const NAMES_MAX: usize = 1 << 10;

/// The part of a [`Summary`] that is known when all was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSummary {
    streams: BTreeMap<usize, KeptStream>,
    asked: Option<(PathBuf, (u64, u64))>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptStream {
    name: String,
    applied: u64,
    duplicate: u64,
    late: u64,
    future: u64,
    replayed: u64,
    dead: BTreeMap<String, u64>,
}

impl KeptSummary {
    pub fn of(summary: &Summary) -> KeptSummary {
        let kept = |stream: &StreamSummary| {
            let Counts { applied, duplicate, late, future, replayed } = stream.counts;
            let (name, dead) = (stream.name.clone(), stream.dead.clone());
            KeptStream { name, applied, duplicate, late, future, replayed, dead }
        };
        let streams = summary.streams.iter().map(|(index, stream)| (*index, kept(stream)));
        KeptSummary { streams: streams.collect(), asked: summary.asked.clone() }
    }

    /// The summary of a run that goes on.
    ///
    /// # Errors
    /// When these cannot be counts.
    pub fn into_summary(self) -> Result<Summary, &'static str> {
        if !self.is_sound() {
            return Err("its counts make no sense");
        }
        let streams = self.streams.into_iter().map(|(index, kept)| {
            let KeptStream { name, applied, duplicate, late, future, replayed, dead } = kept;
            let counts = Counts { applied, duplicate, late, future, replayed };
            (index, StreamSummary { name, counts, dead })
        });
        let (streams, asked) = (streams.collect(), self.asked);
        Ok(Summary { streams, asked, is_resumed: true, ..Summary::default() })
    }

    fn is_sound(&self) -> bool {
        let is_sound = |count: u64| count <= COUNT_MAX;
        let stream = |kept: &KeptStream| {
            let KeptStream { applied, duplicate, late, future, replayed, dead, .. } = kept;
            [applied, duplicate, late, future, replayed].into_iter().all(|count| is_sound(*count))
                && dead.len() <= NAMES_MAX
                && dead.values().all(|count| is_sound(*count))
        };
        let asked = self.asked.as_ref();
        self.streams.len() <= NAMES_MAX
            && self.streams.values().all(stream)
            && asked.is_none_or(|(_, (rows, dead))| is_sound(*rows) && is_sound(*dead))
    }
}
