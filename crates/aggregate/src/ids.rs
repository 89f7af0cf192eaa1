//! The ids of a key's newest rows, in the order of the rows.

use std::collections::VecDeque;

use millrace_event::EventId;

use crate::short_list::ShortList;

/// Most keys hold few ids.
#[derive(Clone, Debug)]
pub(crate) enum Ids {
    Few(ShortList),
    #[expect(clippy::box_collection, reason = "keys with many ids are rare, and all keys pay")]
    Many(Box<VecDeque<EventId>>),
}

const _: () = assert!(size_of::<Ids>() == 16);

impl Default for Ids {
    fn default() -> Ids {
        Ids::Few(ShortList::default())
    }
}

impl Ids {
    pub(crate) fn len(&self) -> usize {
        match self {
            Ids::Few(ids) => ids.len(),
            Ids::Many(ids) => ids.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        match self {
            Ids::Few(ids) => ids.get(index),
            Ids::Many(ids) => ids.get(index).map(EventId::as_bytes),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Puts an id before the one at `index`.
    pub(crate) fn insert(&mut self, index: usize, id: &[u8]) {
        match self {
            Ids::Few(ids) => {
                if !ids.insert(index, id) {
                    let mut many: VecDeque<_> = ids.iter().map(EventId::from_bytes).collect();
                    many.insert(index, EventId::from_bytes(id));
                    *self = Ids::Many(Box::new(many));
                }
            }
            Ids::Many(ids) => ids.insert(index, EventId::from_bytes(id)),
        }
    }

    /// Removes the first `count` ids, or all if there are fewer.
    pub(crate) fn remove_front(&mut self, count: usize) {
        if count >= self.len() {
            *self = Ids::default();
            return;
        }
        match self {
            Ids::Few(ids) => ids.remove_front(count),
            Ids::Many(ids) => drop(ids.drain(..count)),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Ids::Few(ids) => ids.heap_bytes(),
            Ids::Many(ids) => {
                let spilled = ids.iter().map(|id| id.as_bytes().len()).filter(|len| *len > 16);
                size_of::<VecDeque<EventId>>()
                    + ids.capacity() * size_of::<EventId>()
                    + spilled.sum::<usize>()
            }
        }
    }
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
