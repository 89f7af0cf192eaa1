//! The ids of a key's newest rows, in the order of the rows.

use std::collections::VecDeque;

use millrace_event::EventId;

/// Most keys hold few ids, and those end to end: a length and the bytes of each.
#[derive(Clone, Debug)]
pub(crate) enum Ids {
    Few { bytes: Vec<u8>, count: usize },
    Many(VecDeque<EventId>),
}

/// At most so many ids are held end to end.
const FEW: usize = 32;

impl Default for Ids {
    fn default() -> Ids {
        Ids::Few { bytes: Vec::new(), count: 0 }
    }
}

impl Ids {
    pub(crate) fn len(&self) -> usize {
        match self {
            Ids::Few { count, .. } => *count,
            Ids::Many(ids) => ids.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        match self {
            Ids::Few { bytes, count } => {
                let start = start(bytes, index);
                (index < *count).then(|| &bytes[start + 1..][..usize::from(bytes[start])])
            }
            Ids::Many(ids) => ids.get(index).map(EventId::as_bytes),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Puts an id before the one at `index`.
    pub(crate) fn insert(&mut self, index: usize, id: &[u8]) {
        match self {
            Ids::Few { bytes, count } if *count < FEW && id.len() <= usize::from(u8::MAX) => {
                let start = start(bytes, index);
                bytes.reserve_exact(1 + id.len());
                bytes.splice(start..start, [id.len() as u8].into_iter().chain(id.iter().copied()));
                *count += 1;
            }
            Ids::Few { .. } => {
                *self = Ids::Many(self.iter().map(EventId::from_bytes).collect());
                self.insert(index, id);
            }
            Ids::Many(ids) => ids.insert(index, EventId::from_bytes(id)),
        }
    }

    /// Removes the first `count` ids, or all if there are fewer.
    pub(crate) fn remove_front(&mut self, count: usize) {
        let removed = count.min(self.len());
        if removed == self.len() {
            *self = Ids::default();
            return;
        }
        match self {
            Ids::Few { bytes, count } => {
                let start = start(bytes, removed);
                bytes.drain(..start);
                *count -= removed;
            }
            Ids::Many(ids) => drop(ids.drain(..removed)),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Ids::Few { bytes, .. } => bytes.capacity(),
            Ids::Many(ids) => {
                let spilled = ids.iter().map(|id| id.as_bytes().len()).filter(|len| *len > 16);
                ids.capacity() * size_of::<EventId>() + spilled.sum::<usize>()
            }
        }
    }
}

/// Where the id at `index` begins.
fn start(bytes: &[u8], index: usize) -> usize {
    (0..index).fold(0, |at, _| match bytes.get(at) {
        Some(length) => at + 1 + usize::from(*length),
        None => at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_held_as_in_a_list(
            changes in prop::collection::vec((any::<bool>(), 0usize..40, 0usize..300), 0..120),
        ) {
            let mut ids = Ids::default();
            let mut oracle: Vec<Vec<u8>> = Vec::new();
            for (step, (comes, at, length)) in changes.into_iter().enumerate() {
                if comes || step % 3 > 0 {
                    let id = vec![step as u8; if length < 280 { length % 40 } else { length }];
                    let at = at.min(oracle.len());
                    ids.insert(at, &id);
                    oracle.insert(at, id);
                } else {
                    ids.remove_front(at);
                    oracle.drain(..at.min(oracle.len()));
                }
                prop_assert_eq!(ids.len(), oracle.len());
                prop_assert!(ids.iter().eq(oracle.iter().map(Vec::as_slice)));
                prop_assert_eq!(ids.get(oracle.len()), None);
            }
        }
    }
}
