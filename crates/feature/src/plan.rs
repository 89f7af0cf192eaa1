//! The plan: definitions with every name resolved and every type known. It names no engine.

mod decision;
mod label;

use std::fmt;
use std::sync::Arc;

use millrace_aggregate::{Layout, Window};
use millrace_event::expr::Expr;
use millrace_event::{Entity, EventTime, KeyKind, Schema, Span, State, Type, Value};

pub use decision::{Decision, Model, Outcome, Rule};
pub use label::{Label, LabelSource};

/// SHA-256 of a definition in its canonical form; equal meaning written alike has equal hashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DefinitionHash(pub [u8; 32]);

/// The first 12 hex digits, enough to tell definitions apart in answers and logs.
impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DefinitionHash({self})")
    }
}

/// A whole project, ready for an engine.
#[derive(Clone, Debug)]
pub struct Plan {
    pub entities: Vec<Arc<Entity>>,
    pub streams: Vec<Stream>,
    pub groups: Vec<Group>,
    pub views: Vec<View>,
    pub labels: Vec<Label>,
    pub models: Vec<Model>,
    pub decisions: Vec<Decision>,
    pub tests: Vec<Test>,
    pub hash: DefinitionHash,
}

#[derive(Clone, Debug)]
pub struct Stream {
    pub schema: Arc<Schema>,
    pub hash: DefinitionHash,
}

/// Aggregations over one stream by one key: the unit of computation and of state.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: Arc<str>,
    /// Index into [`Plan::streams`].
    pub stream: usize,
    /// The key's fields, as indexes into the stream's schema.
    pub keys: Vec<usize>,
    pub key_kinds: Vec<KeyKind>,
    pub owner: Option<Arc<str>>,
    pub freshness: Option<Freshness>,
    pub layout: Arc<Layout>,
    /// In the order of the text, each family's windows in the order written. A derived feature
    /// refers only to features before it.
    pub features: Vec<Feature>,
    pub hash: DefinitionHash,
}

/// One named value of a group.
#[derive(Clone, Debug)]
pub struct Feature {
    /// As in tables and JSON: `attempts_5m`, or `burst` when there is no window.
    pub name: Arc<str>,
    /// As in the text: `attempts`.
    pub family: Arc<str>,
    /// As in the text: `5m`; `None` for a lifetime or derived feature.
    pub window: Option<Window>,
    pub ty: Type,
    pub nullable: bool,
    /// Stands in for a null, of type `ty`.
    pub default: Option<Value>,
    pub source: Source,
    pub hash: DefinitionHash,
}

#[derive(Clone, Debug)]
pub enum Source {
    /// Index into the layout's aggregates.
    Aggregate(usize),
    /// Over the features of this group that precede it: `Column(i)` is `features[i]`.
    Derived(Expr),
}

/// `fresh 500ms, else last good for 5m, else default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// A value not older than this is fresh.
    pub within: Span,
    /// A value not older than this is served as `stale`.
    pub last_good_for: Option<Span>,
    /// What an older one becomes.
    pub otherwise: Stale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    Default,
    Refuse,
}

/// The vector for one request: evaluated for one event of its stream.
#[derive(Clone, Debug)]
pub struct View {
    pub name: Arc<str>,
    /// Index into [`Plan::streams`].
    pub stream: usize,
    /// Whether the event itself is counted.
    pub including: bool,
    /// The groups it reads, each once.
    pub reads: Vec<Read>,
    /// Expressions over: the stream's fields, then all features of each read in order.
    pub columns: Vec<ViewColumn>,
    pub hash: DefinitionHash,
}

#[derive(Clone, Debug)]
pub struct Read {
    /// Index into [`Plan::groups`].
    pub group: usize,
    /// The fields of the view's stream that make the group's key, in the order of its keys.
    pub keys: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct ViewColumn {
    pub name: Arc<str>,
    pub ty: Type,
    pub nullable: bool,
    pub expr: Expr,
}

/// A `test` block, expanded: events in the order of arrival, and what is expected when.
#[derive(Clone, Debug)]
pub struct Test {
    pub name: Arc<str>,
    /// The file and line of the block, for messages.
    pub place: Arc<str>,
    pub events: Vec<TestEvent>,
    pub expectations: Vec<Expectation>,
}

#[derive(Clone, Debug)]
pub struct TestEvent {
    pub stream: usize,
    /// One value per field of the stream's schema.
    pub row: Vec<Value>,
}

#[derive(Clone, Debug)]
pub struct Expectation {
    pub place: Arc<str>,
    pub subject: Subject,
    /// The expected values, by the subject's own feature or column index.
    pub values: Vec<(usize, Value)>,
    /// The expected states (`attempts[5m] is limit`), by the same index.
    pub states: Vec<(usize, State)>,
}

#[derive(Clone, Debug)]
pub enum Subject {
    /// A group's features for a key at a time.
    Group { group: usize, key: Vec<Value>, at: EventTime },
    /// A view for an event; the index into the test's events.
    View { view: usize, event: usize },
}

impl Plan {
    pub fn stream(&self, name: &str) -> Option<usize> {
        self.streams.iter().position(|s| &*s.schema.stream == name)
    }
    pub fn group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|g| &*g.name == name)
    }
    pub fn view(&self, name: &str) -> Option<usize> {
        self.views.iter().position(|v| &*v.name == name)
    }
    pub fn label(&self, name: &str) -> Option<usize> {
        self.labels.iter().position(|l| &*l.name == name)
    }
    pub fn model(&self, name: &str) -> Option<usize> {
        self.models.iter().position(|m| &*m.name == name)
    }
    pub fn decision(&self, name: &str) -> Option<usize> {
        self.decisions.iter().position(|d| &*d.name == name)
    }
}

impl Feature {
    /// Whether the value may be null in an expression. Unlike [`Feature::nullable`], which says
    /// what the definition promises of nothing, this counts a `limit` or an `overflow`.
    pub fn may_be_null(&self) -> bool {
        self.default.is_none() && (self.nullable || matches!(self.source, Source::Aggregate(_)))
    }
}
