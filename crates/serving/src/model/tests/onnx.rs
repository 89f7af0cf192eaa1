//! Graphs in ONNX against onnxruntime's answers, refusals, and hostile files. The fixtures are
//! written by `tests/models/onnx_fixtures.py`.

use millrace_event::Type;

use super::trees::Random;
use super::*;
use crate::model::Size;

macro_rules! fixture {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("fixtures/onnx_", $name, ".onnx")),
            include_str!(concat!("fixtures/onnx_", $name, ".rows")),
        )
    };
}

/// The model's bytes, and a line for each row with its values and the score.
const FIXTURES: [(&str, &[u8], &str); 11] = [
    fixture!("lightgbm_binary"),
    fixture!("lightgbm_map"),
    fixture!("lightgbm_number"),
    fixture!("xgboost_binary"),
    fixture!("xgboost_number"),
    fixture!("sklearn_forest"),
    fixture!("sklearn_boosted"),
    fixture!("sklearn_logistic"),
    fixture!("sklearn_by_name"),
    fixture!("sklearn_network"),
    fixture!("sklearn_imputed"),
];
/// Damaged files of each fixture.
const MUTANTS: u64 = 300;

fn bytes_of(name: &str) -> Vec<u8> {
    FIXTURES.iter().find(|fixture| fixture.0 == name).unwrap().1.to_vec()
}

/// The file with one text in the place of another of the same length, so that all lengths stay.
fn changed(name: &str, from: &str, to: &str) -> Result<Model, ModelError> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes_of(name);
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "{from}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    Model::read(&bytes)
}

fn refused(name: &str, from: &str, to: &str) -> String {
    changed(name, from, to).unwrap_err().to_string()
}

#[test]
fn scores_are_those_of_onnxruntime() {
    for (name, bytes, rows) in FIXTURES {
        let model = Model::read(bytes).unwrap();
        // A network's products are added up in another order; all else is equal to the bit.
        let allowed = if name.contains("network") || name.contains("imputed") { 2e-7 } else { 0.0 };
        for line in rows.lines() {
            let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            let (expected, row) = numbers.split_last().unwrap();
            let score = model.score_row(row, &mut model.scratch());
            assert!((score.value - expected).abs() <= allowed, "{name}: {score:?} and {expected}");
            assert_eq!(score.raw, score.value);
        }
    }
}

#[test]
fn a_graph_says_what_it_is_made_of() {
    let model = Model::read(&bytes_of("lightgbm_map")).unwrap();
    assert_eq!(model.objective().name, "`probabilities`, column 1");
    assert!(matches!(model.size(), Size::Graph { nodes: 2, parameters: 39 }), "{:?}", model.size());
    let names: Vec<&str> = model.features().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["amount", "count", "ratio", "age", "tiny"]);
    let by_name = Model::read(&bytes_of("sklearn_by_name")).unwrap();
    let of = |model: &Model| model.features().iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    assert_eq!(of(&by_name), of(&model));
    let mut attribution = Attribution::default();
    model.attribute_row(&[1.0; 5], &mut model.scratch(), &mut attribution);
    assert!(!model.is_explained() && attribution.largest().is_empty());
    assert_eq!(model.shap(&[1.0; 5]), attribution);
}

#[test]
fn only_graphs_that_say_what_they_make_of_it_take_missing_values() {
    let missing = [1.0, 1.0, f64::NAN, 1.0, 1.0];
    for (name, bytes, _) in FIXTURES {
        let model = Model::read(bytes).unwrap();
        let takes = name != "sklearn_network";
        assert_eq!(model.score(&missing).is_nan(), !takes, "{name}");
        assert!(model.features().iter().all(|feature| feature.takes_missing == takes), "{name}");
        assert_eq!(model.remarks().is_empty(), takes);
    }
    let network = Model::read(&bytes_of("sklearn_network")).unwrap();
    let names = ["amount", "count", "ratio", "age", "tiny"];
    let inputs = names.map(|name| Input { name, ty: &Type::Float, nullable: name == "age" });
    let [mismatch] = &network.check_inputs(&inputs)[..] else { panic!() };
    assert!(mismatch.to_string().starts_with("feature `age`: the input may be null"), "{mismatch}");
}

#[test]
fn what_is_not_scored_is_refused_by_name() {
    for (name, from, to, expected) in [
        ("sklearn_network", "Sigmoid", "Hardmax", "the operator Hardmax of ai.onnx is not scored"),
        ("sklearn_network", "Relu", "Loop", "(Loop): the operator Loop of ai.onnx is not scored"),
        ("xgboost_binary", "ai.onnx.ml", "com.micros", "TreeEnsembleClassifier of com.micros"),
        ("xgboost_binary", "feature_names", "feature_nemas", "`rows`: its features have no names"),
        ("xgboost_binary", "\"amount\", ", "          ", "5 features, and `feature_names` has 4"),
        ("xgboost_binary", "[\"amount\"", "(\"amount\"", "no list of names in JSON"),
        ("xgboost_binary", "probabilities", "propabilities", "the outputs are `label`, `propab"),
        ("xgboost_binary", "BRANCH_LT", "BRANCH_XX", "`BRANCH_XX` is not a mode of a node"),
        ("xgboost_binary", "LOGISTIC", "SOFTMAXX", "post_transform `SOFTMAXX`"),
        ("xgboost_binary", "class_ids", "class_idz", "0 ids, and"),
        ("xgboost_binary", "nodes_values", "nodes_valuez", "0 nodes_values, and"),
    ] {
        let error = refused(name, from, to);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_file_may_name_the_output() {
    // An entry of metadata behind the rest is one more of them.
    let mut bytes = bytes_of("sklearn_by_name");
    let entry = |value: &str| {
        let mut entry = vec![0x0a, 12];
        entry.extend(b"score_output");
        entry.extend([0x12, value.len() as u8]);
        entry.extend(value.as_bytes());
        let mut field = vec![0x72, entry.len() as u8];
        field.extend(entry);
        field
    };
    let whole = bytes.len();
    bytes.extend(entry("output_probability"));
    assert!(Model::read(&bytes).is_ok());
    bytes.truncate(whole);
    bytes.extend(entry("outptu"));
    let error = Model::read(&bytes).unwrap_err().to_string();
    assert!(error.contains("`score_output` is `outptu`, and no output is called so"), "{error}");
    bytes.truncate(whole);
    bytes.extend(entry("output_label"));
    let error = Model::read(&bytes).unwrap_err().to_string();
    assert!(error.contains("the output has no floats"), "{error}");
}

/// Mostly without another length, which every part of a file names.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(40)).min(bytes.len());
    match random.below(12) {
        0 => _ = bytes.remove(at),
        1 => bytes.truncate(at.max(1)),
        2 => {
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, part);
        }
        3 | 4 => {
            let to = random.below(bytes.len() - (end - at) + 1);
            bytes.copy_within(at..end, to);
        }
        5 | 6 => bytes[at] = random.next() as u8,
        7..=9 => bytes[at] ^= 1 << random.below(8),
        _ => bytes[at] = random.pick(&[0, 1, 2, 3, 0x7f, 0xff]),
    }
}

/// Reads a damaged file, and scores with it where it is a model still. Returns whether.
fn survives(bytes: &[u8]) -> bool {
    let Ok(model) = Model::read(bytes) else { return false };
    for value in [f64::NAN, 0.0, -0.5, 3.0, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
        let row = vec![value; model.features().len()];
        let bits = || model.score(&row).to_bits();
        assert_eq!(bits(), bits());
    }
    true
}

#[test]
fn damaged_files_are_refused_or_scored() {
    let (mut refused, mut scored) = (0, 0);
    for (at, (_, bytes, _)) in FIXTURES.iter().enumerate() {
        for seed in 0..MUTANTS {
            let mut random = Random(seed << 8 | at as u64);
            let mut bytes = bytes.to_vec();
            for _ in 0..1 + random.below(2) {
                mutate(&mut random, &mut bytes);
            }
            *if survives(&bytes) { &mut scored } else { &mut refused } += 1;
        }
    }
    // Neither is the whole: the damage reaches both the reader and what is behind it.
    assert!(refused > MUTANTS && scored > MUTANTS, "{refused} refused, {scored} scored");
}

#[test]
fn few_bytes_cannot_ask_for_much_memory() {
    let varint = |mut n: usize| {
        let mut bytes = Vec::new();
        while n > 0x7f {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    };
    let field = |number: u8, inside: &[u8]| {
        [&[number << 3 | 2][..], &varint(inside.len()), inside].concat()
    };
    let nodes = field(1, &[]).repeat(limits::ONNX_PARTS_MAX + 1);
    let types = field(11, &field(2, &field(1, &field(2, &field(1, &[]).repeat(1 << 20)))));
    let attributes = field(1, &field(5, &field(6, &field(1, &[]).repeat(1 << 20))));
    for (graph, expected) in [
        (nodes, "65537 parts; at most 65536"),
        (types, "bytes of names and types; at most"),
        (attributes, "bytes of names and types; at most"),
    ] {
        let file = [&[0x08, 8][..], &field(7, &graph)].concat();
        let error = Model::read(&file).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let file = [&[0x08, 8][..], &vec![0x3a; limits::ONNX_BYTES_MAX]].concat();
    assert!(Model::read(&file).unwrap_err().to_string().contains("bytes; at most 67108864"));
}
