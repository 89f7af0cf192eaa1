//! Writes a seeded world of card payments as three files of JSON lines.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use millrace_event::EventTime;
use millrace_payments::{History, PaymentEvent, PaymentStream, Settings, write_json};

/// Writes a seeded world of card payments: attempts, outcomes and fraud reports, in order of time.
#[derive(Parser, Debug)]
#[command(
    name = "millrace-payments",
    version,
    after_help = "Example: three weeks of payments into the folder data

  millrace-payments --days 21 --seed 1 --out data

writes data/payment_attempts.ndjson, data/payment_outcomes.ndjson and data/fraud_reports.ndjson.
Equal arguments write equal bytes."
)]
struct Arguments {
    /// The folder to write into; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many days of payments
    #[arg(long, default_value_t = 63)]
    days: u32,
    /// Cards that exist from the start
    #[arg(long, default_value_t = 30_000)]
    cards: u32,
    /// Cards that appear later
    #[arg(long, default_value_t = 10_000)]
    new_cards: u32,
    /// How much of the fraud is slow, 0 to 1
    #[arg(long, default_value_t = 0.28)]
    slow_share: f64,
    /// Multiplies the number of fraud campaigns; 0 for none
    #[arg(long, default_value_t = 1.0)]
    fraud_scale: f64,
    /// Multiplies how often honest people come from a new device or address
    #[arg(long, default_value_t = 1.0)]
    novelty: f64,
    /// Midnight (UTC) of the first day
    #[arg(long, default_value = "2026-01-01", value_parser = event_time)]
    start: EventTime,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            days: self.days,
            n_cards: self.cards,
            n_new: self.new_cards,
            slow_share: self.slow_share,
            fraud_scale: self.fraud_scale,
            novelty: self.novelty,
            start: self.start,
        }
    }
}

fn event_time(text: &str) -> Result<EventTime, &'static str> {
    text.parse()
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let history = History::generate(&arguments.settings())?;
    write_streams(&history, &arguments.out)?;
    let fraud = history.payments().iter().filter(|p| p.is_fraud()).count();
    let payments = history.payments().len();
    let out = arguments.out.display();
    writeln!(io::stdout(), "{payments} payments, {fraud} of them fraud, written to {out}")?;
    Ok(())
}

fn write_streams(history: &History, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let create = |stream: PaymentStream| {
        let path = folder.join(format!("{}.ndjson", stream.name()));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()));
        file.map(|file| BufWriter::with_capacity(1 << 18, file))
    };
    let mut attempts = create(PaymentStream::Attempts)?;
    let mut outcomes = create(PaymentStream::Outcomes)?;
    let mut reports = create(PaymentStream::Reports)?;
    let mut line = Vec::new();
    for event in history.events() {
        line.clear();
        write_json(&event, &mut line);
        line.push(b'\n');
        match event {
            PaymentEvent::Attempt(_) => attempts.write_all(&line)?,
            PaymentEvent::Outcome(_) => outcomes.write_all(&line)?,
            PaymentEvent::Report(_) => reports.write_all(&line)?,
        }
    }
    for mut file in [attempts, outcomes, reports] {
        file.flush()?;
    }
    Ok(())
}
