use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use millrace_event::EventTime;
use sha2::{Digest, Sha256};

use crate::cents::Cents;
use crate::history::History;
use crate::transaction::{CustomerId, Scenario, Transaction};

/// The days of the book's first experiment: a week of training, a week in which the labels of that
/// one become known, and a week of testing.
const BOOK: Range<u32> = 115..136;
const TRAINING: Range<u32> = 115..122;
const TEST: Range<u32> = 129..136;
const WEEK_DAYS: u32 = 7;
const FIRST_ROWS: usize = 5;

/// What a data set can be recognised by. Its text is what `reference/handbook.py` prints for the
/// same settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    settings: String,
    pub all: Tally,
    /// How many are of scenario 1, 2 and 3.
    pub scenarios: [usize; 3],
    pub amount: Cents,
    /// The days of the book's experiment; `None` in a shorter data set.
    pub experiment: Option<Experiment>,
    /// The first moment of each week, and what it holds.
    pub weeks: Vec<(EventTime, Tally)>,
    first_rows: Vec<String>,
    /// SHA-256 of all rows as text, in hexadecimal.
    pub checksum: String,
}

/// So many payments, of which so many are fraud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally {
    pub payments: usize,
    pub frauds: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Experiment {
    /// All three weeks.
    pub period: Tally,
    pub training: Tally,
    /// Without the customers whose fraud is known by then.
    pub test: Tally,
}

impl Summary {
    pub fn of(history: &History) -> Summary {
        let (settings, rows) = (history.settings(), history.transactions());
        let of = |scenario| rows.iter().filter(|row| row.scenario == Some(scenario)).count();
        let week = |first: u32| {
            let days = first..(first + WEEK_DAYS).min(settings.days);
            (history.midnight(first), Tally::of(history.of_days(days)))
        };
        Summary {
            settings: format!(
                "customers {}, terminals {}, days {}, radius {}, salt {}",
                settings.customers,
                settings.terminals,
                settings.days,
                settings.radius,
                settings.salt
            ),
            all: Tally::of(rows),
            scenarios: Scenario::ALL.map(of),
            amount: Cents(rows.iter().map(|row| row.amount.0).sum()),
            experiment: (settings.days >= BOOK.end).then(|| Experiment::of(history)),
            weeks: (0..settings.days).step_by(WEEK_DAYS as usize).map(week).collect(),
            first_rows: rows.iter().take(FIRST_ROWS).map(|row| line(history, row)).collect(),
            checksum: checksum(history),
        }
    }
}

impl Tally {
    fn of<'a>(rows: impl IntoIterator<Item = &'a Transaction>) -> Tally {
        let none = Tally { payments: 0, frauds: 0 };
        rows.into_iter().fold(none, |tally, row| Tally {
            payments: tally.payments + 1,
            frauds: tally.frauds + usize::from(row.is_fraud()),
        })
    }
}

impl Experiment {
    fn of(history: &History) -> Experiment {
        let frauds_of = |days| {
            let rows = history.of_days(days).iter();
            rows.filter(|row| row.is_fraud()).map(|row| row.customer)
        };
        let mut compromised: HashSet<CustomerId> = frauds_of(TRAINING).collect();
        let mut tested: Vec<&Transaction> = Vec::new();
        for (day, known_until) in TEST.zip(TRAINING) {
            // A test day knows the fraud of the day before the one a week back.
            compromised.extend(frauds_of(known_until + WEEK_DAYS - 1..known_until + WEEK_DAYS));
            let rows = history.of_days(day..day + 1).iter();
            tested.extend(rows.filter(|row| !compromised.contains(&row.customer)));
        }
        Experiment {
            period: Tally::of(history.of_days(BOOK)),
            training: Tally::of(history.of_days(TRAINING)),
            test: Tally::of(tested),
        }
    }
}

/// Of a line of text per row.
fn checksum(history: &History) -> String {
    let mut hasher = Sha256::new();
    for row in history.transactions() {
        hasher.update(line(history, row));
        hasher.update("\n");
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The second since the start, customer, terminal, hundredths and scenario of a row.
fn line(history: &History, row: &Transaction) -> String {
    let second = row.at.since(history.midnight(0)).0 / 1_000_000;
    let scenario = row.scenario.map_or(0, Scenario::number);
    format!("{second},{},{},{},{scenario}", row.customer.0, row.terminal.0, row.amount.0)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.settings)?;
        writeln!(f)?;
        writeln!(f, "{:<24}{}", "all", self.all)?;
        for (number, count) in (1..).zip(self.scenarios) {
            writeln!(f, "scenario {number}{:>34}", count)?;
        }
        writeln!(f, "{:<24}{:>20}", "amount", self.amount.to_string())?;
        if let Some(Experiment { period, training, test }) = self.experiment {
            for (name, tally) in [("three weeks", period), ("training", training), ("test", test)] {
                writeln!(f, "{name:<24}{tally}")?;
            }
        }
        writeln!(f)?;
        for (first, tally) in &self.weeks {
            let text = first.to_string();
            writeln!(f, "week of {:<16}{tally}", text.get(..10).unwrap_or(&text))?;
        }
        writeln!(f)?;
        for row in &self.first_rows {
            writeln!(f, "{row}")?;
        }
        writeln!(f, "sha256 {}", self.checksum)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10}{:>10}", self.payments, self.frauds)
    }
}
