//! From the lists of an operator's attributes to trees: every node has one way to it, from the root
//! of its tree, which is the first node that is listed of it.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::NodeProto;

use super::{NODES_MAX, Node, Single, Test, is_classifier};
use crate::model::error::{Fault, shown};
use crate::model::limits;
use crate::model::onnx::document;

/// What leaves add, by tree and node.
pub(super) struct Weights<'n> {
    entries: BTreeMap<(i64, i64), [f32; 2]>,
    trees: &'n [i64],
    pub of_first: bool,
    pub of_second: bool,
    pub is_any_negative: bool,
}

impl Weights<'_> {
    pub fn read(node: &NodeProto) -> Result<Weights<'_>, Fault> {
        let prefix = if is_classifier(node) { "class" } else { "target" };
        let list = |name: &str| document::ints(node, &format!("{prefix}_{name}"));
        let (trees, nodes, ids) = (list("treeids"), list("nodeids"), list("ids"));
        let values = document::floats(node, &format!("{prefix}_weights"));
        for (what, given) in [("nodeids", nodes.len()), ("ids", ids.len())] {
            same(what, given, trees.len())?;
        }
        same("weights", values.len(), trees.len())?;
        Fault::limit("leaves", trees.len(), NODES_MAX)?;
        let mut weights = Weights {
            entries: BTreeMap::new(),
            trees,
            of_first: false,
            of_second: false,
            is_any_negative: values.iter().any(|value| *value < 0.0),
        };
        for (((tree, node), id), value) in trees.iter().zip(nodes).zip(ids).zip(values) {
            let [first, second] = weights.entries.entry((*tree, *node)).or_default();
            match id {
                0 => (*first, weights.of_first) = (*first + value, true),
                1 => (*second, weights.of_second) = (*second + value, true),
                _ => return Err(unreadable(*id, "0 or 1, a class of two or the one target")),
            }
        }
        Ok(weights)
    }
}

fn same(what: &'static str, given: usize, expected: usize) -> Result<(), Fault> {
    match given == expected {
        true => Ok(()),
        false => Err(Fault::Count { what, given, expected }),
    }
}

fn unreadable(given: i64, expected: &'static str) -> Fault {
    Fault::unreadable(&given.to_string(), expected)
}

/// The roots in the order of the trees, and all nodes.
pub(super) fn read(
    node: &NodeProto,
    weights: &Weights<'_>,
) -> Result<(Vec<u32>, Vec<Node>), Fault> {
    let trees = document::ints(node, "nodes_treeids");
    let ids = document::ints(node, "nodes_nodeids");
    Fault::limit("nodes of trees", trees.len(), NODES_MAX)?;
    same("nodes_nodeids", ids.len(), trees.len())?;
    let mut places: BTreeMap<(i64, i64), u32> = BTreeMap::new();
    let mut roots: Vec<u32> = Vec::new();
    let mut begun: BTreeSet<i64> = BTreeSet::new();
    for (at, key) in (0u32..).zip(trees.iter().copied().zip(ids.iter().copied())) {
        if places.insert(key, at).is_some() {
            return Err(Fault::Twice { what: "node of a tree" });
        }
        if begun.insert(key.0) {
            roots.push(at);
        }
    }
    Fault::limit("trees", roots.len(), limits::TREES_MAX)?;
    if weights.trees.iter().any(|tree| !begun.contains(tree)) {
        return Err(Fault::Shape { message: "a leaf is of a tree that is not there".to_owned() });
    }
    let nodes = nodes(node, weights, trees, ids, &places)?;
    check_shape(&roots, &nodes)?;
    Ok((roots, nodes))
}

fn nodes(
    node: &NodeProto,
    weights: &Weights<'_>,
    trees: &[i64],
    ids: &[i64],
    places: &BTreeMap<(i64, i64), u32>,
) -> Result<Vec<Node>, Fault> {
    let list = |name: &'static str| {
        let list = document::ints(node, name);
        same(name, list.len(), trees.len()).map(|()| list)
    };
    let (yes, no) = (list("nodes_truenodeids")?, list("nodes_falsenodeids")?);
    let features = list("nodes_featureids")?;
    let values = document::floats(node, "nodes_values");
    same("nodes_values", values.len(), trees.len())?;
    let modes = document::attribute(node, "nodes_modes").map_or(&[][..], |a| &a.strings);
    same("nodes_modes", modes.len(), trees.len())?;
    let missing = document::ints(node, "nodes_missing_value_tracks_true");
    if !missing.is_empty() {
        same("nodes_missing_value_tracks_true", missing.len(), trees.len())?;
    }
    let mut all = Vec::with_capacity(trees.len());
    for (at, key) in trees.iter().copied().zip(ids.iter().copied()).enumerate() {
        let of = |list: &[i64]| list.get(at).copied().unwrap_or_default();
        let Some(test) = test(modes.get(at).map_or(&[][..], Vec::as_slice))? else {
            let [first, second] = weights.entries.get(&key).copied().unwrap_or_default();
            all.push(Node::Leaf([Single::new(first), Single::new(second)]));
            continue;
        };
        let feature = of(features);
        let feature = usize::try_from(feature).ok().filter(|f| *f < limits::FEATURES_MAX);
        let feature = feature.and_then(|feature| u32::try_from(feature).ok());
        let branch = |to: i64| {
            let place = places.get(&(key.0, to)).copied();
            place.ok_or_else(|| unreadable(to, "a node of its tree"))
        };
        all.push(Node::Split {
            test,
            feature: feature.ok_or_else(|| unreadable(of(features), "a feature"))?,
            value: Single::new(values.get(at).copied().unwrap_or_default()),
            missing: of(missing) != 0,
            yes: branch(of(yes))?,
            no: branch(of(no))?,
        });
    }
    Ok(all)
}

/// `None` for a leaf.
fn test(mode: &[u8]) -> Result<Option<Test>, Fault> {
    Ok(Some(match mode {
        b"BRANCH_LEQ" => Test::Leq,
        b"BRANCH_LT" => Test::Lt,
        b"BRANCH_GTE" => Test::Gte,
        b"BRANCH_GT" => Test::Gt,
        b"BRANCH_EQ" => Test::Eq,
        b"BRANCH_NEQ" => Test::Neq,
        b"LEAF" => return Ok(None),
        other => {
            let given = shown(&String::from_utf8_lossy(other));
            return Err(Fault::unreadable(&given, "a mode of a node"));
        }
    }))
}

/// From each root every node of its tree is reached, by one way that is not too long.
fn check_shape(roots: &[u32], nodes: &[Node]) -> Result<(), Fault> {
    let mut seen = vec![false; nodes.len()];
    let mut waiting: Vec<(u32, usize)> = roots.iter().map(|root| (*root, 0)).collect();
    while let Some((at, depth)) = waiting.pop() {
        Fault::limit("splits on one path of a tree", depth, limits::DEPTH_MAX)?;
        let (Some(seen), Some(node)) = (seen.get_mut(at as usize), nodes.get(at as usize)) else {
            continue;
        };
        if std::mem::replace(seen, true) {
            return Err(Fault::Shape { message: "two branches lead to one node".to_owned() });
        }
        if let Node::Split { yes, no, .. } = node {
            waiting.extend([(*yes, depth + 1), (*no, depth + 1)]);
        }
    }
    match seen.iter().all(|seen| *seen) && !roots.is_empty() {
        true => Ok(()),
        false => Err(Fault::Shape { message: "a node has no way to it from a root".to_owned() }),
    }
}
