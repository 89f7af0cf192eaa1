//! `millrace.toml`: everything about a project that is not a definition. Every key has a default,
//! so an empty file and none at all mean the same.

pub mod address;
mod reading;
mod unit;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_connector::Limits;
use millrace_event::Span;
use millrace_ledger::LedgerSettings;
use millrace_serving::Models;
use millrace_store::Log;
use millrace_stream::Settings;
use millrace_stream::live::LiveSettings;
use serde::Deserialize;

use crate::exit::Failure;
pub use millrace_api::did_you_mean;
pub use unit::{Length, Size};

/// The configuration's file in a project.
pub const FILE: &str = "millrace.toml";
/// The most connections that a server can be told to hold.
const CONNECTIONS_MAX: u64 = 1_000_000;
/// The most requests that can be told to wait for the engine.
const INBOX_MAX: u64 = 1_000_000;
/// Bytes of key states in memory: with less nothing would stay there, and no machine has more.
const MEMORY_MIN: u64 = 1 << 20;
const MEMORY_MAX: u64 = 1 << 50;
/// The largest record that can be allowed, in bytes. A list of short numbers takes five times as
/// much room in the event log, whose own records end at 32 MiB.
const RECORD_MAX: u64 = 6 << 20;
const _: () = assert!(RECORD_MAX * 5 < Log::RECORD_BYTES_MAX as u64);
/// The most levels of JSON that can be allowed: beyond them the parser itself gives up.
const DEPTH_MAX: u64 = 128;
/// Bytes of late events and of dead letters: less is no log, and no disk has more.
const LOG_MIN: u64 = 1 << 20;
const LOG_MAX: u64 = 1 << 60;
/// The smallest limit of a body, in bytes.
const BODY_MIN: u64 = 1 << 10;
/// Where a server listens that is told nothing else.
pub const PORT: u16 = 7878;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub project: Project,
    pub engine: Engine,
    pub storage: Storage,
    pub limits: RecordLimits,
    pub server: Server,
    /// By the name of the stream.
    pub streams: BTreeMap<String, Stream>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// Empty: the folder's name.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    pub history: Length,
    pub idle_after: Length,
    pub future_max: Length,
    pub memory_max: Size,
    pub inbox_max: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Relative to the project.
    pub dir: PathBuf,
    pub checkpoint_every: Length,
    pub log_retain: Size,
    pub late_max: Size,
    pub dead_letters_max: Size,
    pub decisions_max: Size,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordLimits {
    pub field_max: Size,
    pub record_max: Size,
    pub depth_max: usize,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    #[serde(deserialize_with = "address::deserialize")]
    pub listen: SocketAddr,
    /// Names it goes by beside its address and, on loopback, `localhost`.
    pub hosts: Vec<String>,
    /// Web pages that may call it.
    pub origins: Vec<String>,
    pub connections_max: usize,
    pub body_max: Size,
}

/// Where a stream's events come from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Relative to the project; each is an origin partition of its own.
    pub files: Vec<PathBuf>,
    /// Of CSV files.
    pub delimiter: char,
}

impl Default for Engine {
    fn default() -> Engine {
        let live = LiveSettings::default();
        Engine {
            history: Length(live.engine.history),
            idle_after: Length(live.engine.idle_after),
            future_max: Length(live.engine.future_max),
            memory_max: Size(live.memory_max_bytes as u64),
            inbox_max: live.inbox_max,
        }
    }
}

impl Default for Storage {
    fn default() -> Storage {
        let live = LiveSettings::default();
        let every = Span::micros(live.checkpoint_every.as_micros() as i64);
        Storage {
            dir: PathBuf::from(".millrace"),
            checkpoint_every: Length(every),
            log_retain: Size(live.log_retain_bytes),
            late_max: Size(live.late_max_bytes),
            dead_letters_max: Size(live.dead_letters_max_bytes),
            decisions_max: Size(LedgerSettings::new(PathBuf::new()).bytes_max),
        }
    }
}

impl Default for RecordLimits {
    fn default() -> RecordLimits {
        RecordLimits {
            field_max: Size(Limits::FIELD_BYTES as u64),
            record_max: Size(Limits::RECORD_BYTES as u64),
            depth_max: Limits::DEPTH,
        }
    }
}

impl Default for Server {
    fn default() -> Server {
        let limits = millrace_api::Limits::default();
        Server {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            hosts: Vec::new(),
            origins: Vec::new(),
            connections_max: limits.connections_max,
            body_max: Size(limits.events_body_max as u64),
        }
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream { files: Vec::new(), delimiter: ',' }
    }
}

impl Config {
    /// The configuration of the project in this folder; the defaults where it has no file.
    pub fn of_project(folder: &Path) -> Result<Config, Failure> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::io(&path)(error)),
        };
        Config::parse(&text, &path.display().to_string())
    }

    /// `name` is the file's, for messages.
    pub fn parse(text: &str, name: &str) -> Result<Config, Failure> {
        let config: Config =
            toml::from_str(text).map_err(|e| Failure::usage(reading::explain(&e, text, name)))?;
        config.check().map_err(|cause| Failure::usage(format!("{name}: {cause}")))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let (engine, limits, server) = (&self.engine, &self.limits, &self.server);
        let field_max = limits.field_max.0;
        between("engine.inbox_max", engine.inbox_max as u64, 1, INBOX_MAX)?;
        between("engine.memory_max", engine.memory_max.0, MEMORY_MIN, MEMORY_MAX)?;
        for (key, given) in [
            ("storage.late_max", self.storage.late_max),
            ("storage.dead_letters_max", self.storage.dead_letters_max),
            ("storage.decisions_max", self.storage.decisions_max),
        ] {
            between(key, given.0, LOG_MIN, LOG_MAX)?;
        }
        between("limits.field_max", field_max, 1, RECORD_MAX)?;
        between("limits.record_max", limits.record_max.0, field_max, RECORD_MAX)?;
        between("limits.depth_max", limits.depth_max as u64, 1, DEPTH_MAX)?;
        between("server.connections_max", server.connections_max as u64, 1, CONNECTIONS_MAX)?;
        // A body that is larger than all that may be in flight would never be taken.
        let in_flight = millrace_api::Limits::default().ingest_bytes_max as u64;
        between("server.body_max", server.body_max.0, BODY_MIN, in_flight)?;
        for (name, stream) in &self.streams {
            if !stream.delimiter.is_ascii() {
                let given = stream.delimiter;
                return Err(format!("streams.{name}.delimiter is `{given}`; use an ASCII sign"));
            }
        }
        Ok(())
    }

    pub fn limits(&self) -> Limits {
        Limits {
            field_bytes: self.limits.field_max.bytes(),
            record_bytes: self.limits.record_max.bytes(),
            depth: self.limits.depth_max,
            ..Limits::default()
        }
    }

    /// The engine's settings for this project, whose data lies in `dir`.
    pub fn live(&self, dir: PathBuf) -> LiveSettings {
        LiveSettings {
            engine: self.engine(),
            dir,
            checkpoint_every: self.storage.checkpoint_every.duration(),
            memory_max_bytes: self.engine.memory_max.bytes(),
            inbox_max: self.engine.inbox_max,
            log_retain_bytes: self.storage.log_retain.0,
            late_max_bytes: self.storage.late_max.0,
            dead_letters_max_bytes: self.storage.dead_letters_max.0,
            backfill: false,
        }
    }

    /// The server's settings for this project, whose data lies in `data_dir`.
    pub fn server(&self, data_dir: PathBuf, listen: SocketAddr) -> millrace_api::Settings {
        millrace_api::Settings {
            listen,
            hosts: self.server.hosts.clone(),
            origins: self.server.origins.clone(),
            data_dir,
            records: self.limits(),
            limits: millrace_api::Limits {
                connections_max: self.server.connections_max,
                events_body_max: self.server.body_max.bytes(),
                ..millrace_api::Limits::default()
            },
            models: Models::default(),
        }
    }

    pub fn engine(&self) -> Settings {
        Settings {
            history: self.engine.history.0,
            idle_after: self.engine.idle_after.0,
            future_max: self.engine.future_max.0,
            ..Settings::default()
        }
    }
}

/// Both bounds are allowed.
fn between(key: &str, given: u64, least: u64, most: u64) -> Result<(), String> {
    if given < least {
        return Err(format!("{key} is {given} and must be at least {least}"));
    }
    if given > most {
        return Err(format!("{key} is {given} and must be at most {most}"));
    }
    Ok(())
}

impl Length {
    pub fn duration(self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.0).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../docs/guide/millrace.toml");

    #[test]
    fn the_commented_example_says_the_defaults() {
        assert_eq!(Config::parse(EXAMPLE, "example").unwrap(), Config::default());
        for section in ["project", "engine", "storage", "limits", "server"] {
            assert!(EXAMPLE.contains(&format!("[{section}]")), "{section}");
        }
    }

    #[test]
    fn the_example_names_every_key() {
        let keys = "name history idle_after future_max memory_max inbox_max dir \
                    checkpoint_every log_retain late_max dead_letters_max decisions_max field_max \
                    record_max depth_max listen hosts origins connections_max body_max \
                    files delimiter";
        for key in keys.split_whitespace() {
            let given = |l: &str| l.trim_start_matches("# ").starts_with(&format!("{key} = "));
            assert!(EXAMPLE.lines().any(given), "{key}");
        }
    }

    #[test]
    fn the_streams_of_the_example_are_right_once_their_comment_signs_are_gone() {
        let is_code = |l: &str| l.starts_with("# [streams") || l.contains(" = ");
        let (_, streams) = EXAMPLE.split_once("# [streams").unwrap();
        let code: Vec<String> = format!("# [streams{streams}")
            .lines()
            .filter(|l| is_code(l))
            .map(|l| l.trim_start_matches("# ").to_owned())
            .collect();
        let config = Config::parse(&code.join("\n"), "example").unwrap();
        let stream = config.streams.values().next().unwrap();
        assert!(!stream.files.is_empty() && stream.delimiter == ',');
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line_and_the_key_that_was_meant() {
        let text = "[storage]\ndir = \"data\"\ncheckpoint_evry = \"1s\"\n";
        let failure = Config::parse(text, "millrace.toml").unwrap_err();
        assert_eq!(failure.exit.code(), 2);
        assert_eq!(
            failure.message,
            "millrace.toml:3: unknown key `checkpoint_evry`; did you mean `checkpoint_every`?\n   \
             3 | checkpoint_evry = \"1s\""
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_line() {
        let message = |text| Config::parse(text, "m").unwrap_err().message;
        let wrong = message("[engine]\nidle_after = \"10 minutes\"\n");
        assert!(wrong.starts_with("m:2: ") && wrong.contains("us, ms, s, m, h, d"), "{wrong}");
        let wrong = message("[engine]\nmemory_max = \"4GB\"\n");
        assert!(wrong.starts_with("m:2: ") && wrong.contains("GiB"), "{wrong}");
        let wrong = message("[project]\nname = 7878\n");
        assert!(wrong.starts_with("m:2: "), "{wrong}");
    }

    #[test]
    fn limits_are_included() {
        for (section, key, least, most) in [
            ("engine", "inbox_max", "1", "1000000"),
            ("engine", "memory_max", "\"1048576B\"", "\"1125899906842624B\""),
            ("storage", "late_max", "\"1048576B\"", "\"1152921504606846976B\""),
            ("storage", "dead_letters_max", "\"1048576B\"", "\"1152921504606846976B\""),
            ("storage", "decisions_max", "\"1048576B\"", "\"1152921504606846976B\""),
            ("limits", "depth_max", "1", "128"),
            ("server", "connections_max", "1", "1000000"),
            ("server", "body_max", "\"1024B\"", "\"134217728B\""),
        ] {
            let with = |value: &str| Config::parse(&format!("[{section}]\n{key} = {value}"), "m");
            let beside = |value: &str, by: i64| {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                let other = (digits.parse::<i64>().unwrap() + by).to_string();
                value.replace(&digits, &other)
            };
            for allowed in [least, most] {
                assert!(with(allowed).is_ok(), "{key} = {allowed}");
            }
            for (refused, word) in [(beside(least, -1), "at least"), (beside(most, 1), "at most")] {
                let message = with(&refused).unwrap_err().message;
                assert!(message.contains(key) && message.contains(word), "{refused}: {message}");
            }
        }
        let records = |field: &str, record: &str| {
            let text = format!("[limits]\nfield_max = \"{field}\"\nrecord_max = \"{record}\"");
            Config::parse(&text, "m")
        };
        assert!(records("2KiB", "2KiB").is_ok() && records("2KiB", "1KiB").is_err());
        assert!(records("6MiB", "6MiB").is_ok() && records("6MiB", "6145KiB").is_err());
        assert!(records("0B", "1B").is_err());
        // A million million millions of connections is a mistake, and no reason to panic.
        let many = "[server]\nconnections_max = 9000000000000000000";
        assert!(Config::parse(many, "m").is_err());
        assert!(Config::parse("[engine]\nthreads = 4", "m").is_err());
    }
}
