//! Random trees in the libraries' formats.

use std::fmt::Write;

use super::trees::{Library, Test, Tree};

pub(super) fn model_text(trees: &[Tree], features: usize, of: Library) -> String {
    match of {
        Library::LightGbm => lightgbm(trees, features),
        Library::XgBoost => xgboost(trees, features),
    }
}

fn words<T: ToString>(list: &[T], separator: &str) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// The lists of a LightGBM tree.
#[derive(Default)]
struct Lists {
    feature: Vec<usize>,
    threshold: Vec<f64>,
    decision: Vec<u8>,
    left: Vec<i32>,
    right: Vec<i32>,
    value: Vec<f64>,
    count: Vec<u32>,
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

fn lightgbm(trees: &[Tree], features: usize) -> String {
    let names: Vec<String> = (0..features).map(|at| format!("f{at}")).collect();
    let mut out = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx={}\n\
         objective=regression\nfeature_names={}\ntree_sizes={}\n\n",
        features - 1,
        words(&names, " "),
        words(&vec![1; trees.len()], " "),
    );
    for (at, tree) in trees.iter().enumerate() {
        let mut lists = Lists { boundaries: vec![0], ..Lists::default() };
        lists.push(tree);
        writeln!(
            out,
            "Tree={at}\nnum_leaves={}\nnum_cat={}\nsplit_feature={}\nthreshold={}\n\
             decision_type={}\nleft_child={}\nright_child={}\nleaf_value={}\nleaf_count={}\n\
             cat_boundaries={}\ncat_threshold={}\nis_linear=0\nshrinkage=1\n\n",
            lists.value.len(),
            lists.boundaries.len() - 1,
            words(&lists.feature, " "),
            words(&lists.threshold, " "),
            words(&lists.decision, " "),
            words(&lists.left, " "),
            words(&lists.right, " "),
            words(&lists.value, " "),
            words(&lists.count, " "),
            words(&lists.boundaries, " "),
            words(&lists.words, " "),
        )
        .unwrap();
    }
    out + "end of trees\n"
}

impl Lists {
    /// Adds a subtree, and says which child it is.
    fn push(&mut self, tree: &Tree) -> i32 {
        let (feature, test, missing, sides) = match tree {
            Tree::Leaf { value, cover } => {
                self.value.push(*value);
                self.count.push(*cover);
                return !(self.value.len() as i32 - 1);
            }
            Tree::Split { feature, test, missing, sides } => (feature, test, missing, sides),
        };
        let at = self.feature.len();
        self.feature.push(*feature);
        let flags = u8::from(missing.is_left) << 1 | missing.kind << 2;
        match test {
            Test::Threshold(threshold) => {
                self.threshold.push(*threshold);
                self.decision.push(flags);
            }
            Test::Categories(set) => {
                self.threshold.push((self.boundaries.len() - 1) as f64);
                self.decision.push(flags | 1);
                let mut words = vec![0u32; *set.iter().max().unwrap() as usize / 32 + 1];
                set.iter().for_each(|c| words[*c as usize / 32] |= 1 << (c % 32));
                self.words.extend(words);
                self.boundaries.push(self.words.len());
            }
        }
        self.left.push(0);
        self.right.push(0);
        self.left[at] = self.push(&sides[0]);
        self.right[at] = self.push(&sides[1]);
        at as i32
    }
}

/// The arrays of an XGBoost tree.
#[derive(Default)]
struct Arrays {
    left: Vec<i32>,
    right: Vec<i32>,
    feature: Vec<usize>,
    condition: Vec<f32>,
    default_left: Vec<u8>,
    hessian: Vec<u32>,
    split_type: Vec<u8>,
    categories: Vec<i64>,
    nodes: Vec<usize>,
    segments: Vec<usize>,
    sizes: Vec<usize>,
}

fn xgboost(trees: &[Tree], features: usize) -> String {
    let texts = trees.iter().map(|tree| {
        let mut arrays = Arrays::default();
        arrays.push(tree);
        let Arrays { left, right, feature, condition, default_left, hessian, .. } = &arrays;
        format!(
            r#"{{"left_children":[{}],"right_children":[{}],"split_indices":[{}],
            "split_conditions":[{}],"default_left":[{}],"sum_hessian":[{}],"split_type":[{}],
            "categories":[{}],"categories_nodes":[{}],"categories_segments":[{}],
            "categories_sizes":[{}],"tree_param":{{"size_leaf_vector":"1"}}}}"#,
            words(left, ","),
            words(right, ","),
            words(feature, ","),
            words(condition, ","),
            words(default_left, ","),
            words(hessian, ","),
            words(&arrays.split_type, ","),
            words(&arrays.categories, ","),
            words(&arrays.nodes, ","),
            words(&arrays.segments, ","),
            words(&arrays.sizes, ","),
        )
    });
    format!(
        r#"{{"learner":{{"feature_names":[],"feature_types":[],"gradient_booster":{{"model":
        {{"tree_info":[{}],"trees":[{}]}},"name":"gbtree"}},"learner_model_param":
        {{"base_score":"5E-1","num_class":"0","num_feature":"{features}","num_target":"1"}},
        "objective":{{"name":"reg:squarederror"}}}},"version":[3,2,0]}}"#,
        words(&vec![0; trees.len()], ","),
        texts.collect::<Vec<_>>().join(","),
    )
}

impl Arrays {
    fn push(&mut self, tree: &Tree) -> i32 {
        let at = self.left.len();
        self.left.push(-1);
        self.right.push(-1);
        self.hessian.push(tree.cover() as u32);
        self.default_left.push(0);
        self.split_type.push(0);
        self.feature.push(0);
        self.condition.push(0.0);
        match tree {
            Tree::Leaf { value, .. } => self.condition[at] = *value as f32,
            Tree::Split { feature, test, missing, sides } => {
                self.feature[at] = *feature;
                self.default_left[at] = u8::from(missing.is_left);
                match test {
                    Test::Threshold(threshold) => self.condition[at] = *threshold as f32,
                    Test::Categories(set) => {
                        self.split_type[at] = 1;
                        self.nodes.push(at);
                        self.segments.push(self.categories.len());
                        self.sizes.push(set.len());
                        self.categories.extend(set);
                    }
                }
                self.left[at] = self.push(&sides[0]);
                self.right[at] = self.push(&sides[1]);
            }
        }
        at as i32
    }
}
