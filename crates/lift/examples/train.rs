//! Trains on raw matrices and writes the model and the scores, to be held against another trainer:
//! `reference/compare.py` makes the folder and reads what is written there.
//!
//! `cargo run --release -p millrace-lift --example train -- FOLDER SEED`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is run by hand: it reads and writes files and tells how long it took"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, error, fs, io};

use millrace_lift::{Column, Lessons, Settings, Table, to_lightgbm_text, train};

fn main() -> Result<(), Box<dyn error::Error>> {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("FOLDER and SEED are wanted")?);
    let seed: u64 = arguments.next().ok_or("SEED is wanted")?.parse()?;
    let labels: Vec<bool> =
        numbers(&folder.join("ytrain.bin"))?.into_iter().map(|y| y > 0.0).collect();
    let weights = numbers(&folder.join("wtrain.bin"))?;
    let columns = fs::read_to_string(folder.join("columns.txt"))?;
    let lessons = table(&folder.join("xtrain.bin"), &columns)?;
    let test = table(&folder.join("xtest.bin"), &columns)?;
    let rows: Vec<u32> = (0..lessons.rows() as u32).collect();
    let begin = Instant::now();
    let given = Lessons { rows: &rows, labels: &labels, weights: &weights };
    let model = train(&lessons, given, &Settings::default(), seed)?;
    let trained = begin.elapsed();
    let begin = Instant::now();
    let rows: Vec<u32> = (0..test.rows() as u32).collect();
    let scores = model.scores(&test, &rows);
    let bytes: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    println!(
        "{} rows: {:.1} s to train; {} rows: {:.1} s to score",
        lessons.rows(),
        trained.as_secs_f64(),
        test.rows(),
        begin.elapsed().as_secs_f64()
    );
    fs::write(folder.join("scores.bin"), bytes)?;
    fs::write(folder.join("model.txt"), to_lightgbm_text(&model)?)?;
    Ok(())
}

/// 64-bit numbers, the least significant byte first.
fn numbers(path: &Path) -> io::Result<Vec<f64>> {
    let bytes = fs::read(path)?;
    let (numbers, _) = bytes.as_chunks();
    Ok(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

/// A line of `columns` is a name, and behind it the words of the column, if it has any.
fn table(path: &Path, columns: &str) -> Result<Table, Box<dyn error::Error>> {
    let values = numbers(path)?;
    let rows = values.len() / columns.lines().count().max(1);
    let column = |(line, values): (&str, &[f64])| {
        let mut parts = line.split_whitespace().map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        let words: Vec<String> = parts.collect();
        let values = values.to_vec();
        if words.is_empty() {
            Column::number(name, values)
        } else {
            Column::category(name, values, words)
        }
    };
    let columns = columns.lines().zip(values.chunks(rows)).map(column);
    Ok(Table::new(columns.collect::<Result<_, _>>()?)?)
}
