//! Why a command failed, and the exit code that says so.
//!
//! Two tiers: what can be expected of users, configuration and the world has a code of its own;
//! everything else is a bug of ours, with a code that scripts can tell apart.

use std::fmt;
use std::io;
use std::path::Path;

use millrace_batch::BatchError;
use millrace_store::StoreError;
use millrace_stream::EngineError;
use millrace_stream::live::LiveError;

/// What a failure means to a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// The user's definitions, data or tests are at fault.
    User,
    /// The command line or the configuration makes no sense.
    Usage,
    /// The world is: a file, a disk, an address, another process.
    Environment,
    /// It was told to stop before it was done.
    Interrupted,
    /// Whoever read our output went away: nothing to say, and nobody to say it to.
    OutputClosed,
    /// We are.
    Bug,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::OutputClosed => 0,
            Exit::User => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::Bug => 70,
            // 128 + SIGINT, as shells count.
            Exit::Interrupted => 130,
        }
    }
}

/// A command's end without success. The message names the place, the cause and the fix; it may be
/// empty where the command has told everything already.
#[derive(Clone, Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl fmt::Display) -> Failure {
        Failure { exit, message: message.to_string() }
    }

    pub fn user(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::User, message)
    }

    /// What is wrong has been printed.
    pub fn reported() -> Failure {
        Failure::new(Exit::User, "")
    }

    pub fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    pub fn environment(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Environment, message)
    }

    pub fn interrupted(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Interrupted, message)
    }

    pub fn bug(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Bug, message)
    }

    /// For `map_err`: an input or output error on this path.
    pub fn io(path: &Path) -> impl Fn(io::Error) -> Failure {
        move |source| Failure::environment(format!("{}: {}", path.display(), io_cause(&source)))
    }

    /// For `map_err`: writing to standard output failed.
    pub fn output(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::new(Exit::OutputClosed, "");
        }
        Failure::environment(format!("cannot write to standard output: {error}"))
    }
}

/// The cause and, for what happens to people, the fix.
fn io_cause(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let fix = match error.kind() {
        Kind::NotFound => {
            return "there is no such file or folder; check the name and the folder you are in"
                .to_owned();
        }
        Kind::PermissionDenied => "you may not; look with `ls -l` who may",
        Kind::IsADirectory => "name a file in it",
        Kind::NotADirectory => "a part of the path is a file; check the name",
        Kind::AlreadyExists => "it is not overwritten; name another one, or remove it",
        Kind::StorageFull | Kind::QuotaExceeded => "make room on the disk, or name another one",
        Kind::ReadOnlyFilesystem => "name a place that can be written to",
        _ => return error.to_string(),
    };
    format!("{error}; {fix}")
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let exit = match &error {
            StoreError::KeyLabel { .. } => Exit::Usage,
            StoreError::KeyExists { .. }
            | StoreError::NoSuchKey { .. }
            | StoreError::TooManyKeys { .. } => Exit::User,
            // These are about the disk and what is on it.
            StoreError::Disk(_)
            | StoreError::Locked { .. }
            | StoreError::Poisoned { .. }
            | StoreError::LogName { .. }
            | StoreError::RecordTooLong { .. }
            | StoreError::KeyTooLong { .. }
            | StoreError::ValueTooLong { .. }
            | StoreError::MetaTooLong { .. }
            | StoreError::TooManySegments { .. }
            | StoreError::Corrupt { .. }
            | StoreError::NewerVersion { .. }
            | StoreError::MissingRecords { .. }
            | StoreError::LostRecords { .. }
            | StoreError::NoSuchOffset { .. }
            | StoreError::NoCheckpoint { .. }
            | StoreError::ManifestsGone { .. }
            | StoreError::StaleEpoch { .. }
            | StoreError::NoSuchRecord { .. }
            | StoreError::WrongSegment { .. }
            | StoreError::SegmentsExhausted
            | StoreError::KeysUnreadable { .. }
            | StoreError::KeyChanged { .. } => Exit::Environment,
        };
        Failure::new(exit, error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        let exit = match &error {
            EngineError::Cold(_) | EngineError::Sink(_) => Exit::Environment,
            EngineError::Restore(_) | EngineError::Pending { .. } => Exit::User,
        };
        Failure::new(exit, error)
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        match error {
            BatchError::Engine(error) => error.into(),
            BatchError::ScratchWrite(_)
            | BatchError::ScratchRead(_)
            | BatchError::Keep(_)
            | BatchError::Sink(_) => Failure::environment(error),
            BatchError::Stopped => Failure::interrupted("stopped; no file was written"),
            BatchError::Damaged(_) => Failure::environment(format!(
                "{error}; to begin again, remove the folder that --resume names"
            )),
            BatchError::Thread => Failure::bug(error),
        }
    }
}

impl From<millrace_lift::Error> for Failure {
    fn from(error: millrace_lift::Error) -> Failure {
        if error == millrace_lift::Error::Stopped {
            return Failure::interrupted("stopped; nothing was written");
        }
        Failure::user(error)
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Failure {
        match error {
            LiveError::Store(error) => error.into(),
            LiveError::Engine(error) => error.into(),
            LiveError::Record(_) | LiveError::Backfill(_) => Failure::user(error),
            LiveError::Durability(_) | LiveError::Thread(_) => Failure::environment(error),
            LiveError::Stopped => Failure::bug(error),
        }
    }
}

impl From<millrace_connector::Error> for Failure {
    fn from(error: millrace_connector::Error) -> Failure {
        use millrace_connector::Error;
        if let Error::Io { path, source } = &error {
            return Failure::environment(format!("{}: {}", path.display(), io_cause(source)));
        }
        let exit = match &error {
            Error::Io { .. } | Error::Write { .. } => Exit::Environment,
            Error::UnknownEnding { .. } | Error::NotTailed { .. } | Error::Delimiter { .. } => {
                Exit::Usage
            }
            Error::HeaderUtf8 { .. }
            | Error::BadHeader { .. }
            | Error::DuplicateColumn { .. }
            | Error::MissingColumn { .. }
            | Error::ColumnType { .. }
            | Error::BodyTooLarge { .. }
            | Error::TooManyDead { .. }
            | Error::Resume { .. }
            | Error::Parquet { .. } => Exit::User,
        };
        Failure::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_errors_have_the_codes_that_the_reference_promises() {
        let codes = [
            Exit::OutputClosed,
            Exit::User,
            Exit::Usage,
            Exit::Environment,
            Exit::Bug,
            Exit::Interrupted,
        ];
        assert_eq!(codes.map(Exit::code), [0, 1, 2, 3, 70, 130]);
        let taken = StoreError::KeyExists { key: "a".into() };
        assert_eq!(Failure::from(taken).exit, Exit::User);
        let locked = StoreError::Locked { path: "d".into(), holder: "process 1".into() };
        assert_eq!(Failure::from(LiveError::Store(locked)).exit, Exit::Environment);
    }

    #[test]
    fn a_file_error_names_place_cause_and_fix() {
        let at = |kind: io::ErrorKind| Failure::io(Path::new("a/b"))(kind.into()).message;
        for (kind, fix) in [
            (io::ErrorKind::NotFound, "check the name"),
            (io::ErrorKind::PermissionDenied, "ls -l"),
            (io::ErrorKind::AlreadyExists, "not overwritten"),
            (io::ErrorKind::StorageFull, "make room"),
        ] {
            let told = at(kind);
            assert!(told.starts_with("a/b: ") && told.contains(fix), "{told}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = Failure::output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(closed.exit, Exit::OutputClosed);
    }
}
