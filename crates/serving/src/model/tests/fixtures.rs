//! Small models that the libraries trained, with the libraries' answers for rows of corner cases:
//! `tests/models/fixtures.py` writes both.

use super::*;
use crate::model::{CategoryName, FeatureKind, Format, Score};

macro_rules! fixture {
    ($name:literal, $ending:literal) => {
        Fixture {
            name: $name,
            model: include_bytes!(concat!("fixtures/", $name, ".", $ending)),
            rows: include_str!(concat!("fixtures/", $name, ".rows")),
        }
    };
}

pub(super) struct Fixture {
    pub name: &'static str,
    pub model: &'static [u8],
    rows: &'static str,
}

pub(super) const FIXTURES: [Fixture; 8] = [
    fixture!("lightgbm_binary", "txt"),
    fixture!("lightgbm_zero", "txt"),
    fixture!("lightgbm_forest", "txt"),
    fixture!("lightgbm_leaves", "txt"),
    fixture!("lightgbm_stump", "txt"),
    fixture!("xgboost_binary", "json"),
    fixture!("xgboost_onehot", "json"),
    fixture!("xgboost_dart", "json"),
];

/// A row, and what the library says of it.
struct Answer {
    row: Vec<f64>,
    score: Score,
    contributions: Vec<f64>,
    bias: f64,
}

impl Fixture {
    fn answers(&self, features: usize) -> impl Iterator<Item = Answer> {
        self.rows.lines().map(move |line| {
            let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            let (row, answers) = numbers.split_at(features);
            let [raw, value, contributions @ .., bias] = answers else { panic!("{line}") };
            Answer {
                row: row.to_vec(),
                score: Score { raw: *raw, value: *value },
                contributions: contributions.to_vec(),
                bias: *bias,
            }
        })
    }
}

#[test]
fn scores_are_the_librarys_to_the_last_bit() {
    for fixture in FIXTURES {
        let model = Model::read(fixture.model).unwrap();
        let mut scratch = model.scratch();
        for (at, answer) in fixture.answers(model.features().len()).enumerate() {
            let score = model.score_row(&answer.row, &mut scratch);
            let bits = |score: Score| (score.raw.to_bits(), score.value.to_bits());
            let name = fixture.name;
            assert_eq!(bits(score), bits(answer.score), "{name}, row {at}: {score:?}");
            assert_eq!(model.score(&answer.row).to_bits(), score.value.to_bits());
        }
    }
}

#[test]
fn attributions_are_the_librarys_and_add_up() {
    for fixture in FIXTURES {
        let model = Model::read(fixture.model).unwrap();
        // XGBoost attributes in 32 bits.
        let allowed = if model.format() == Format::LightGbm { 1e-12 } else { 1e-5 };
        let mut path = Attribution::default();
        for answer in fixture.answers(model.features().len()) {
            let score = model.attribute_row(&answer.row, &mut model.scratch(), &mut path);
            let exact = model.shap(&answer.row);
            let near = |a: f64, b: f64| (a - b).abs() <= allowed * score.raw.abs().max(1.0);
            assert!(near(path.total(), score.raw) && near(exact.total(), score.raw));
            assert!(near(exact.bias, answer.bias), "{}", fixture.name);
            for (got, expected) in exact.contributions.iter().zip(&answer.contributions) {
                assert!(near(*got, *expected), "{}: {got} and {expected}", fixture.name);
            }
        }
    }
}

#[test]
fn features_are_known_by_name_and_kind() {
    let names = ["BR", "DE", "FR", "US", "ZA"].map(|name| CategoryName::Text(name.to_owned()));
    let lightgbm = read(LIGHTGBM).unwrap();
    let xgboost = read(XGBOOST).unwrap();
    for model in [&lightgbm, &xgboost] {
        let features = model.features();
        let all: Vec<&str> = features.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(all, ["amount", "count", "ratio", "country"]);
        assert!(features[..3].iter().all(|feature| feature.kind == FeatureKind::Number));
    }
    let named = FeatureKind::Category { names: Some(names.to_vec()) };
    let [_, _, _, country] = lightgbm.features() else { panic!() };
    assert_eq!(country.kind, named);
    assert_eq!((country.code_of("US"), country.code_of("us")), (Some(3.0), None));
    // Trained on codes, so that the file has no names.
    let [_, _, _, country] = xgboost.features() else { panic!() };
    assert_eq!(country.kind, FeatureKind::Category { names: None });
    let stump = Model::read(include_bytes!("fixtures/lightgbm_stump.txt")).unwrap();
    assert!(country.is_used && stump.features().iter().all(|feature| !feature.is_used));
}

#[test]
fn a_model_is_known_by_the_bytes_of_its_file() {
    let model = read(LIGHTGBM).unwrap();
    assert_eq!(model.hash(), read(LIGHTGBM).unwrap().hash());
    assert_ne!(model.hash(), read(&format!("{LIGHTGBM}\n")).unwrap().hash());
    assert_eq!(model.hash().to_string().len(), 12);
    assert!(format!("{:#}", model.hash()).starts_with(&model.hash().to_string()));
    assert_eq!((model.trees_and_leaves().0, model.objective().name.as_str()), (3, "binary"));
    assert!(model.objective().is_probability());
}
