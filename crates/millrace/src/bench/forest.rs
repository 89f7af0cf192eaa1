//! A model of random trees over the payments view, as LightGBM writes one: what costs time in
//! scoring is how many trees and leaves there are, and not what they say.

use std::fmt::Write as _;

pub const TREES: usize = 300;
const LEAVES: usize = 31;
const SEED: u64 = 20_260_105;

/// The columns of the view that are numbers, with the greatest threshold of each.
const FEATURES: [(&str, f64); 28] = [
    ("amount", 500.0),
    ("price_ratio", 4.0),
    ("hour", 23.0),
    ("countries_differ", 1.0),
    ("device_age", 3e5),
    ("device_idle", 3e5),
    ("device_cards_1h", 10.0),
    ("device_declines_1h", 5.0),
    ("card_age", 3e5),
    ("card_idle", 3e5),
    ("card_attempts_1h", 10.0),
    ("card_attempts_30d", 60.0),
    ("card_spend_24h", 2_000.0),
    ("card_ratio_30d", 4.0),
    ("card_device_age", 3e5),
    ("card_ip_age", 3e5),
    ("card_merchant_age", 3e5),
    ("ip_idle", 3e5),
    ("ip_declines_1h", 5.0),
    ("merchant_attempts_1h", 50.0),
    ("merchant_attempts_24h", 500.0),
    ("merchant_attempts_7d", 3_000.0),
    ("merchant_surge", 4.0),
    ("merchant_new_share_1h", 1.0),
    ("merchant_mean_shift", 4.0),
    ("merchant_ratio_7d", 4.0),
    ("merchant_reports_30d", 5.0),
    ("bin_attempts_1h", 100.0),
];

pub fn text() -> String {
    let names: Vec<&str> = FEATURES.iter().map(|(name, _)| *name).collect();
    let mut out = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx={}\n\
         objective=binary sigmoid:1\nfeature_names={}\ntree_sizes={}\n\n",
        FEATURES.len() - 1,
        names.join(" "),
        vec!["1"; TREES].join(" "),
    );
    let mut dice = Dice(SEED);
    for index in 0..TREES {
        push_tree(&mut out, index, &mut dice);
    }
    out + "end of trees\n"
}

/// Grown by splitting a leaf that is drawn, until there are enough.
fn push_tree(out: &mut String, index: usize, dice: &mut Dice) {
    // Children: a split's number, or a leaf as `!leaf`.
    let mut children: Vec<[i32; 2]> = Vec::new();
    let (mut features, mut thresholds) = (Vec::new(), Vec::new());
    for split in 0..LEAVES - 1 {
        let leaf = dice.below(split + 1) as i32;
        for side in children.iter_mut().flatten() {
            if *side == !leaf {
                *side = split as i32;
            }
        }
        children.push([!leaf, !(split as i32 + 1)]);
        let feature = dice.below(FEATURES.len());
        let greatest = FEATURES.get(feature).map_or(1.0, |(_, greatest)| *greatest);
        features.push(feature);
        thresholds.push(greatest * dice.share().powi(2));
    }
    let values: Vec<f64> = (0..LEAVES).map(|_| (dice.share() - 0.5) / 6.0).collect();
    let side = |at: usize| list(children.iter().filter_map(|sides| sides.get(at)));
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        "Tree={index}\nnum_leaves={LEAVES}\nnum_cat=0\nsplit_feature={}\nthreshold={}\n\
         decision_type={}\nleft_child={}\nright_child={}\nleaf_value={}\nleaf_count={}\n\
         is_linear=0\nshrinkage=1\n\n\n",
        list(&features),
        list(&thresholds),
        vec!["10"; LEAVES - 1].join(" "),
        side(0),
        side(1),
        list(&values),
        vec!["10"; LEAVES].join(" "),
    );
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}

/// The same numbers each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use millrace_serving::model::{Model, Size};

    use super::*;

    #[test]
    fn it_is_a_model_and_the_same_each_time() {
        let model = Model::read(text().as_bytes()).unwrap();
        assert_eq!(model.size(), Size::Trees { trees: TREES, leaves: TREES * LEAVES });
        assert_eq!(text(), text());
    }
}
