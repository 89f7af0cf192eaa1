//! Writes the handbook's data set as files, or tells what it can be recognised by.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use millrace_handbook::{
    Event, Form, History, Settings, Summary, Table, write_report, write_transaction, write_truth,
};

/// The Fraud Detection Handbook's simulated payments: 1,754,155 of them, 14,681 of them fraud.
#[derive(Parser, Debug)]
#[command(name = "handbook", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Writes payments, reports of fraud, and the truth, each in order of time
    #[command(after_help = "Example: the published data set, where the example project reads it

  handbook write --out examples/handbook/project/data

writes transactions.ndjson, fraud_reports.ndjson and truth.ndjson into that folder.
Equal arguments write equal bytes.")]
    Write {
        /// The folder to write into; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How rows are written
        #[arg(long, value_enum, default_value_t = FormArgument::Ndjson)]
        format: FormArgument,
        #[command(flatten)]
        rules: RuleArguments,
    },
    /// Counts, first rows and a checksum
    Summary {
        #[command(flatten)]
        rules: RuleArguments,
    },
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum FormArgument {
    Ndjson,
    Csv,
}

#[derive(Args, Debug)]
struct RuleArguments {
    /// How many customers
    #[arg(long, default_value_t = 5_000)]
    customers: u32,
    /// How many terminals
    #[arg(long, default_value_t = 10_000)]
    terminals: u32,
    /// How many days of payments
    #[arg(long, default_value_t = 183)]
    days: u32,
    /// How far a customer goes to pay, on a square with sides of 100
    #[arg(long, default_value_t = 5.0)]
    radius: f64,
    /// 0 is the published data set, any other number an independent one by the same rules
    #[arg(long, default_value_t = 0)]
    salt: u32,
}

impl RuleArguments {
    fn settings(&self) -> Settings {
        Settings {
            customers: self.customers,
            terminals: self.terminals,
            days: self.days,
            radius: self.radius,
            salt: self.salt,
            ..Settings::default()
        }
    }
}

impl FormArgument {
    fn form(self) -> Form {
        match self {
            FormArgument::Ndjson => Form::Ndjson,
            FormArgument::Csv => Form::Csv,
        }
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Write { out, format, rules } => {
            let history = History::generate(&rules.settings())?;
            write(&history, &Folder { path: out, form: format.form() })
        }
        Command::Summary { rules } => {
            let history = History::generate(&rules.settings())?;
            write!(io::stdout(), "{}", Summary::of(&history))?;
            Ok(())
        }
    }
}

/// Where tables are written, and how.
struct Folder {
    path: PathBuf,
    form: Form,
}

fn write(history: &History, folder: &Folder) -> anyhow::Result<()> {
    let path = folder.path.display();
    fs::create_dir_all(&folder.path).with_context(|| format!("cannot make {path}"))?;
    let form = folder.form;
    let mut transactions = folder.create(Table::Transactions)?;
    let mut reports = folder.create(Table::FraudReports)?;
    let mut truth = folder.create(Table::Truth)?;
    for event in history.events() {
        match event {
            Event::Payment(row) => {
                transactions.write(|line| write_transaction(&row, form, line))?;
                truth.write(|line| write_truth(&row, form, line))?;
            }
            Event::Report(report) => reports.write(|line| write_report(&report, form, line))?,
        }
    }
    for mut table in [transactions, reports, truth] {
        table.file.flush()?;
    }
    let payments = history.transactions().len();
    let frauds = history.events().len() - payments;
    writeln!(io::stdout(), "{payments} payments, {frauds} of them fraud, written to {path}")?;
    Ok(())
}

impl Folder {
    fn create(&self, table: Table) -> anyhow::Result<TableFile> {
        let path = self.path.join(format!("{}.{}", table.name(), self.form.ending()));
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut file = TableFile { file, line: Vec::new() };
        file.write(|line| table.write_start(self.form, line))?;
        Ok(file)
    }
}

/// A file that is written line by line.
struct TableFile {
    file: BufWriter<File>,
    line: Vec<u8>,
}

impl TableFile {
    fn write(&mut self, line: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.line.clear();
        line(&mut self.line);
        self.file.write_all(&self.line)
    }
}
