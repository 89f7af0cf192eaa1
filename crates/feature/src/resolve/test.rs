//! Tests: events are written out, one row each, and expectations become values by index.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_event::{EventTime, Field, Schema, Span, Type, Value};

use crate::ast::{self, Check, EventStep, Expected, Name, Selection, Step, Timing};
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{Expectation, Subject, Test, TestEvent};
use crate::source::{Lines, SourceSpan};

use super::column::{Found, ambiguous};
use super::constant::{Place, constant};
use super::{Report, Resolver};

/// Events of all tests of a project.
pub const TEST_EVENTS_MAX: usize = 100_000;

/// Values in the events of all tests of a project.
pub const TEST_VALUES_MAX: usize = 1_000_000;

/// One test while its steps are resolved.
#[derive(Default)]
struct Steps {
    events: Vec<TestEvent>,
    /// Events whose id is left out.
    without_id: Vec<usize>,
    labels: HashMap<Arc<str>, Option<usize>>,
}

impl Resolver<'_> {
    pub fn tests(&mut self) -> Vec<Test> {
        let project = self.project;
        let lines: Vec<Lines> = self.sources.iter().map(|s| Lines::new(&s.text)).collect();
        let mut first: HashMap<&str, SourceSpan> = HashMap::new();
        let mut budget = (TEST_EVENTS_MAX, TEST_VALUES_MAX);
        let mut tests = Vec::with_capacity(project.tests.len());
        for test in &project.tests {
            match first.get(&*test.name.value) {
                Some(span) => self.report.duplicate(&test.name.value, test.name.span, *span),
                None => {
                    first.insert(&test.name.value, test.name.span);
                }
            }
            let mut steps = Steps::default();
            for step in &test.steps {
                if let Step::Event(event) = step {
                    self.event(event, &mut steps, &mut budget);
                }
            }
            self.make_ids(&mut steps);
            let place = |span: SourceSpan| self.place(&lines, span);
            let (name, at) = (Arc::clone(&test.name.value), place(test.name.span));
            let mut expectations = Vec::new();
            for step in &test.steps {
                let (span, resolved) = match step {
                    Step::Event(_) => continue,
                    Step::Group(e) => (e.span, self.group_expectation(e)),
                    Step::View(e) => (e.span, self.view_expectation(e, &steps)),
                };
                let place = self.place(&lines, span);
                expectations.extend(resolved.map(|e| Expectation { place, ..e }));
            }
            tests.push(Test { name, place: at, events: steps.events, expectations });
        }
        tests
    }

    /// `payments.mill:62`
    fn place(&self, lines: &[Lines], span: SourceSpan) -> Arc<str> {
        let file = span.file as usize;
        let name = self.sources.get(file).map_or("", |s| &s.name);
        let line = lines.get(file).map_or(0, |l| l.line(span.start as usize) + 1);
        format!("{name}:{line}").into()
    }

    fn event(&mut self, ast: &EventStep, steps: &mut Steps, budget: &mut (usize, usize)) {
        let row = self.row(ast);
        if let Some(label) = &ast.label
            && steps.labels.contains_key(&label.text)
        {
            let message = format!("two events of this test are named `{}`", label.text);
            self.report.error(Code::DuplicateName, label.span, message);
        }
        let before = steps.events.len();
        if let Some((stream, row, time)) = row
            && let Some(times) = self.times(ast, &row, time, budget)
        {
            for at in times {
                let mut row = row.clone();
                row[time] = Value::Timestamp(at);
                if row[self.streams[stream].stream.schema.id].is_null() {
                    steps.without_id.push(steps.events.len());
                }
                steps.events.push(TestEvent { stream, row });
            }
        }
        if let Some(label) = &ast.label {
            // Of several events that one step stands for, the last one has its name.
            let last = (steps.events.len() > before).then(|| steps.events.len() - 1);
            steps.labels.insert(Arc::clone(&label.text), last);
        }
    }

    /// The stream, one value per field (null for an id or a time that is left out), and the index
    /// of the time.
    fn row(&mut self, ast: &EventStep) -> Option<(usize, Vec<Value>, usize)> {
        let stream = self.stream_named(&ast.stream, Code::UnknownStream)?;
        let info = &self.streams[stream];
        let schema = Arc::clone(&info.stream.schema);
        if schema.fields.is_empty() {
            return None;
        }
        let mut row: Vec<Value> = schema.fields.iter().map(neutral).collect();
        row[schema.id] = Value::Null;
        row[schema.time] = Value::Null;
        let mut given: HashMap<usize, SourceSpan> = HashMap::new();
        let mut failed = false;
        for (name, expr) in &ast.entries {
            let Some(at) = info.index.get(&name.text).copied() else {
                if !info.broken {
                    let known = schema.fields.iter().map(|f| &*f.name);
                    let place = format!(" in `{}`", schema.stream);
                    self.report.unknown(Code::UnknownName, "field", name, &place, known);
                }
                failed = true;
                continue;
            };
            if let Some(first) = given.insert(at, name.span) {
                self.report.duplicate(&name.text, name.span, first);
            }
            let field = &schema.fields[at];
            let what = format!("`{}`", name.text);
            let value = match info.known[at] {
                true => constant(expr, &field.ty, &what, Place::Test, self.report),
                false => None,
            };
            match value {
                Some(Value::Null) if !field.nullable => {
                    not_null(field, expr.span, self.report);
                    failed = true;
                }
                Some(value) => row[at] = value,
                None => failed = true,
            }
        }
        (!failed).then_some((stream, row, schema.time))
    }

    /// When the step's events happen.
    fn times(
        &mut self,
        ast: &EventStep,
        row: &[Value],
        time: usize,
        budget: &mut (usize, usize),
    ) -> Option<Vec<EventTime>> {
        let given = match &row[time] {
            Value::Timestamp(at) => Some(*at),
            _ => None,
        };
        let (first, step, times) = match (&ast.timing, given) {
            (None, Some(at)) => (at, Span(0), 1),
            (Some(Timing::At(expr)), None) => (self.time(expr)?, Span(0), 1),
            (Some(Timing::Every { step, times, from }), None) => {
                (self.time(from)?, *step, times.value as usize)
            }
            (None, None) => {
                self.report.push(
                    Diagnostic::error(
                        Code::MissingEventTime,
                        ast.span,
                        "nothing says when this event happens",
                    )
                    .hint("add `at 12:00`, or `every 30s x 5 from 12:00`"),
                );
                return None;
            }
            (Some(_), Some(_)) => {
                let message = "this event has two times: one in it and one behind it";
                self.report.error(Code::DuplicateClause, ast.span, message);
                return None;
            }
        };
        let (events, values) = *budget;
        let wanted = times.saturating_mul(row.len());
        if times > events || wanted > values {
            let message = format!(
                "the tests of a project have at most {TEST_EVENTS_MAX} events and {TEST_VALUES_MAX} values"
            );
            self.report.error(Code::TestLimit, ast.span, message);
            return None;
        }
        *budget = (events - times, values - wanted);
        let at = |n: usize| {
            let n = i64::try_from(n).unwrap_or(i64::MAX);
            first.plus(Span(step.0.saturating_mul(n)))
        };
        Some((0..times).map(at).collect())
    }

    fn time(&mut self, expr: &ast::Expr) -> Option<EventTime> {
        match constant(expr, &Type::Timestamp, "a time", Place::Test, self.report)? {
            Value::Timestamp(at) => Some(at),
            _ => {
                self.report.error(Code::BadTime, expr.span, "this is no time");
                None
            }
        }
    }

    /// Ids that are left out are counted up in the order of the text, around those that are given.
    fn make_ids(&mut self, steps: &mut Steps) {
        let mut given: HashSet<(usize, EventKey)> = HashSet::new();
        for event in &steps.events {
            let id = &event.row[self.streams[event.stream].stream.schema.id];
            given.extend(EventKey::of(id).map(|id| (event.stream, id)));
        }
        let mut next: i64 = 0;
        for at in &steps.without_id {
            let event = &mut steps.events[*at];
            let schema = &self.streams[event.stream].stream.schema;
            let id = loop {
                next += 1;
                let id = made_id(schema, next);
                let is_free = EventKey::of(&id).is_none_or(|k| !given.contains(&(event.stream, k)));
                if is_free {
                    break id;
                }
            };
            event.row[schema.id] = id;
        }
    }

    fn group_expectation(&mut self, ast: &ast::GroupExpectation) -> Option<Expectation> {
        let at = self.time(&ast.at);
        let found = self.groups.iter().position(|g| *g.group.name == *ast.group.text);
        let Some(group) = found else {
            let known = self.groups.iter().map(|g| &*g.group.name);
            self.report.unknown(Code::UnknownName, "feature group", &ast.group, "", known);
            return None;
        };
        let key = self.key(group, ast);
        let info = &self.groups[group];
        let mut subject = Checked::default();
        for check in &ast.checks {
            let Selection { name, window, .. } = &check.selection;
            let Some(family) = info.families.by_name.get(&name.text) else {
                if !info.families.broken {
                    let known = info.families.by_name.keys().map(|k| &**k);
                    let place = format!(" in `{}`", info.group.name);
                    self.report.unknown(Code::UnknownName, "feature", name, &place, known);
                }
                subject.failed = true;
                continue;
            };
            let member = info.families.member(family, name, window.as_ref(), self.report);
            let ty = member.and_then(|at| info.group.features.get(at)).map(|f| &f.ty);
            subject.check(check, member.zip(ty), self.report);
        }
        let subject_of = Subject::Group { group, key: key?, at: at? };
        subject.expectation(subject_of)
    }

    fn key(&mut self, group: usize, ast: &ast::GroupExpectation) -> Option<Vec<Value>> {
        let info = &self.groups[group];
        if info.families.broken && info.group.keys.is_empty() {
            return None;
        }
        let schema = &self.streams[info.group.stream].stream.schema;
        let (wanted, given) = (info.group.keys.len(), ast.keys.len());
        if wanted != given {
            let message = format!(
                "the key of `{}` has {wanted} parts, and {given} are given",
                ast.group.text
            );
            self.report.error(Code::ArgumentCount, ast.group.span, message);
            return None;
        }
        let mut key = Vec::with_capacity(wanted);
        for (at, expr) in info.group.keys.iter().zip(&ast.keys) {
            let field = &schema.fields[*at];
            let what = format!("`{}`", field.name);
            let value = constant(expr, &field.ty, &what, Place::Test, self.report)?;
            if value.is_null() {
                not_null(field, expr.span, self.report);
                return None;
            }
            key.push(value);
        }
        Some(key)
    }

    fn view_expectation(
        &mut self,
        ast: &ast::ViewExpectation,
        steps: &Steps,
    ) -> Option<Expectation> {
        let view = self.view_named(&ast.view);
        let event = self.event_named(&ast.event, steps);
        let (view, event) = (view?, event?);
        let info = &self.views[view];
        if info.broken {
            return None;
        }
        if steps.events[event].stream != info.view.stream {
            let schema = &self.streams[info.view.stream].stream.schema;
            let message = format!(
                "`{}` is a view on `{}`, and this event is of another stream",
                ast.view.text, schema.stream
            );
            self.report.error(Code::TypeMismatch, ast.event.span, message);
            return None;
        }
        let mut subject = Checked::default();
        for check in &ast.checks {
            let column = self.view_column(view, &check.selection);
            let info = &self.views[view];
            let ty = column.and_then(|at| info.view.columns.get(at)).map(|c| &c.ty);
            subject.check(check, column.zip(ty), self.report);
        }
        subject.expectation(Subject::View { view, event })
    }

    fn event_named(&mut self, name: &Name, steps: &Steps) -> Option<usize> {
        let Some(event) = steps.labels.get(&name.text) else {
            let known = steps.labels.keys().map(|k| &**k);
            self.report.unknown(Code::UnknownEvent, "event", name, " in this test", known);
            return None;
        };
        *event
    }

    fn view_column(&mut self, view: usize, selection: &Selection) -> Option<usize> {
        let info = &self.views[view];
        let columns = &info.view.columns;
        let Selection { name, window, span } = selection;
        match info.names.find(&name.text, window.as_ref()) {
            Found::One(at) => Some(at),
            Found::Several(found) => {
                ambiguous(&name.text, *span, &found, columns, self.report);
                None
            }
            Found::Nothing if info.names.is_lost(&name.text) => None,
            Found::Nothing => {
                let full = match window {
                    Some(window) => format!("{}_{}", name.text, window.text).into(),
                    None => Arc::clone(&name.text),
                };
                let place = format!(" in the view `{}`", info.view.name);
                let name = Name { text: full, span: *span };
                let known = columns.iter().map(|c| &*c.name);
                self.report.unknown(Code::UnknownName, "column", &name, &place, known);
                None
            }
        }
    }
}

/// What the checks of an expectation come to.
#[derive(Default)]
struct Checked {
    values: Vec<(usize, Value)>,
    states: Vec<(usize, millrace_event::State)>,
    failed: bool,
}

impl Checked {
    fn check(&mut self, check: &Check, found: Option<(usize, &Type)>, report: &mut Report) {
        let Some((at, ty)) = found else {
            self.failed = true;
            return;
        };
        match &check.expected {
            Expected::State(state) => self.states.push((at, *state)),
            Expected::Value(expr) => {
                let what = format!("`{}`", check.selection.name.text);
                match constant(expr, ty, &what, Place::Test, report) {
                    Some(value) => self.values.push((at, value)),
                    None => self.failed = true,
                }
            }
        }
    }

    fn expectation(self, subject: Subject) -> Option<Expectation> {
        let Checked { values, states, failed } = self;
        (!failed).then(|| Expectation { place: Arc::from(""), subject, values, states })
    }
}

/// An id as something that can be looked up.
#[derive(PartialEq, Eq, Hash)]
enum EventKey {
    Int(i64),
    Text(Arc<str>),
}

impl EventKey {
    fn of(id: &Value) -> Option<EventKey> {
        match id {
            Value::Int(n) => Some(EventKey::Int(*n)),
            Value::Text(text) => Some(EventKey::Text(Arc::clone(text))),
            Value::Null
            | Value::Bool(_)
            | Value::Float(_)
            | Value::Decimal { .. }
            | Value::Timestamp(_)
            | Value::Duration(_)
            | Value::List(_)
            | Value::Map(_) => None,
        }
    }
}

/// `1`, or `t000001`: in the order of ids, the n-th comes before the next.
fn made_id(schema: &Schema, n: i64) -> Value {
    match schema.fields[schema.id].ty {
        Type::Int => Value::Int(n),
        _ => Value::text(&format!("t{n:06}")),
    }
}

fn not_null(field: &Field, span: SourceSpan, report: &mut Report) {
    let message = format!("`{}` is never null", field.name);
    report.push(
        Diagnostic::error(Code::TypeMismatch, span, message)
            .hint(format!("declare it as `{} : {}?` if it can be", field.name, field.ty)),
    );
}

/// What a field holds that a test leaves out.
fn neutral(field: &Field) -> Value {
    if field.nullable {
        return Value::Null;
    }
    field.ty.neutral()
}
