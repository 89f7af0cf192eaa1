use std::collections::BTreeMap;

use millrace_event::EventTime;

use super::{Obstacle, Recomputed};
use crate::comparison::{Difference, Part};
use crate::entries::{Entry, Unreadable};
use crate::id::DecisionId;

/// Differences of one part that are told one by one.
const EXAMPLES_MAX: usize = 3;

/// What an audit found.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// In the period; each is in exactly one of the four below.
    pub decisions: u64,
    /// Recomputed in whole, with the same bits.
    pub agreed: u64,
    /// Recomputed, with at least one difference.
    pub differed: u64,
    /// Recomputed in part, which agrees.
    pub in_part: u64,
    pub not_recomputed: u64,
    /// Values, scores and outcomes that were compared.
    pub compared: u64,
    /// Decisions by what stood in the way of them or of a part of them.
    pub obstacles: BTreeMap<Obstacle, u64>,
    pub differences: BTreeMap<Part, Tally>,
    /// What is in the log and cannot be read; of any decision and of any time.
    pub unreadable: Unreadable,
    /// Older decisions that are not in the log any more.
    pub removed: u64,
}

/// How often one part differed.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub count: u64,
    pub examples: Vec<(DecisionId, EventTime, Difference)>,
}

impl Audit {
    /// Whether all that was compared agrees, and all of both logs could be read.
    pub fn is_clean(&self) -> bool {
        let is_damage = |o: &Obstacle| matches!(o, Obstacle::Unreadable { .. });
        self.differed == 0 && self.unreadable.is_empty() && !self.obstacles.keys().any(is_damage)
    }

    /// Whether there were decisions, and nothing could be said of any.
    pub fn is_blind(&self) -> bool {
        self.decisions > 0 && self.not_recomputed == self.decisions
    }

    pub(super) fn count(
        &mut self,
        entry: &Entry,
        recomputed: &Recomputed,
        differences: &[Difference],
    ) {
        let (record, obstacles) = (&entry.record, &recomputed.obstacles);
        self.decisions += 1;
        for obstacle in obstacles {
            *self.obstacles.entry(obstacle.clone()).or_default() += 1;
        }
        let is_part =
            |o: &Obstacle| matches!(o, Obstacle::Model { .. } | Obstacle::Decision { .. });
        let is_compared = obstacles.iter().all(is_part);
        self.compared += recomputed.compared();
        for difference in differences {
            let tally = self.differences.entry(difference.part.clone()).or_default();
            tally.count += 1;
            if tally.examples.len() < EXAMPLES_MAX {
                tally.examples.push((record.id, record.decided_at, difference.clone()));
            }
        }
        let counter = match (is_compared, differences.is_empty(), obstacles.is_empty()) {
            (false, ..) => &mut self.not_recomputed,
            (true, false, _) => &mut self.differed,
            (true, true, true) => &mut self.agreed,
            (true, true, false) => &mut self.in_part,
        };
        *counter += 1;
    }
}
