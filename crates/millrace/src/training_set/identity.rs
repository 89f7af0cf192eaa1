//! What the rows of a training set depend on: only work of the same job can be gone on with.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use millrace_batch::{AsOf, History, Job, Subject};
use millrace_event::EventTime;
use serde::{Deserialize, Serialize};

use super::Args;
use crate::exit::Failure;
use crate::project::{DataPlace, Project};

/// Named things and what they are, in an order that is the same each time. Names are for people:
/// they are told which one differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity(Vec<(String, String)>);

impl Identity {
    /// Looks at the files that are going to be read, so it comes before they are.
    pub fn of(
        args: &Args,
        project: &Project,
        job: &Job,
        history: &History,
    ) -> Result<Identity, Failure> {
        let mut identity = Identity(Vec::new());
        identity.add("the version of this program", env!("CARGO_PKG_VERSION"));
        identity.add_job(args, job);
        let needed: Vec<bool> = (0..job.plan.streams.len()).map(|s| history.needs(s)).collect();
        for (stream, _) in job.plan.streams.iter().zip(&needed).filter(|(_, needed)| **needed) {
            let schema = &stream.schema;
            let what = format!("{} {:016x}", stream.hash, schema.fields_hash());
            identity.add(format!("the definition of stream {}", schema.stream), what);
        }
        let settings = &job.settings;
        identity.add("engine.future_max", settings.future_max.to_string());
        identity.add("engine.idle_after", settings.idle_after.to_string());
        identity.add("the limits", format!("{:?}", project.config.limits()));
        if let Some(rows) = &args.rows {
            identity.add("the file of --rows", stamp(rows)?);
            let delimiter = char::from(args.origins.reading.csv(',')?.delimiter);
            identity.add("the delimiter of --rows", delimiter);
        }
        if args.origins.from_log {
            let dir = DataPlace::of(&args.place, args.origins.data.as_deref()).existing()?;
            let dir = dir.canonicalize().map_err(Failure::io(&dir))?;
            identity.add("the data whose log is read", dir.display());
            return Ok(identity);
        }
        identity.add("--no-header", args.origins.reading.no_header);
        for files in args.origins.reading.files(project, &needed)? {
            let name = &job.plan.streams[files.stream].schema.stream;
            let delimiter = char::from(args.origins.reading.csv(files.delimiter)?.delimiter);
            identity.add(format!("the delimiter of stream {name}"), delimiter);
            for (file, number) in files.files.iter().zip(1..) {
                identity.add(format!("file {number} of stream {name}"), stamp(file)?);
            }
        }
        Ok(identity)
    }

    fn add_job(&mut self, args: &Args, job: &Job) {
        let plan = &job.plan;
        let view = &plan.views[job.view];
        self.add("the view", &args.view);
        self.add(format!("the definition of view {}", view.name), view.hash);
        for read in &view.reads {
            let group = &plan.groups[read.group];
            let features = group.features.iter().map(|f| f.hash.to_string()).collect::<Vec<_>>();
            let what = format!("{} {:?} {}", group.hash, read.keys, features.join(" "));
            self.add(format!("the definition of features {}", group.name), what);
        }
        let time = |time: EventTime| match time {
            EventTime::MIN | EventTime::MAX => "not given".to_owned(),
            given => given.to_string(),
        };
        self.add("--from", time(job.rows.start));
        self.add("--to", time(job.rows.end));
        self.add(
            "--asof or --asof-delay",
            match job.asof {
                AsOf::Event => "not given".to_owned(),
                AsOf::Delay(delay) => format!("a delay of {delay}"),
                AsOf::Every(span) => format!("every {span}"),
            },
        );
        self.add("--as-known", args.as_known);
        self.add(
            "--rows",
            match job.subject {
                Subject::Events => "not given",
                Subject::Asked => "given",
            },
        );
        self.add("--with", args.with.join(","));
        self.add("--label", args.label.as_deref().unwrap_or("not given"));
        if let Some(labelling) = &job.labelling {
            let label = &plan.labels[labelling.label];
            self.add(format!("the definition of label {}", label.name), label.hash);
            let at = if labelling.is_given {
                labelling.cutoff.to_string()
            } else {
                format!("not given, so {}", time(labelling.cutoff))
            };
            self.add("--label-at", at);
        }
        let origin = if args.origins.from_log { "the log" } else { "files" };
        self.add("where events come from", origin);
    }

    fn add(&mut self, name: impl Into<String>, what: impl ToString) {
        self.0.push((name.into(), what.to_string()));
    }

    /// In what the job at hand differs from that of some work; the first of it.
    pub fn difference(&self, work: &Identity) -> Option<String> {
        let find = |of: &Identity, name: &str| {
            of.0.iter().find(|(other, _)| other == name).map(|(_, what)| what.clone())
        };
        for (name, what) in &self.0 {
            match find(work, name) {
                Some(was) if was == *what => {}
                Some(was) => return Some(format!("{name}: it was {was}, and is {what}")),
                None => return Some(format!("{name}: there was none, and it is {what}")),
            }
        }
        let gone = work.0.iter().find(|(name, _)| find(self, name).is_none());
        let gone = gone.map(|(name, what)| format!("{name}: it was {what}, and there is none"));
        gone.or_else(|| (self != work).then(|| "the order of things".to_owned()))
    }
}

/// A file as it is now; one that is written again differs.
fn stamp(path: &Path) -> Result<String, Failure> {
    let failed = Failure::io(path);
    let full = path.canonicalize().map_err(&failed)?;
    let file = full.metadata().map_err(&failed)?;
    let changed = file.mtime().checked_mul(1_000_000).map(|micros| {
        // Nanoseconds make at most 999,999 microseconds.
        EventTime(micros.saturating_add(file.mtime_nsec() / 1_000))
    });
    let changed = changed.map_or_else(|| file.mtime().to_string(), |time| time.to_string());
    Ok(format!("{} of {} bytes, changed at {changed}", full.display(), file.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(things: &[(&str, &str)]) -> Identity {
        Identity(things.iter().map(|(n, w)| ((*n).to_owned(), (*w).to_owned())).collect())
    }

    #[test]
    fn what_differs_is_named() {
        let job = identity(&[("a", "1"), ("b", "2")]);
        let difference = |other: &[(&str, &str)]| job.difference(&identity(other));
        assert_eq!(difference(&[("a", "1"), ("b", "2")]), None);
        assert_eq!(difference(&[("a", "1"), ("b", "3")]).unwrap(), "b: it was 3, and is 2");
        assert_eq!(difference(&[("a", "1")]).unwrap(), "b: there was none, and it is 2");
        let more = difference(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(more.unwrap(), "c: it was 3, and there is none");
        assert_eq!(difference(&[("b", "2"), ("a", "1")]).unwrap(), "the order of things");
    }
}
