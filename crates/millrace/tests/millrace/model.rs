use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::program::{fail, run, succeed, write};

/// The readers' fixtures, and what the libraries say of their rows.
const FIXTURES: &str = "../serving/src/model/tests/fixtures";

const DEFINITIONS: &str = "\
stream payments {
  id      : int           id
  at      : timestamp     time, late 1m
  amount  : float
  ratio   : float
  items   : int
  country : string
}
view checkout on payments {
  amount  = amount
  count   = items
  ratio   = ratio
  country = country
}
";

fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    for name in ["lightgbm_binary.txt", "xgboost_binary.json"] {
        std::fs::copy(Path::new(FIXTURES).join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// The fixture's rows as a CSV file with a column too many, and the library's scores for them.
fn rows(folder: &TempDir) -> (PathBuf, Vec<[f64; 2]>) {
    let text = std::fs::read_to_string(Path::new(FIXTURES).join("lightgbm_binary.rows")).unwrap();
    let mut csv = "note,country,amount,count,ratio\n".to_owned();
    let mut scores = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let cell = |at: usize| if words[at] == "nan" { "" } else { words[at] };
        let names = ["BR", "DE", "FR", "US", "ZA"];
        let code = cell(3).parse::<f64>().ok().map(|code| code as usize);
        let country = code.and_then(|code| names.get(code)).copied().unwrap_or_default();
        csv += &format!("\"a, b\",{country},{},{},{}\n", cell(0), cell(1), cell(2));
        scores.push([words[4], words[5]].map(|word| word.parse().unwrap()));
    }
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, csv).unwrap();
    (path, scores)
}

#[test]
fn a_model_is_described() {
    let folder = folder();
    let out = succeed(folder.path(), &["model", "check", "lightgbm_binary.txt"]);
    assert!(out.starts_with("lightgbm_binary.txt: LightGBM, binary, 3 trees, 18 leaves\nhash"));
    assert!(out.contains("  amount  number\n") && out.contains("  country  category, 5 names\n"));
    let out = succeed(folder.path(), &["model", "check", "xgboost_binary.json", "--json"]);
    assert!(out.contains("\"format\":\"XGBoost\"") && out.contains("\"mismatches\":[]"));
}

#[test]
fn a_model_is_checked_against_a_view() {
    let folder = folder();
    write(folder.path(), &[("checkout.mill", DEFINITIONS)]);
    let arguments = ["model", "check", "lightgbm_binary.txt", "--view", "checkout"];
    let out = succeed(folder.path(), &arguments);
    assert!(out.ends_with("view `checkout` serves all of them\n"), "{out}");
    let broken = DEFINITIONS.replace("ratio   = ratio", "raito   = ratio");
    write(folder.path(), &[("checkout.mill", &broken)]);
    assert_eq!(
        fail(folder.path(), &arguments, 1),
        "lightgbm_binary.txt: feature `ratio`: no input has this name; did you mean `raito`?\n"
    );
}

#[test]
fn a_decision_may_be_there_before_its_model() {
    let folder = folder();
    let rules = "decision authorise on checkout {\n  score risk\n  \
                 block when risk >= 0.9\n  else allow\n}\n";
    write(folder.path(), &[("checkout.mill", DEFINITIONS), ("rules.mill", rules)]);
    assert!(fail(folder.path(), &["check"], 1).contains("risk"));
    let add = |name| ["model", "add", "lightgbm_binary.txt", "--name", name, "--view", "checkout"];
    let error = fail(folder.path(), &add("other"), 1);
    assert!(error.contains("rules.mill") && !folder.path().join("models").exists(), "{error}");
    succeed(folder.path(), &add("risk"));
    succeed(folder.path(), &["check"]);
}

#[test]
fn rows_are_scored_as_by_the_library() {
    let folder = folder();
    let (_, scores) = rows(&folder);
    let arguments = ["model", "score", "lightgbm_binary.txt", "--rows", "rows.csv"];
    let out = succeed(folder.path(), &arguments);
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("row,raw,score"));
    for (at, (line, [raw, score])) in lines.by_ref().zip(&scores).enumerate() {
        // Codes that have no name are missing in the CSV file, and go right either way.
        assert_eq!(line, format!("{},{raw},{score}", at + 1));
    }
    let to_file = [&arguments[..], &["-o", "scores.ndjson"]].concat();
    assert_eq!(succeed(folder.path(), &to_file), "");
    let json = std::fs::read_to_string(folder.path().join("scores.ndjson")).unwrap();
    assert_eq!(json.lines().count(), scores.len());
    assert!(json.starts_with("{\"raw\":") || json.starts_with("{\"row\":1,"));
}

#[test]
fn explanations_add_up_to_the_raw_score() {
    let folder = folder();
    write(
        folder.path(),
        &[("rows.ndjson", "{\"amount\":70.5,\"count\":2,\"country\":\"DE\",\"ratio\":null}\n")],
    );
    for kind in [&[][..], &["--exact"]] {
        let arguments = ["model", "explain", "lightgbm_binary.txt", "--rows", "rows.ndjson"];
        let out = succeed(folder.path(), &[&arguments[..], kind].concat());
        let lines: Vec<Vec<&str>> =
            out.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let sum: f64 = lines.iter().map(|cells| cells[5].parse::<f64>().unwrap()).sum();
        let raw: f64 = lines[0][1].parse().unwrap();
        assert!((sum - raw).abs() < 1e-12 && lines.len() > 2, "{out}");
    }
}

#[test]
fn what_is_wrong_with_files_is_told_with_its_place() {
    let folder = folder();
    write(
        folder.path(),
        &[
            ("model.ubj", "{L\0\0"),
            ("short.csv", "amount,count\n1,2\n"),
            ("text.ndjson", "{\"amount\":1}\n{\"amount\":\"much\"}\n"),
        ],
    );
    let error = fail(folder.path(), &["model", "check", "model.ubj"], 1);
    assert!(error.contains("model.ubj: this is XGBoost's binary format UBJSON"), "{error}");
    assert!(error.contains("save_model(\"model.json\")"), "{error}");
    let score = |rows| ["model", "score", "lightgbm_binary.txt", "--rows", rows];
    let error = fail(folder.path(), &score("short.csv"), 1);
    assert!(error.contains("short.csv: line 1: the header lacks"), "{error}");
    let error = fail(folder.path(), &score("text.ndjson"), 1);
    assert!(error.contains("text.ndjson: line 2: `much` is no number, as the feature"), "{error}");
    assert!(fail(folder.path(), &score("rows.parquet"), 2).contains("an unknown format"));
    assert_eq!(run(folder.path(), &["model", "check", "absent.txt"]).code, Some(3));
}

fn onnx_folder() -> TempDir {
    let folder = tempdir().unwrap();
    let names =
        ["onnx_xgboost_binary.onnx", "onnx_xgboost_binary.rows", "onnx_sklearn_network.onnx"];
    for name in names {
        std::fs::copy(Path::new(FIXTURES).join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[cfg(not(feature = "onnx"))]
#[test]
fn a_build_without_onnx_says_how_to_make_one_with_it() {
    let folder = onnx_folder();
    let err = fail(folder.path(), &["model", "check", "onnx_xgboost_binary.onnx"], 1);
    assert!(err.contains("onnx_xgboost_binary.onnx: this is an ONNX model"), "{err}");
    assert!(err.contains("cargo build --release --features onnx"), "{err}");
}

#[cfg(feature = "onnx")]
#[test]
fn an_onnx_graph_is_described_scored_and_not_explained() {
    let folder = onnx_folder();
    let file = "onnx_xgboost_binary.onnx";
    let out = succeed(folder.path(), &["model", "check", file]);
    assert!(
        out.starts_with(&format!("{file}: ONNX, `probabilities`, column 1, 1 node, ")),
        "{out}"
    );
    assert!(out.contains("  amount  number\n"), "{out}");
    let text = std::fs::read_to_string(folder.path().join("onnx_xgboost_binary.rows")).unwrap();
    let mut csv = "amount,count,ratio,age,tiny\n".to_owned();
    let mut scores = Vec::new();
    for line in text.lines() {
        let (row, score) = line.rsplit_once(' ').unwrap();
        csv += &format!("{}\n", row.replace(' ', ",").replace("nan", ""));
        scores.push(score.parse::<f64>().unwrap());
    }
    write(folder.path(), &[("rows.csv", &csv)]);
    let out = succeed(folder.path(), &["model", "score", file, "--rows", "rows.csv"]);
    let got: Vec<f64> =
        out.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(got, scores);
    let err = fail(folder.path(), &["model", "explain", file, "--rows", "rows.csv"], 1);
    assert!(
        err.contains("what a feature adds to the score of an ONNX graph is not known"),
        "{err}"
    );
}

#[cfg(feature = "onnx")]
#[test]
fn an_onnx_graph_becomes_a_part_of_a_project() {
    let folder = onnx_folder();
    let definitions = "\
stream payments { id : int id  at : timestamp time, late 1m  amount : float  items : int  age : float? }
view checkout on payments {
  amount = amount
  count  = items
  ratio  = 0.5
  age    = age
  tiny   = 0.0
}
";
    write(folder.path(), &[("payments.mill", definitions)]);
    let add = |file: &'static str| ["model", "add", file, "--name", "risk", "--view", "checkout"];
    let err = fail(folder.path(), &add("onnx_sklearn_network.onnx"), 1);
    assert!(err.contains("feature `age`: the input may be null"), "{err}");
    let out = succeed(folder.path(), &add("onnx_xgboost_binary.onnx"));
    assert!(out.contains("file \"models/risk.onnx\""), "{out}");
    succeed(folder.path(), &["check"]);
}
