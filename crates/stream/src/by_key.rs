//! Rows of a batch, those of one key together.
//!
//! A key that has many rows in a batch is then fetched once, and not again for each of them.

/// Below this many rows a comparing sort is faster.
const RADIX_MIN: usize = 256;
/// Bits of a slot's number that one pass looks at.
const DIGIT_BITS: u32 = 11;

/// A row's place in its list and the slot of its key, as one number that sorts by slot, then place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Placed(u64);

impl Placed {
    #[inline]
    pub(crate) fn new(slot: u32, place: u32) -> Placed {
        Placed(u64::from(slot) << 32 | u64::from(place))
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub(crate) fn place(self) -> usize {
        self.0 as u32 as usize
    }
}

/// Sorts rows, which come by ascending place, by slot; those of a slot stay in order. `spare` is
/// room to work in.
pub(crate) fn sort_by_slot(rows: &mut Vec<Placed>, spare: &mut Vec<Placed>) {
    if rows.len() < RADIX_MIN {
        return rows.sort_unstable();
    }
    let differ = rows.iter().fold(0, |bits, placed| bits | (placed.slot() ^ rows[0].slot()));
    let mut shift = 0;
    while shift < u32::BITS && differ >> shift != 0 {
        sort_by_digit(rows, spare, shift);
        shift += DIGIT_BITS;
    }
}

/// One pass of a radix sort: stable, so that the passes before it still count.
fn sort_by_digit(rows: &mut Vec<Placed>, spare: &mut Vec<Placed>, shift: u32) {
    let digit = |placed: Placed| (placed.slot() >> shift) as usize & ((1 << DIGIT_BITS) - 1);
    let mut ends = [0u32; 1 << DIGIT_BITS];
    rows.iter().for_each(|placed| ends[digit(*placed)] += 1);
    let mut sum = 0;
    for end in &mut ends {
        sum += std::mem::replace(end, sum);
    }
    spare.clear();
    spare.resize(rows.len(), Placed(0));
    for placed in rows.iter() {
        let at = &mut ends[digit(*placed)];
        spare[*at as usize] = *placed;
        *at += 1;
    }
    std::mem::swap(rows, spare);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_are_sorted_as_by_a_stable_sort(
            slots in prop::collection::vec(
                prop_oneof![8 => 0u32..40, 4 => any::<u32>(), 1 => Just(u32::MAX)],
                0..1_000,
            ),
        ) {
            let mut rows: Vec<Placed> =
                slots.iter().zip(0..).map(|(slot, row)| Placed::new(*slot, row)).collect();
            let mut oracle: Vec<(u32, usize)> =
                rows.iter().map(|placed| (placed.slot(), placed.place())).collect();
            oracle.sort_by_key(|(slot, _)| *slot);
            sort_by_slot(&mut rows, &mut Vec::new());
            let sorted: Vec<(u32, usize)> =
                rows.iter().map(|placed| (placed.slot(), placed.place())).collect();
            prop_assert_eq!(sorted, oracle);
        }
    }
}
