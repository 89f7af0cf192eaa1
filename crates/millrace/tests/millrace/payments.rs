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
