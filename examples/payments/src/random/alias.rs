use super::Random;

/// Draws an index with a given probability in constant time (Walker's alias method, with the
/// tables built by Vose's algorithm).
#[derive(Clone, Debug)]
pub struct Alias {
    /// Per slot: the share of the slot that is its own, and the index that has the rest.
    slots: Vec<(f64, u32)>,
}

impl Alias {
    /// From weights that are finite, not negative, and not all zero; at least one.
    pub fn new(weights: &[f64]) -> Alias {
        let total: f64 = weights.iter().sum();
        let scale = weights.len() as f64 / total;
        let mut slots: Vec<(f64, u32)> =
            weights.iter().enumerate().map(|(i, w)| (w * scale, i as u32)).collect();
        let is_small = |slots: &[(f64, u32)], i: &u32| slots[*i as usize].0 < 1.0;
        let all = 0..slots.len() as u32;
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = all.partition(|i| is_small(&slots, i));
        while let (Some(low), Some(high)) = (small.last(), large.last()) {
            let (low, high) = (*low as usize, *high as usize);
            small.pop();
            slots[low].1 = high as u32;
            slots[high].0 -= 1.0 - slots[low].0;
            if slots[high].0 < 1.0 {
                large.pop();
                small.push(high as u32);
            }
        }
        // What is left differs from 1 by rounding only.
        small.iter().chain(&large).for_each(|i| slots[*i as usize].0 = 1.0);
        Alias { slots }
    }

    /// Weights 1/1ˢ, 1/2ˢ, … 1/nˢ: Zipf's law over ranks.
    pub fn zipf(n: usize, exponent: f64) -> Alias {
        let weights: Vec<f64> = (1..=n).map(|rank| libm::pow(rank as f64, -exponent)).collect();
        Alias::new(&weights)
    }

    pub fn draw(&self, random: &mut Random) -> usize {
        let place = random.unit() * self.slots.len() as f64;
        let slot = place as usize;
        let (own, other) = self.slots[slot];
        if place - (slot as f64) < own { slot } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_come_as_often_as_their_weights_say() {
        let weights = [5.0, 0.0, 1.0, 10.0, 4.0];
        let alias = Alias::new(&weights);
        let mut random = Random::new(1, 2);
        let mut seen = [0u32; 5];
        for _ in 0..200_000 {
            seen[alias.draw(&mut random)] += 1;
        }
        for (weight, count) in weights.iter().zip(seen) {
            assert!((f64::from(count) / 10_000.0 - weight).abs() < 0.2, "{seen:?}");
        }
    }

    #[test]
    fn one_index_is_always_drawn() {
        assert_eq!(Alias::new(&[0.3]).draw(&mut Random::new(1, 1)), 0);
    }
}
