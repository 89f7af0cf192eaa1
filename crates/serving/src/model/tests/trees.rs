//! Random trees, as both libraries write them, and the ten lines that say what they mean.

/// A generator of its own (SplitMix64): a seed makes a whole model.
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// A value that rows and thresholds share, so that they meet; exact in 32 bits.
    pub fn value(&mut self) -> f64 {
        let near = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, 31.0, 32.0, 33.0, 70.0, 1e9, -1e9];
        if self.chance(50) { self.pick(&near) } else { self.below(64) as f64 / 4.0 - 8.0 }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Leaf { value: f64, cover: u32 },
    Split { feature: usize, test: Test, missing: Missing, sides: Box<[Tree; 2]> },
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Threshold(f64),
    Categories(Vec<i64>),
}

/// As LightGBM has it; for XGBoost it is always NaN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    /// 0: nothing, 1: zero, 2: NaN.
    pub kind: u8,
    pub is_left: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Library {
    LightGbm,
    XgBoost,
}

impl Tree {
    pub fn random(random: &mut Random, features: usize, leaves: usize, of: Library) -> Tree {
        if leaves == 1 {
            let value = (random.below(2_001) as f64 - 1_000.0) / 512.0;
            return Tree::Leaf { value, cover: random.below(50) as u32 };
        }
        let test = if random.chance(25) {
            let members = (0..1 + random.below(6)).map(|_| random.below(80) as i64);
            Test::Categories(members.collect())
        } else {
            Test::Threshold(random.value())
        };
        let kind = if of == Library::XgBoost { 2 } else { random.below(3) as u8 };
        let left = 1 + random.below(leaves - 1);
        Tree::Split {
            feature: random.below(features),
            test,
            missing: Missing { kind, is_left: random.chance(50) },
            sides: Box::new([left, leaves - left].map(|n| Tree::random(random, features, n, of))),
        }
    }

    /// Whether a row with this value goes left at a split.
    pub fn goes_left(test: &Test, missing: Missing, x: f64, of: Library) -> bool {
        let is_zero = x.abs() <= f64::from(1e-35_f32);
        match (of, test, missing.kind) {
            (Library::XgBoost, _, _) if x.is_nan() => missing.is_left,
            (Library::XgBoost, Test::Threshold(threshold), _) => (x as f32) < *threshold as f32,
            (Library::XgBoost, Test::Categories(set), _) => x < 0.0 || !set.contains(&(x as i64)),
            (_, Test::Categories(set), _) => !x.is_nan() && set.contains(&(x as i64)),
            (_, _, 1) if is_zero || x.is_nan() => missing.is_left,
            (_, _, 2) if x.is_nan() => missing.is_left,
            (_, Test::Threshold(threshold), _) if x.is_nan() => 0.0 <= *threshold,
            (_, Test::Threshold(threshold), _) => x <= *threshold,
        }
    }

    /// The oracle: the value of the leaf that the row reaches.
    pub fn walk(&self, row: &[f64], of: Library) -> f64 {
        match self {
            Tree::Leaf { value, .. } => *value,
            Tree::Split { feature, test, missing, sides } => {
                let is_left = Tree::goes_left(test, *missing, row[*feature], of);
                sides[usize::from(!is_left)].walk(row, of)
            }
        }
    }

    pub fn cover(&self) -> f64 {
        match self {
            Tree::Leaf { cover, .. } => f64::from(*cover),
            Tree::Split { sides, .. } => sides.iter().map(Tree::cover).sum(),
        }
    }
}

pub(super) fn random_row(random: &mut Random, features: usize) -> Vec<f64> {
    let mut value = || if random.chance(20) { f64::NAN } else { random.value() };
    (0..features).map(|_| value()).collect()
}
