//! A small seeded generator, so that a world is the same on every machine and in every release.
//!
//! xoshiro256++ (Blackman and Vigna, 2019) whose state is filled by SplitMix64. Logarithms and
//! exponentials come from `libm`, because the platform's own differ in their last bits.

mod alias;
mod draw;

pub use alias::Alias;

/// A stream of pseudo-random numbers. Two streams of one seed are independent of each other, so a
/// change in one part of a world leaves the other parts as they were.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
    /// The second normal number of a pair.
    spare: Option<f64>,
}

impl Random {
    /// The stream with this number under this seed.
    pub fn new(seed: u64, stream: u64) -> Random {
        let mut mix = SplitMix(seed ^ SplitMix(stream).next());
        let state = [mix.next(), mix.next(), mix.next(), mix.next()];
        Random { state, spare: None }
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }
}

/// Spreads a seed of few bits over a whole state.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_gives_the_published_numbers() {
        let mut mix = SplitMix(1_234_567);
        assert_eq!(mix.next(), 6_457_827_717_110_365_317);
        assert_eq!(mix.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut random = Random { state: [1, 2, 3, 4], spare: None };
        assert_eq!(random.bits(), 41_943_041);
        assert_eq!(random.bits(), 58_720_359);
        assert_eq!(random.bits(), 3_588_806_011_781_223);
    }

    #[test]
    fn streams_and_seeds_differ_and_repeat() {
        let first = |seed, stream| Random::new(seed, stream).bits();
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
    }
}
