//! The ids of a key's newest rows, in the order of the rows.

use std::collections::VecDeque;

use millrace_event::EventId;

use crate::short_list::ShortList;

/// Most keys hold few ids.
#[derive(Clone, Debug)]
pub(crate) enum Ids {
    Few(ShortList),
    /// Boxed, because keys with many ids are rare, and all keys pay.
    Many(Box<Split>),
}

/// Many ids, split where the last one came between others: the next one often belongs near, and
/// then few have to move.
#[derive(Clone, Debug, Default)]
pub(crate) struct Split {
    front: VecDeque<EventId>,
    back: VecDeque<EventId>,
}

/// An id that comes at most so far from the split, or from either end, is put there as it is.
const NEAR: usize = 64;

impl Split {
    fn len(&self) -> usize {
        self.front.len() + self.back.len()
    }

    fn get(&self, index: usize) -> Option<&EventId> {
        self.front.get(index).or_else(|| self.back.get(index.checked_sub(self.front.len())?))
    }

    fn insert(&mut self, index: usize, id: EventId) {
        let ends = [0, self.front.len(), self.len()];
        if ends.iter().all(|end| end.abs_diff(index) > NEAR) {
            self.split_at(index);
        }
        match index.checked_sub(self.front.len()) {
            Some(index) => self.back.insert(index, id),
            None => self.front.insert(index, id),
        }
    }

    fn split_at(&mut self, index: usize) {
        match index.checked_sub(self.front.len()) {
            Some(more) => self.front.extend(self.back.drain(..more)),
            None => {
                let moved = self.front.drain(index..);
                moved.rev().for_each(|id| self.back.push_front(id));
            }
        }
    }

    /// Removes the first `count`, of which there are as many.
    fn remove_front(&mut self, count: usize) {
        let of_front = count.min(self.front.len());
        self.front.drain(..of_front);
        self.back.drain(..count - of_front);
    }

    fn heap_bytes(&self) -> usize {
        let spilled = self.front.iter().chain(&self.back).map(|id| id.as_bytes().len());
        (self.front.capacity() + self.back.capacity()) * size_of::<EventId>()
            + spilled.filter(|len| *len > 16).sum::<usize>()
    }
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
                    let back = ids.iter().map(EventId::from_bytes).collect();
                    let mut many = Split { front: VecDeque::new(), back };
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
            Ids::Many(ids) => ids.remove_front(count),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Ids::Few(ids) => ids.heap_bytes(),
            Ids::Many(ids) => size_of::<Split>() + ids.heap_bytes(),
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
            changes in prop::collection::vec((any::<bool>(), 0usize..400, 0usize..300), 0..900),
        ) {
            let mut ids = Ids::default();
            let mut oracle: Vec<Vec<u8>> = Vec::new();
            for (step, (comes, at, length)) in changes.into_iter().enumerate() {
                if comes || step % 8 > 0 {
                    let id = vec![step as u8; if length < 280 { length % 40 } else { length }];
                    let at = at.min(oracle.len());
                    ids.insert(at, &id);
                    oracle.insert(at, id);
                } else {
                    // Mostly a few, so that there are many; now and then all.
                    let count = if length % 8 == 0 { at } else { at / 10 };
                    ids.remove_front(count);
                    oracle.drain(..count.min(oracle.len()));
                }
                prop_assert_eq!(ids.len(), oracle.len());
                prop_assert!(ids.iter().eq(oracle.iter().map(Vec::as_slice)));
                prop_assert_eq!(ids.get(oracle.len()), None);
            }
        }
    }
}
