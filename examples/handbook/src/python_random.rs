//! The draws of CPython's `random.Random`, as far as the rules use it: `choice`, and `sample` of a
//! third. It is MT19937 too, but seeded from a number of any length, and a number below a bound
//! is made of the highest bits instead of the lowest.

use rand_mt::Mt;

#[derive(Clone, Debug)]
pub struct PythonRandom {
    bits: Mt,
}

impl PythonRandom {
    /// `Random(seed)`. The key of the generator is the number in as few words as hold it, the
    /// lowest first, and one word for 0.
    pub fn new(seed: u64) -> PythonRandom {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let key: &[u32] = if high == 0 { &[low] } else { &[low, high] };
        PythonRandom { bits: Mt::new_with_key(key.iter().copied()) }
    }

    /// `choice(items)`; `None` of nothing, for which CPython raises an error.
    pub fn choice<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        if items.is_empty() {
            return None;
        }
        items.get(self.below(items.len())).copied()
    }

    /// `sample(items, len(items) // 3)`. CPython draws many of few out of a pool, and few of many
    /// until it has enough different ones; a third always is many (`set_size` in its source).
    pub fn sample_third<T: Copy>(&mut self, items: &[T]) -> Vec<T> {
        let mut pool = items.to_vec();
        let picks = items.len() / 3;
        // What was picked makes room for the last one that was not.
        (0..picks).map(|_| pool.swap_remove(self.below(pool.len()))).collect()
    }

    /// `_randbelow(count)`: as many of the highest bits as `count` has, drawn until they are below.
    fn below(&mut self, count: usize) -> usize {
        let length = usize::BITS - count.leading_zeros();
        debug_assert!((1..=32).contains(&length), "{count} items are none, or more than a word");
        loop {
            let value = (self.bits.next_u32() >> (32 - length)) as usize;
            if value < count {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Draws, words};

    /// Of one word and of two; the last is a customer's under a large salt.
    const SEEDS: [u64; 5] = [0, 1, 4_999, 1 << 32, 4_000_012_000_049];

    #[test]
    fn choices_are_cpythons() {
        let draws = Draws::new("python choice");
        for seed in SEEDS {
            let mut random = PythonRandom::new(seed);
            let mut all = Vec::new();
            for count in (1..=200).cycle().take(600) {
                let items: Vec<u32> = (0..count).collect();
                all.extend(random.choice(&items));
            }
            draws.same(seed, &words(all.into_iter().step_by(19)));
        }
    }

    #[test]
    fn samples_of_a_third_are_cpythons() {
        let draws = Draws::new("python sample");
        for seed in SEEDS {
            let mut random = PythonRandom::new(seed);
            let mut all = Vec::new();
            for count in (0..400).step_by(7) {
                let items: Vec<u32> = (0..count).collect();
                all.extend(random.sample_third(&items));
            }
            draws.same(seed, &words(all.into_iter().step_by(101)));
        }
    }

    #[test]
    fn nothing_has_no_choice() {
        assert_eq!(PythonRandom::new(1).choice::<u32>(&[]), None);
    }
}
