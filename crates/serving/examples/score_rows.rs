//! Scores rows of a file with a model file, for the comparison with the libraries' own predictions
//! (`tests/models/run`).
//!
//! ```text
//! score_rows score MODEL ROWS OUT    raw score and prediction of each row
//! score_rows path  MODEL ROWS OUT    what each feature adds by path, then the bias
//! score_rows shap  MODEL ROWS OUT    the same by exact Shapley values
//! score_rows time  MODEL ROWS        times of one row at a time, as JSON
//! ```
//!
//! ROWS and OUT are 64-bit floats, little-endian, row after row: no text rounds them.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a comparison reads and writes files, and takes times"
)]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use millrace_serving::model::{Attribution, Model};

/// How often the rows are gone through before times are taken, and while they are.
const ROUNDS_WARM: usize = 2;
const ROUNDS: usize = 10;
/// Exact attribution is a thousand times slower.
const SHAP_ROWS_TIMED: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, model, rows, out) = match &arguments[..] {
        [what, model, rows] => (what, model, rows, None),
        [what, model, rows, out] => (what, model, rows, Some(out)),
        _ => return Err("usage: score_rows score|path|shap|time MODEL ROWS [OUT]".into()),
    };
    let model = Model::read(&std::fs::read(model)?)?;
    let values: Vec<f64> = std::fs::read(rows)?
        .as_chunks::<8>()
        .0
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect();
    let rows = values.chunks_exact(model.features().len());
    if what == "time" {
        println!("{}", times(&model, &rows.collect::<Vec<_>>()));
        return Ok(());
    }
    let mut scratch = model.scratch();
    let mut attribution = Attribution::default();
    let mut answers: Vec<f64> = Vec::new();
    for row in rows {
        match what.as_str() {
            "score" => {
                let score = model.score_row(row, &mut scratch);
                answers.extend([score.raw, score.value]);
                continue;
            }
            "path" => _ = model.attribute_row(row, &mut scratch, &mut attribution),
            "shap" => attribution = model.shap(row),
            other => return Err(format!("`{other}` is not score, path, shap or time").into()),
        }
        answers.extend(&attribution.contributions);
        answers.push(attribution.bias);
    }
    let bytes: Vec<u8> = answers.iter().flat_map(|answer| answer.to_le_bytes()).collect();
    std::fs::write(out.ok_or("OUT is missing")?, bytes)?;
    Ok(())
}

fn times(model: &Model, rows: &[&[f64]]) -> String {
    let mut scratch = model.scratch();
    let mut attribution = Attribution::default();
    let score = timed(rows, |row| _ = black_box(model.score_row(row, &mut scratch)));
    let path = timed(rows, |row| {
        _ = black_box(model.attribute_row(row, &mut scratch, &mut attribution));
    });
    let few = rows.get(..SHAP_ROWS_TIMED).unwrap_or(rows);
    let shap = timed(few, |row| _ = black_box(model.shap(row)));
    format!("{{\"score\": {score}, \"path\": {path}, \"shap\": {shap}}}")
}

/// Nanoseconds of one row: median, 99th percentile and least.
fn timed(rows: &[&[f64]], mut each: impl FnMut(&[f64])) -> String {
    let mut times: Vec<Duration> = Vec::with_capacity(rows.len() * ROUNDS);
    for round in 0..ROUNDS_WARM + ROUNDS {
        for row in rows {
            let begun = Instant::now();
            each(row);
            let took = begun.elapsed();
            if round >= ROUNDS_WARM {
                times.push(took);
            }
        }
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_nanos();
    format!("{{\"p50\": {}, \"p99\": {}, \"min\": {}}}", at(0.5), at(0.99), at(0.0))
}
