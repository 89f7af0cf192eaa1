//! What an experiment is made on: the same payments, and their features as of each freshness.

use crate::error::Error;
use crate::table::Table;

/// Freshnesses of one world at most: each is a line of a plot that must be told from the others.
pub const FRESHNESSES_MAX: usize = 8;

/// What a payment is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Train,
    Test,
    /// Neither: for example while the labels of the training days still come in.
    Out,
}

/// The features of all payments as they were known this long before each.
#[derive(Debug, Clone)]
pub struct Freshness {
    pub name: String,
    pub table: Table,
}

/// What kind of fraud each payment is; a row that is none has `None`.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    pub names: Vec<String>,
    pub of: Vec<Option<u32>>,
}

/// The payments, one entry a row, in the order of their time.
#[derive(Debug, Clone)]
pub struct Rows {
    pub part: Vec<Part>,
    /// How many payments a row stands for.
    pub weight: Vec<f64>,
    /// Whether it was reported by the day on which training begins: all that training may know.
    pub label: Vec<bool>,
    /// Whether it is fraud: what the test is held against.
    pub truth: Vec<bool>,
    pub day: Vec<u32>,
    /// Without amounts nothing is said of money.
    pub amount_cents: Option<Vec<i64>>,
    /// A number for the card; without cards nothing is said of them.
    pub card: Option<Vec<u32>>,
    pub kinds: Option<Kinds>,
}

/// Rows and freshnesses that fit together.
#[derive(Debug, Clone)]
pub struct World {
    name: String,
    freshness: Vec<Freshness>,
    rows: Rows,
}

impl World {
    /// `freshness` from the stalest to the freshest.
    pub fn new(
        name: impl Into<String>,
        freshness: Vec<Freshness>,
        rows: Rows,
    ) -> Result<Self, Error> {
        let given = freshness.len();
        if given > FRESHNESSES_MAX {
            return Err(Error::TooMany { what: "freshnesses", given, limit: FRESHNESSES_MAX });
        }
        check_lengths(&freshness, &rows)?;
        check_words(&freshness)?;
        check_rows(&rows)?;
        Ok(Self { name: name.into(), freshness, rows })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn freshness(&self) -> &[Freshness] {
        &self.freshness
    }

    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The numbers of the rows of a part.
    pub fn rows_of(&self, part: Part) -> Vec<u32> {
        let rows = (0u32..).zip(&self.rows.part);
        rows.filter(|(_, of)| **of == part).map(|(row, _)| row).collect()
    }
}

fn check_lengths(freshness: &[Freshness], rows: &Rows) -> Result<(), Error> {
    let wanted = rows.part.len();
    let mut lengths = vec![
        ("weight", rows.weight.len()),
        ("label", rows.label.len()),
        ("truth", rows.truth.len()),
        ("day", rows.day.len()),
    ];
    lengths.extend(rows.amount_cents.iter().map(|amounts| ("amount_cents", amounts.len())));
    lengths.extend(rows.card.iter().map(|cards| ("card", cards.len())));
    lengths.extend(rows.kinds.iter().map(|kinds| ("kinds", kinds.of.len())));
    lengths.extend(freshness.iter().map(|of| (of.name.as_str(), of.table.rows())));
    match lengths.into_iter().find(|(_, given)| *given != wanted) {
        Some((what, given)) => Err(Error::Length { what: what.to_owned(), given, wanted }),
        None => Ok(()),
    }
}

/// A model may be served with another table: a code must be the same word there.
fn check_words(freshness: &[Freshness]) -> Result<(), Error> {
    for (at, one) in freshness.iter().enumerate() {
        for other in freshness.iter().take(at) {
            for column in one.table.columns() {
                let same = |twin: &&crate::table::Column| twin.name() == column.name();
                let Some(twin) = other.table.columns().iter().find(same) else { continue };
                if twin.words() != column.words() {
                    return Err(Error::Words {
                        column: column.name().to_owned(),
                        freshness: one.name.clone(),
                        other: other.name.clone(),
                    });
                }
            }
        }
    }
    Ok(())
}

fn check_rows(rows: &Rows) -> Result<(), Error> {
    let positive = |weight: f64| weight > 0.0 && weight.is_finite();
    let mut weights = rows.weight.iter().enumerate();
    if let Some((row, weight)) = weights.find(|(_, weight)| !positive(**weight)) {
        return Err(Error::Weight { row, weight: *weight });
    }
    if let Some(kinds) = &rows.kinds {
        let known = |kind: Option<u32>| kind.is_none_or(|kind| (kind as usize) < kinds.names.len());
        if let Some((row, kind)) = kinds.of.iter().enumerate().find(|(_, kind)| !known(**kind)) {
            let given = kind.unwrap_or_default() as usize;
            return Err(Error::Kind { row, given, kinds: kinds.names.len() });
        }
    }
    for (fraud, what) in [(true, "fraudulent row to test on"), (false, "good row to test on")] {
        let mut test = rows.part.iter().zip(&rows.truth).filter(|(part, _)| **part == Part::Test);
        if !test.any(|(_, truth)| *truth == fraud) {
            return Err(Error::Empty { what });
        }
    }
    Ok(())
}
