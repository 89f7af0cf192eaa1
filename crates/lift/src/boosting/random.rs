//! Numbers from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).

/// What is drawn depends on nothing but the seed and the purpose, so the draws of one tree do not
/// depend on how many another one made.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed);
        let mixed = random.number();
        Self(mixed ^ purpose.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In [0, 1), a multiple of 2⁻⁵³.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `wanted` of the numbers below `of`, in ascending order, each set equally likely.
    pub fn choose(&mut self, wanted: usize, of: usize) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(wanted);
        for at in 0..of {
            let open = wanted.saturating_sub(chosen.len());
            if open > 0 && self.fraction() * (of - at) as f64 <= open as f64 {
                chosen.push(at);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_as_many_as_wanted_and_each_as_often() {
        let mut random = Random::new(7, 1);
        let mut hits = [0; 10];
        for _ in 0..10_000 {
            let chosen = random.choose(7, 10);
            assert_eq!(chosen.len(), 7);
            for at in chosen {
                hits[at] += 1;
            }
        }
        assert!(hits.iter().all(|hits| (6_700..7_300).contains(hits)), "{hits:?}");
    }

    #[test]
    fn another_purpose_draws_other_numbers() {
        let (mut one, mut two) = (Random::new(1, 0), Random::new(1, 1));
        assert_ne!(one.number(), two.number());
    }
}
