//! Files that were damaged, byte by byte and number by number: each is refused with an error, or is
//! a model that scores whatever row; none panics, and none takes long.

use super::fixtures::FIXTURES;
use super::trees::Random;
use super::*;

/// Damaged files of each fixture.
const MUTANTS: u64 = 1_000;

const NUMBERS: [&str; 22] = [
    "-1",
    "0",
    "1",
    "2",
    "3",
    "7",
    "31",
    "32",
    "64",
    "255",
    "-2147483648",
    "2147483647",
    "4294967295",
    "18446744073709551615",
    "99999999999999999999",
    "1e308",
    "-1e308",
    "1e-320",
    "nan",
    "inf",
    "",
    "\"\"",
];

fn is_number(byte: &u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Where a number is: from a random place on, the next one.
fn a_number(random: &mut Random, bytes: &[u8]) -> std::ops::Range<usize> {
    let from = random.below(bytes.len());
    let start = from + bytes[from..].iter().position(is_number).unwrap_or(0);
    let length = bytes[start..].iter().position(|byte| !is_number(byte));
    start..length.map_or(bytes.len(), |length| start + length)
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(8) {
        0 => bytes[at] = random.next() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => _ = bytes.remove(at),
        3 => bytes.truncate(at.max(1)),
        4 => {
            let end = (at + random.below(200)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, part);
        }
        5 => {
            let (from, to) = (a_number(random, bytes), a_number(random, bytes));
            let number = bytes[from].to_vec();
            bytes.splice(to, number);
        }
        _ => {
            let number = random.pick(&NUMBERS);
            bytes.splice(a_number(random, bytes), number.bytes());
        }
    }
}

/// Reads a damaged file, and where that is a model still, asks it everything. Returns whether.
fn survives(bytes: &[u8]) -> bool {
    let model = match Model::read(bytes) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let mut scratch = model.scratch();
    let mut path = Attribution::default();
    for value in [f64::NAN, 0.0, -0.5, 3.0, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
        let row = vec![value; model.features().len()];
        let score = model.attribute_row(&row, &mut scratch, &mut path);
        assert_eq!(score.raw.to_bits(), model.score_row(&row, &mut scratch).raw.to_bits());
        model.check_exits(&scratch);
        _ = model.shap(&row);
    }
    true
}

#[test]
fn damaged_files_are_refused_or_scored() {
    let (mut refused, mut scored) = (0, 0);
    for (at, fixture) in FIXTURES.iter().enumerate() {
        for seed in 0..MUTANTS {
            let mut random = Random(seed << 8 | at as u64);
            let mut bytes = fixture.model.to_vec();
            for _ in 0..1 + random.below(3) {
                mutate(&mut random, &mut bytes);
            }
            *if survives(&bytes) { &mut scored } else { &mut refused } += 1;
        }
    }
    // Neither is the whole: the damage reaches both the readers and what is behind them.
    assert!(refused > MUTANTS && scored > MUTANTS, "{refused} refused, {scored} scored");
}

/// What the damage above has found.
#[test]
fn a_set_without_words_has_no_members() {
    let text = LIGHTGBM.replacen("cat_boundaries=0 1", "cat_boundaries=0 0", 1);
    let text = text.replacen("cat_threshold=10", "cat_threshold=", 1);
    assert!(text.contains("cat_threshold=\n") && survives(text.as_bytes()));
}

#[test]
fn cut_files_are_refused() {
    for fixture in FIXTURES {
        let trees = b"end of trees";
        let whole = fixture.model.windows(trees.len()).position(|part| part == trees);
        let whole = whole.unwrap_or(fixture.model.len() - 1);
        for length in 0..whole {
            assert!(Model::read(&fixture.model[..length]).is_err(), "{} {length}", fixture.name);
        }
    }
}

#[test]
fn brackets_cost_no_stack() {
    let brackets = "[".repeat(1 << 20);
    for text in [
        format!("{{\"other\":{brackets}"),
        XGBOOST.replacen("\"left_children\":[", &format!("\"left_children\":{brackets}"), 1),
        LIGHTGBM.replacen("pandas_categorical:", &format!("pandas_categorical:{brackets}"), 1),
    ] {
        assert!(!survives(text.as_bytes()));
    }
}
