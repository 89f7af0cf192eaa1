use millrace_event::{EventTime, Span};

use crate::draft::drafts;
use crate::event::Events;
use crate::fraud::mark;
use crate::settings::{Settings, SettingsError};
use crate::transaction::{CustomerId, TerminalId, Transaction, TransactionId};

/// All payments of a data set in order of time, with the truth about them: 40 bytes each, and
/// 1.75 million by default.
#[derive(Clone, Debug)]
pub struct History {
    settings: Settings,
    transactions: Vec<Transaction>,
}

impl History {
    /// # Errors
    /// When a setting is outside its range.
    pub fn generate(settings: &Settings) -> Result<History, SettingsError> {
        settings.check()?;
        let mut drafts = drafts(settings);
        let marks = mark(settings, &mut drafts);
        let start = settings.start;
        let transactions = (0..)
            .zip(drafts.into_iter().zip(marks))
            .map(|(number, (draft, scenario))| Transaction {
                id: TransactionId(number),
                at: start.plus(Span::seconds(i64::from(draft.second))),
                customer: CustomerId(draft.customer),
                terminal: TerminalId(draft.terminal),
                amount: draft.amount,
                scenario,
            })
            .collect();
        Ok(History { settings: settings.clone(), transactions })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// In order of time; the i-th has the id i.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Payments, and the reports of those that are fraud, in order of time.
    pub fn events(&self) -> Events<'_> {
        Events::new(&self.transactions)
    }

    /// Midnight at the start of this day.
    pub fn midnight(&self, day: u32) -> EventTime {
        self.settings.start.plus(Span::days(i64::from(day)))
    }

    /// The payments of these days: the first one, and the one behind the last.
    pub fn of_days(&self, days: std::ops::Range<u32>) -> &[Transaction] {
        let first_from = |day| {
            let midnight = self.midnight(day);
            self.transactions.partition_point(|row| row.at < midnight)
        };
        let (from, to) = (first_from(days.start), first_from(days.end));
        self.transactions.get(from..to).unwrap_or_default()
    }
}
