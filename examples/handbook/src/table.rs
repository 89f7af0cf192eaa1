//! Rows as text: JSON lines or CSV, a table for each stream and one for the truth.

use std::io::Write as _;

use crate::event::Report;
use crate::transaction::{Scenario, Transaction};

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One JSON object per line.
    Ndjson,
    /// With a header.
    Csv,
}

/// The tables of a data set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// The stream of payments.
    Transactions,
    /// The stream of reports of fraud.
    FraudReports,
    /// What each payment really was. No stream: nobody knows it when it happens.
    Truth,
}

impl Form {
    /// What files of it end in.
    pub fn ending(self) -> &'static str {
        match self {
            Form::Ndjson => "ndjson",
            Form::Csv => "csv",
        }
    }
}

impl Table {
    pub const ALL: [Table; 3] = [Table::Transactions, Table::FraudReports, Table::Truth];

    /// As the project's files call it.
    pub fn name(self) -> &'static str {
        match self {
            Table::Transactions => "transactions",
            Table::FraudReports => "fraud_reports",
            Table::Truth => "truth",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Table::Transactions => &["id", "at", "customer", "terminal", "amount"],
            Table::FraudReports => &["id", "at", "customer", "terminal"],
            Table::Truth => &["id", "fraud", "scenario"],
        }
    }

    /// Appends what stands above the first row: in CSV, the header.
    pub fn write_start(self, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Ndjson => {}
            Form::Csv => {
                out.extend_from_slice(self.columns().join(",").as_bytes());
                out.push(b'\n');
            }
        }
    }
}

/// Appends a payment as a row of [`Table::Transactions`]. Amounts have two digits after the point,
/// times are RFC 3339 in UTC; no text needs escaping.
pub fn write_transaction(row: &Transaction, form: Form, out: &mut Vec<u8>) {
    let mut line = Line::new(Table::Transactions, form, out);
    line.int(u64::from(row.id.0));
    line.text(&row.at.to_string());
    line.int(u64::from(row.customer.0));
    line.int(u64::from(row.terminal.0));
    row.amount.write(line.cell());
    line.end();
}

/// Appends a row of [`Table::FraudReports`].
pub fn write_report(report: &Report, form: Form, out: &mut Vec<u8>) {
    let mut line = Line::new(Table::FraudReports, form, out);
    line.int(u64::from(report.id.0));
    line.text(&report.at.to_string());
    line.int(u64::from(report.customer.0));
    line.int(u64::from(report.terminal.0));
    line.end();
}

/// Appends a row of [`Table::Truth`]; scenario 0 is none.
pub fn write_truth(row: &Transaction, form: Form, out: &mut Vec<u8>) {
    let mut line = Line::new(Table::Truth, form, out);
    line.int(u64::from(row.id.0));
    line.cell().extend_from_slice(if row.is_fraud() { b"true" } else { b"false" });
    line.int(u64::from(row.scenario.map_or(0, Scenario::number)));
    line.end();
}

/// One row that is being written, cell by cell.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
    /// The columns that are not written yet.
    columns: std::slice::Iter<'static, &'static str>,
    is_first: bool,
}

impl<'a> Line<'a> {
    fn new(table: Table, form: Form, out: &'a mut Vec<u8>) -> Line<'a> {
        Line { out, form, columns: table.columns().iter(), is_first: true }
    }

    /// Where the next cell goes.
    fn cell(&mut self) -> &mut Vec<u8> {
        let name = self.columns.next().expect("a row has as many cells as its table has columns");
        let is_first = std::mem::replace(&mut self.is_first, false);
        // Writing into a vector cannot fail.
        let _ = match (self.form, is_first) {
            (Form::Ndjson, true) => write!(self.out, "{{\"{name}\":"),
            (Form::Ndjson, false) => write!(self.out, ",\"{name}\":"),
            (Form::Csv, true) => Ok(()),
            (Form::Csv, false) => write!(self.out, ","),
        };
        self.out
    }

    fn int(&mut self, value: u64) {
        self.cell().extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn text(&mut self, text: &str) {
        let form = self.form;
        let cell = self.cell();
        // Writing into a vector cannot fail.
        let _ = match form {
            Form::Ndjson => write!(cell, "\"{text}\""),
            Form::Csv => write!(cell, "{text}"),
        };
    }

    fn end(self) {
        debug_assert!(self.columns.len() == 0, "cells are missing");
        self.out.extend_from_slice(match self.form {
            Form::Ndjson => b"}\n",
            Form::Csv => b"\n",
        });
    }
}

#[cfg(test)]
mod tests {
    use millrace_event::EventTime;

    use super::*;
    use crate::cents::Cents;
    use crate::transaction::{CustomerId, TerminalId, TransactionId};

    fn row() -> Transaction {
        Transaction {
            id: TransactionId(7),
            at: EventTime(1_522_540_831_000_000),
            customer: CustomerId(596),
            terminal: TerminalId(3_156),
            amount: Cents(5_716),
            scenario: Some(Scenario::Terminal),
        }
    }

    fn written(form: Form, write: impl Fn(&Transaction, Form, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&row(), form, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_what_the_streams_read() {
        assert_eq!(
            written(Form::Ndjson, write_transaction),
            "{\"id\":7,\"at\":\"2018-04-01T00:00:31Z\",\"customer\":596,\"terminal\":3156,\
             \"amount\":57.16}\n"
        );
        assert_eq!(
            written(Form::Csv, write_transaction),
            "7,2018-04-01T00:00:31Z,596,3156,57.16\n"
        );
        assert_eq!(written(Form::Csv, write_truth), "7,true,2\n");
        assert_eq!(
            written(Form::Ndjson, write_truth),
            "{\"id\":7,\"fraud\":true,\"scenario\":2}\n"
        );
    }

    #[test]
    fn only_csv_has_a_header() {
        let mut out = Vec::new();
        Table::FraudReports.write_start(Form::Ndjson, &mut out);
        assert!(out.is_empty());
        Table::FraudReports.write_start(Form::Csv, &mut out);
        assert_eq!(out, b"id,at,customer,terminal\n");
    }
}
