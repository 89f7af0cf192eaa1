//! The features of the chosen rows as of each freshness, as columns of numbers.

use std::collections::{BTreeMap, BTreeSet};

use millrace_batch::{AsOf, TrainingRows};
use millrace_lift::world::{self, World};
use millrace_lift::{Column, Table};

use super::encode::Encoding;
use super::freshness::{Age, Freshness};
use super::selection::{STILL, Selection};
use super::study::{Columns, Pass, Study};
use super::windows::Windows;
use crate::console::note;
use crate::exit::Failure;
use crate::history::Roll;

/// Words of one column that a model is given to tell apart.
const WORDS_MAX: usize = 1_000;

/// Computes all freshnesses, each in a pass of its own.
pub fn world(
    study: &Study<'_>,
    windows: &Windows,
    freshness: &[Freshness],
    selection: Selection,
) -> Result<World, Failure> {
    check_memory(study, freshness, selection.numbers.len())?;
    let mut all = Vec::with_capacity(freshness.len());
    for one in freshness {
        all.push(gather(study, windows, one, &selection)?);
    }
    let names: Vec<String> = freshness.iter().map(|one| one.name.clone()).collect();
    let freshness = names.into_iter().zip(tables(all)?);
    let freshness = freshness.map(|(name, table)| world::Freshness { name, table }).collect();
    Ok(World::new(study.name.clone(), freshness, selection.rows)?)
}

/// Features of all freshnesses are held at once, since a model is served with other ones, too.
fn check_memory(study: &Study<'_>, freshness: &[Freshness], rows: usize) -> Result<(), Failure> {
    let cells = rows * study.columns(Columns::All).len() * freshness.len();
    let bytes = cells.saturating_mul(size_of::<f64>());
    if bytes > study.memory {
        return Err(Failure::usage(format!(
            "the features of {rows} rows as of {} freshnesses take {} MiB; ask for fewer with \
             --freshness, shorten the test with --test-from, learn from fewer rows with \
             --keep-every, or give more --memory",
            freshness.len(),
            bytes >> 20
        )));
    }
    Ok(())
}

/// One column as it is gathered. Words are numbered as they come.
struct Gathered {
    name: String,
    encoding: Encoding,
    values: Vec<f64>,
    words: BTreeMap<String, u32>,
}

fn gather(
    study: &Study<'_>,
    windows: &Windows,
    freshness: &Freshness,
    selection: &Selection,
) -> Result<Vec<Gathered>, Failure> {
    let (columns, asof) = match freshness.age {
        Age::Request => (Columns::Request, AsOf::Event),
        Age::AsOf(asof) => (Columns::All, asof),
    };
    let pass = Pass {
        what: format!("features as of {}", freshness.name),
        columns,
        asof,
        labelled_at: None,
        fields: Vec::new(),
        rows: windows.rows(),
    };
    let numbers = &selection.numbers;
    let mut gathered: Vec<Gathered> = Vec::new();
    for column in study.columns(columns) {
        let Some(encoding) = Encoding::of(&column.ty) else { continue };
        let values = Vec::with_capacity(numbers.len());
        let name = column.name.to_string();
        gathered.push(Gathered { name, encoding, values, words: BTreeMap::new() });
    }
    let (mut number, mut kept) = (0u64, numbers.iter().copied().peekable());
    let mut roll = Roll::default();
    study.pass(&pass, &mut |_, _| {}, &mut |rows: TrainingRows| {
        roll.take(&rows);
        let count = rows.columns.first().map_or(0, millrace_event::Column::len);
        for row in 0..count {
            if kept.next_if_eq(&(number + row as u64)).is_some() {
                for (to, from) in gathered.iter_mut().zip(rows.columns.iter().skip(2)) {
                    to.push(from, row);
                }
            }
        }
        number += count as u64;
        Ok(())
    })?;
    roll.check(&selection.roll, STILL)?;
    Ok(gathered)
}

impl Gathered {
    fn push(&mut self, column: &millrace_event::Column, row: usize) {
        let words = &mut self.words;
        let mut code = |word: &str| {
            if let Some(code) = words.get(word) {
                return f64::from(*code);
            }
            // Beyond the limit the column is left out, so that its words need not be kept.
            let next = words.len() as u32;
            if words.len() <= WORDS_MAX {
                words.insert(word.to_owned(), next);
            }
            f64::from(next)
        };
        self.values.push(self.encoding.number(column, row, &mut code));
    }
}

/// A word has the same code as of each freshness: its place among all in order.
fn tables(all: Vec<Vec<Gathered>>) -> Result<Vec<Table>, Failure> {
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for column in all.iter().flatten().filter(|column| column.encoding == Encoding::Text) {
        words.entry(column.name.clone()).or_default().extend(column.words.keys().cloned());
    }
    let mut too_many: Vec<&String> =
        words.iter().filter(|(_, words)| words.len() > WORDS_MAX).map(|(name, _)| name).collect();
    too_many.sort_unstable();
    for name in &too_many {
        note!("column `{name}` has more than {WORDS_MAX} different words; no model is given it");
    }
    let mut tables = Vec::with_capacity(all.len());
    for columns in all {
        let kept = columns.into_iter().filter(|column| !too_many.contains(&&column.name));
        let columns = kept.map(|column| column.finish(&words)).collect::<Result<_, _>>()?;
        tables.push(Table::new(columns)?);
    }
    Ok(tables)
}

impl Gathered {
    fn finish(
        self,
        words: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Column, millrace_lift::Error> {
        let Some(words) = words.get(&self.name).filter(|_| self.encoding == Encoding::Text) else {
            return Column::number(self.name, self.values);
        };
        let place: BTreeMap<&str, f64> =
            words.iter().zip(0u32..).map(|(word, at)| (word.as_str(), f64::from(at))).collect();
        let mut codes = vec![f64::NAN; self.words.len()];
        for (word, code) in &self.words {
            if let (Some(slot), Some(place)) =
                (codes.get_mut(*code as usize), place.get(word.as_str()))
            {
                *slot = *place;
            }
        }
        let recode = |code: f64| match code.is_nan() {
            true => f64::NAN,
            false => codes.get(code as usize).copied().unwrap_or(f64::NAN),
        };
        let values = self.values.into_iter().map(recode).collect();
        Column::category(self.name, values, words.iter().cloned().collect())
    }
}
