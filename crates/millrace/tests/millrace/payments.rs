//! The payments example as files in a folder of its own.

use std::fmt::Write as _;
use std::path::Path;

use millrace_payments::{History, PROJECT, PaymentEvent, PaymentStream, Settings, write_json};
use tempfile::{TempDir, tempdir};

use crate::program::write;

/// A world with much fraud, so that few days have some of each kind.
pub fn world(days: u32, cards: u32) -> History {
    let settings = Settings {
        days,
        n_cards: cards,
        n_new: cards / 4,
        fraud_scale: 0.4,
        ..Settings::default()
    };
    History::generate(&settings).unwrap()
}

/// For how many days what is served is compared: `MILLRACE_SERVED_DAYS=21 cargo test -p millrace
/// served` compares more than 300,000 payments, and takes minutes.
pub fn served_days() -> u32 {
    std::env::var("MILLRACE_SERVED_DAYS").map_or(1, |days| days.parse().unwrap())
}

/// The events of so many days, until the last of them ends.
pub fn events_of(days: u32) -> Vec<PaymentEvent> {
    let history = match days {
        1 => world(days, 4_000),
        _ => History::generate(&Settings { days, ..Settings::default() }).unwrap(),
    };
    let end = history.settings().end();
    history.events().take_while(|event| event.at() < end).collect()
}

/// The example's project, and where its events come from.
pub fn project(events: &[PaymentEvent]) -> TempDir {
    let folder = tempdir().unwrap();
    write(folder.path(), &PROJECT);
    let mut config = String::new();
    for stream in PaymentStream::ALL {
        let name = stream.name();
        writeln!(config, "[streams.{name}]\nfiles = [\"{name}.ndjson\"]").unwrap();
    }
    write(folder.path(), &[("millrace.toml", &config)]);
    write_events(folder.path(), events);
    folder
}

/// Writes the events in their order, a file for each stream.
pub fn write_events(folder: &Path, events: &[PaymentEvent]) {
    for stream in PaymentStream::ALL {
        let mut lines = Vec::new();
        for event in events.iter().filter(|event| event.stream() == stream) {
            write_json(event, &mut lines);
            lines.push(b'\n');
        }
        std::fs::write(folder.join(format!("{}.ndjson", stream.name())), lines).unwrap();
    }
}
