//! A case of the corpus: a file in the language, and what its header and its lines demand.
//!
//! The header is the comment lines before the first definition. A line `# word: value` there is a
//! directive; every other comment is for readers. At the end of any line, `# error: code` and
//! `# warning: code` name the diagnostic that the compiler must give for this line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_event::{EventTime, Span, Value};
use millrace_feature::plan::{Plan, Subject, Test, TestEvent};
use millrace_feature::{Compiled, Severity, SourceFile, compile};

use crate::scenario::{Delivery, Scenario};
use crate::spec::{Arrival, Fate, Rules};

/// The default of the `idle` directive: origins never count as idle within a test.
const IDLE_AFTER: Span = Span::days(36_500);
/// What an engine takes as the future, where no setting says otherwise.
pub const FUTURE_MAX: Span = Span::hours(1);

/// One file of the corpus.
#[derive(Clone, Debug)]
pub struct Case {
    /// `topic/case`, for messages.
    pub name: String,
    pub text: String,
    pub directives: Directives,
}

/// What the header says.
#[derive(Clone, Debug)]
pub struct Directives {
    /// `arrival: as-written`: the order in which events arrive is the point, so it is kept.
    pub as_written: bool,
    /// `partition: FIELD`: the string field that names an event's origin.
    pub partition: Option<String>,
    /// `received: FIELD`: the timestamp field that holds what the receiving clock said.
    pub received: Option<String>,
    /// `idle: 1m`: how long an origin may be silent before it counts as idle.
    pub idle_after: Span,
    /// `known: east, west`: origins, of every stream, that are known before the first event.
    pub known: Vec<Arc<str>>,
    /// `counts: late 1, duplicate 2`: the fates of all events of the file's tests together.
    pub counts: Vec<(Fate, usize)>,
    /// `skip ENGINE: reason`.
    pub skips: Vec<(String, String)>,
}

/// A diagnostic that a line demands: line (from 1), severity, code.
pub type Demand = (usize, Severity, String);

/// Why a file is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{name}: line {line}: {problem}")]
    Directive { name: String, line: usize, problem: String },
}

impl Case {
    /// All cases below a folder, by name.
    pub fn all(corpus: &Path) -> Result<Vec<Case>, CaseError> {
        let mut cases = Vec::new();
        let mut folders = vec![corpus.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let failed = |source| CaseError::Read { path: folder.clone(), source };
            for entry in std::fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "mill") {
                    cases.push(Case::read(corpus, &path)?);
                }
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }

    fn read(corpus: &Path, path: &Path) -> Result<Case, CaseError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CaseError::Read { path: path.to_path_buf(), source })?;
        let name = path.strip_prefix(corpus).unwrap_or(path).with_extension("");
        Case::new(&name.to_string_lossy(), text)
    }

    pub fn new(name: &str, text: String) -> Result<Case, CaseError> {
        let mut directives = Directives::default();
        let header = text.lines().take_while(|l| l.trim().is_empty() || l.starts_with('#'));
        for (index, line) in header.enumerate() {
            directives.take(line).map_err(|problem| CaseError::Directive {
                name: name.to_string(),
                line: index + 1,
                problem,
            })?;
        }
        Ok(Case { name: name.to_string(), text, directives })
    }

    pub fn compile(&self) -> Compiled {
        compile(&self.sources())
    }

    pub fn sources(&self) -> [SourceFile; 1] {
        [SourceFile::new(format!("{}.mill", self.name), self.text.as_str())]
    }

    /// The diagnostics that the lines demand.
    pub fn demands(&self) -> Vec<Demand> {
        let mut demands = Vec::new();
        for (index, line) in self.text.lines().enumerate() {
            for (mark, severity) in
                [("# error: ", Severity::Error), ("# warning: ", Severity::Warning)]
            {
                if let Some((_, codes)) = line.split_once(mark) {
                    let codes = codes.split(" #").next().unwrap_or(codes);
                    demands.extend(
                        codes.split(',').map(|c| (index + 1, severity, c.trim().to_string())),
                    );
                }
            }
        }
        demands
    }

    /// Whether the file is not meant to compile.
    pub fn demands_an_error(&self) -> bool {
        self.demands().iter().any(|(_, severity, _)| *severity == Severity::Error)
    }

    /// A test's events as they arrive, and what it asks.
    pub fn scenario(&self, plan: &Arc<Plan>, test: &Test) -> Scenario {
        let directives = &self.directives;
        let deliveries = self.arrivals(plan, test).into_iter().enumerate();
        let streams = 0..plan.streams.len();
        let asked = test.expectations.iter().filter_map(|e| match &e.subject {
            Subject::Group { group, key, at } => Some((*group, key.clone(), *at)),
            Subject::View { .. } => None,
        });
        Scenario {
            name: format!("{}: {}", self.name, test.name),
            plan: Arc::clone(plan),
            rules: Rules { idle_after: directives.idle_after, future_max: FUTURE_MAX },
            known: streams
                .flat_map(|s| directives.known.iter().map(move |name| (s, Arc::clone(name))))
                .collect(),
            deliveries: deliveries.map(|(number, arrival)| Delivery { number, arrival }).collect(),
            asked: asked.collect(),
        }
    }

    fn arrivals(&self, plan: &Plan, test: &Test) -> Vec<Arrival> {
        let time = |e: &TestEvent| match e.row[plan.streams[e.stream].schema.time] {
            Value::Timestamp(t) => t,
            _ => EventTime::MIN,
        };
        let newest = test.events.iter().map(time).max().unwrap_or(EventTime::MIN);
        let field = |name: &Option<String>, e: &TestEvent| {
            let index = plan.streams[e.stream].schema.field(name.as_ref()?)?;
            Some(e.row[index].clone())
        };
        let arrive = |e: &TestEvent| Arrival {
            stream: e.stream,
            partition: match field(&self.directives.partition, e) {
                Some(Value::Text(name)) => name,
                _ => Arc::from("only"),
            },
            received: match field(&self.directives.received, e) {
                Some(Value::Timestamp(t)) => t,
                _ => newest,
            },
            row: e.row.clone(),
        };
        test.events.iter().map(arrive).collect()
    }
}

impl Directives {
    /// Whether something here depends on when and in which order events arrive.
    pub fn fixes_arrival(&self) -> bool {
        self.as_written || self.received.is_some() || self.partition.is_some()
    }

    /// Whether all events come from one origin, which the receiving clock keeps up with.
    pub fn is_of_one_origin(&self) -> bool {
        self.received.is_none() && self.partition.is_none() && self.known.is_empty()
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let Some((head, value)) = line.strip_prefix("# ").and_then(|l| l.split_once(": ")) else {
            return Ok(());
        };
        let value = value.trim();
        match head.split_once(' ') {
            Some(("skip", engine)) if !engine.contains(' ') => {
                self.skips.push((engine.to_string(), value.to_string()));
            }
            Some(_) => {}
            // Prose, such as "IEEE: …"; a directive is one small word.
            None if !head.chars().all(|c| c.is_ascii_lowercase()) => {}
            None => match head {
                "arrival" if value == "as-written" => self.as_written = true,
                "partition" => self.partition = Some(value.to_string()),
                "received" => self.received = Some(value.to_string()),
                "idle" => self.idle_after = value.parse::<Span>().map_err(str::to_string)?,
                "known" => self.known = value.split(',').map(|n| Arc::from(n.trim())).collect(),
                "counts" => self.counts = counts(value)?,
                _ => return Err(format!("`{head}: {value}` is no directive")),
            },
        }
        Ok(())
    }
}

impl Default for Directives {
    fn default() -> Directives {
        Directives {
            as_written: false,
            partition: None,
            received: None,
            idle_after: IDLE_AFTER,
            known: Vec::new(),
            counts: Vec::new(),
            skips: Vec::new(),
        }
    }
}

fn counts(text: &str) -> Result<Vec<(Fate, usize)>, String> {
    let one = |part: &str| {
        let (name, count) = part.trim().split_once(' ')?;
        let fate = Fate::ALL.into_iter().find(|f| f.name() == name)?;
        Some((fate, count.parse().ok()?))
    };
    text.split(',').map(|p| one(p).ok_or_else(|| format!("`{p}` is no count"))).collect()
}
