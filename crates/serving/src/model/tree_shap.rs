//! Exact Shapley values of one row (Lundberg, Erion and Lee, "Consistent Individualized Feature
//! Attribution for Tree Ensembles", 2018, algorithm 2): what a feature adds, averaged over all
//! orders in which features could become known, where an unknown feature sends the row both ways
//! in the shares of the training data.
//!
//! The walk visits every leaf. `path` holds, for each distinct feature on the way there, the shares
//! of the ways that reach the leaf with it unknown (`zero`) and known (`one`), and by how many of
//! the features are known the weight of all such subsets. A tree of `L` leaves and depth `D` costs
//! `L · D²`.

use crate::model::forest::{Branch, Forest, Summary, Tree};

#[derive(Clone, Copy, Debug, Default)]
struct Element {
    /// `None` for the root, which asks for no feature.
    feature: Option<u32>,
    zero: f64,
    one: f64,
    weight: f64,
}

/// One tree's walk.
struct Walk<'a> {
    forest: &'a Forest,
    summaries: &'a [Summary],
    row: &'a [f64],
    contributions: &'a mut [f64],
    /// The path of every depth, one after the other: each begins as a copy of the one before.
    paths: Vec<Element>,
}

/// A step down: the branch, and the element that it adds to the path.
#[derive(Clone, Copy)]
struct Visit {
    branch: Branch,
    /// Where in `paths` the path that it extends begins.
    start: usize,
    /// Elements of that path.
    len: usize,
    added: Element,
}

/// Adds what each feature adds in one tree.
pub(super) fn add_tree(
    forest: &Forest,
    summaries: &[Summary],
    tree: &Tree,
    row: &[f64],
    contributions: &mut [f64],
) {
    let depth = tree.depth as usize;
    let paths = vec![Element::default(); (depth + 2) * (depth + 3) / 2];
    let mut walk = Walk { forest, summaries, row, contributions, paths };
    let added = Element { feature: None, zero: 1.0, one: 1.0, weight: 0.0 };
    walk.visit(Visit { branch: tree.root, start: 0, len: 0, added });
}

impl Walk<'_> {
    /// Recurses as deep as the tree, which is bounded by `DEPTH_MAX`.
    fn visit(&mut self, Visit { branch, start, len, added }: Visit) {
        let to = start + len;
        self.paths.copy_within(start..to, to);
        let mut len = len + 1;
        extend(&mut self.paths[to..to + len], added);
        if branch < 0 {
            self.add_leaf(to, len, self.forest.leaves[!branch as usize]);
            return;
        }
        let split = &self.forest.splits[branch as usize];
        let is_left = self.forest.goes_left(split, self.row[split.feature as usize]);
        let left = self.forest.summary(split.left, self.summaries);
        let right = self.forest.summary(split.right, self.summaries);
        let left_share = left.share_beside(&right);
        let feature = Some(split.feature);
        // A feature that was asked before has one element: it is taken out and made again.
        let path = &mut self.paths[to..to + len];
        let (mut zero, mut one) = (1.0, 1.0);
        if let Some(at) = path.iter().position(|element| element.feature == feature) {
            (zero, one) = (path[at].zero, path[at].one);
            unwind(path, at);
            len -= 1;
        }
        let sides = [(split.left, left_share, is_left), (split.right, 1.0 - left_share, !is_left)];
        for (branch, share, is_taken) in sides {
            let one = if is_taken { one } else { 0.0 };
            let added = Element { feature, zero: zero * share, one, weight: 0.0 };
            self.visit(Visit { branch, start: to, len, added });
        }
    }

    fn add_leaf(&mut self, start: usize, len: usize, value: f64) {
        let path = &self.paths[start..start + len];
        for (at, element) in path.iter().enumerate() {
            if let Some(feature) = element.feature {
                let weight = unwound_sum(path, at);
                let contribution = weight * (element.one - element.zero) * value;
                self.contributions[feature as usize] += contribution;
            }
        }
    }
}

/// Makes the last element of the path the given one, and the weights those of the longer path.
fn extend(path: &mut [Element], added: Element) {
    let last = path.len() - 1;
    path[last] = Element { weight: if last == 0 { 1.0 } else { 0.0 }, ..added };
    let all = (last + 1) as f64;
    for at in (0..last).rev() {
        path[at + 1].weight += added.one * path[at].weight * (at + 1) as f64 / all;
        path[at].weight *= added.zero * (last - at) as f64 / all;
    }
}

/// Takes the element out again; the last slot is then free.
fn unwind(path: &mut [Element], taken: usize) {
    let last = path.len() - 1;
    let Element { zero, one, .. } = path[taken];
    let all = (last + 1) as f64;
    let mut next = path[last].weight;
    for at in (0..last).rev() {
        if one != 0.0 {
            let weight = path[at].weight;
            path[at].weight = next * all / ((at + 1) as f64 * one);
            next = weight - path[at].weight * zero * (last - at) as f64 / all;
        } else if zero != 0.0 {
            path[at].weight = path[at].weight * all / (zero * (last - at) as f64);
        } else {
            path[at].weight = 0.0;
        }
    }
    for at in taken..last {
        let Element { feature, zero, one, .. } = path[at + 1];
        path[at] = Element { feature, zero, one, ..path[at] };
    }
}

/// The sum of the weights that [`unwind`] would leave.
fn unwound_sum(path: &[Element], taken: usize) -> f64 {
    let last = path.len() - 1;
    let Element { zero, one, .. } = path[taken];
    let all = (last + 1) as f64;
    let mut next = path[last].weight;
    let mut total = 0.0;
    for at in (0..last).rev() {
        if one != 0.0 {
            let weight = next * all / ((at + 1) as f64 * one);
            total += weight;
            next = path[at].weight - weight * zero * (last - at) as f64 / all;
        } else if zero != 0.0 {
            total += path[at].weight * all / (zero * (last - at) as f64);
        }
    }
    total
}
