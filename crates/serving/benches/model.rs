//! What one row costs: the score, with the attribution by path, and the exact attribution.
//!
//! `cargo bench -p millrace-serving`. The forest has the size of a payment model (300 trees of 31
//! leaves over 63 features) and random splits; a trained one has likelier and unlikelier leaves.
//! `tests/models/run` takes the times of a trained one, beside the libraries.

use std::fmt::Write;

use divan::{Bencher, black_box};
use millrace_serving::model::{Attribution, Model};

const TREES: usize = 300;
const LEAVES: [usize; 3] = [31, 63, 127];
const FEATURES: usize = 63;
const ROWS: usize = 1_024;

fn main() {
    divan::main();
}

/// Numbers that look random and are always the same (a multiplicative generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }

    fn fraction(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 20)
    }
}

/// A LightGBM file in which a new split always takes the place of a random leaf.
fn model(leaves: usize) -> Model {
    let mut numbers = Numbers(1);
    let names: Vec<String> = (0..FEATURES).map(|at| format!("f{at}")).collect();
    let mut out = format!(
        "tree\nversion=v4\nmax_feature_idx={}\nobjective=binary sigmoid:1\nfeature_names={}\n\
         tree_sizes={}\n",
        FEATURES - 1,
        names.join(" "),
        ["1"; TREES].join(" ")
    );
    for tree in 0..TREES {
        let mut children = vec![[-1_i64, -2]];
        for split in 1..leaves as i64 - 1 {
            let leaf = -1 - numbers.below(split as usize + 1) as i64;
            for child in children.iter_mut().flatten() {
                if *child == leaf {
                    *child = split;
                }
            }
            children.push([leaf, -2 - split]);
        }
        let mut list = |name: &str, count: usize, mut item: Box<dyn FnMut(usize) -> String>| {
            let items: Vec<String> = (0..count).map(&mut item).collect();
            writeln!(out, "{name}={}", items.join(" ")).expect("a string takes all");
        };
        let seeds = [numbers.below(1 << 30), numbers.below(1 << 30), numbers.below(1 << 30)];
        let [mut a, mut b, mut c] = seeds.map(|seed| Numbers(seed as u64));
        let (left, right) = (children.clone(), children);
        list("Tree", 1, Box::new(move |_| tree.to_string()));
        list("num_leaves", 1, Box::new(move |_| leaves.to_string()));
        list("split_feature", leaves - 1, Box::new(move |_| a.below(FEATURES).to_string()));
        list("threshold", leaves - 1, Box::new(move |_| b.fraction().to_string()));
        list("decision_type", leaves - 1, Box::new(|_| "10".to_owned()));
        list("left_child", leaves - 1, Box::new(move |at| left[at][0].to_string()));
        list("right_child", leaves - 1, Box::new(move |at| right[at][1].to_string()));
        list("leaf_value", leaves, Box::new(move |_| (c.fraction() - 0.5).to_string()));
        list("leaf_count", leaves, Box::new(|_| "10".to_owned()));
    }
    out += "end of trees\n";
    Model::read(out.as_bytes()).expect("the file is one")
}

fn rows() -> Vec<Vec<f64>> {
    let mut numbers = Numbers(2);
    let mut value = || if numbers.below(10) == 0 { f64::NAN } else { numbers.fraction() };
    (0..ROWS).map(|_| (0..FEATURES).map(|_| value()).collect()).collect()
}

#[divan::bench(args = LEAVES)]
fn score(bencher: Bencher<'_, '_>, leaves: usize) {
    let (model, rows) = (model(leaves), rows());
    let mut scratch = model.scratch();
    let mut rows = rows.iter().cycle();
    bencher.bench_local(|| {
        black_box(rows.next().map(|row| model.score_row(row, &mut scratch)));
    });
}

#[divan::bench(args = LEAVES)]
fn score_and_path(bencher: Bencher<'_, '_>, leaves: usize) {
    let (model, rows) = (model(leaves), rows());
    let mut scratch = model.scratch();
    let mut attribution = Attribution::default();
    let mut rows = rows.iter().cycle();
    bencher.bench_local(|| {
        let row = rows.next();
        black_box(row.map(|row| model.attribute_row(row, &mut scratch, &mut attribution)));
    });
}

#[divan::bench(args = LEAVES)]
fn shap(bencher: Bencher<'_, '_>, leaves: usize) {
    let (model, rows) = (model(leaves), rows());
    let mut rows = rows.iter().cycle();
    bencher.bench_local(|| black_box(rows.next().map(|row| model.shap(row))));
}
