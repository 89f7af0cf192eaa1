//! The executable specification: what every engine must equal, value for value and bit for bit.
//!
//! It keeps the list of everything that arrived and answers each question by looking at all of it
//! again. Nothing here is ever made faster: it is short so that it can be read and believed.
//! The meaning it states is that of `docs/reference/language.md`; each rule stands in one place.

mod answer;
mod exact;
mod scalar;
mod statistic;

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_aggregate::{Aggregate, Function, Layout, Window};
use millrace_event::{EventId, EventTime, State, Type, Value};
use millrace_feature::plan::{Group, Plan, Source};

pub use answer::{Answer, Arrival, Fate, Position, Rules};

#[derive(Debug)]
struct Partition {
    stream: usize,
    name: Arc<str>,
    greatest: EventTime,
    active: EventTime,
}

/// Everything that arrived, and what was decided about it then.
#[derive(Debug)]
pub struct Spec {
    plan: Arc<Plan>,
    rules: Rules,
    arrivals: Vec<(Arrival, Fate)>,
    partitions: Vec<Partition>,
    /// One per stream; never moves back.
    watermarks: Vec<EventTime>,
    /// Per stream what the receiving clock said last.
    clocks: Vec<EventTime>,
}

impl Spec {
    pub fn new(plan: Arc<Plan>, rules: Rules) -> Spec {
        let watermarks = vec![EventTime::MIN; plan.streams.len()];
        let clocks = watermarks.clone();
        Spec { plan, rules, arrivals: Vec::new(), partitions: Vec::new(), watermarks, clocks }
    }

    /// Makes an origin known: it holds its stream's watermark until it delivers or counts as idle.
    pub fn partition(&mut self, stream: usize, name: &str) {
        if !self.partitions.iter().any(|p| p.stream == stream && &*p.name == name) {
            let (name, greatest) = (Arc::from(name), EventTime::MIN);
            self.partitions.push(Partition { stream, name, greatest, active: self.clocks[stream] });
        }
    }

    /// Takes an event in, and says what became of it.
    pub fn arrive(&mut self, arrival: Arrival) -> Fate {
        let stream = arrival.stream;
        self.partition(stream, &arrival.partition);
        if self.clocks[stream] == EventTime::MIN {
            // Origins made known before the first event begin to wait with it.
            let own = self.partitions.iter_mut().filter(|p| p.stream == stream);
            own.for_each(|p| p.active = arrival.received);
        }
        self.clocks[stream] = self.clocks[stream].max(arrival.received);
        self.update(&arrival, |p, clock| p.active = clock);
        let fate = self.judge(&arrival);
        if fate != Fate::Future {
            let time = self.time(stream, &arrival.row);
            self.update(&arrival, |p, _| p.greatest = p.greatest.max(time));
        }
        self.arrivals.push((arrival, fate));
        fate
    }

    /// Applies a late event after all; `arrival` counts all arrivals from 0.
    pub fn replay(&mut self, arrival: usize) {
        self.arrivals[arrival].1 = Fate::Applied;
    }

    pub fn watermark(&self, stream: usize) -> EventTime {
        self.watermarks[stream]
    }

    /// The arrivals and their fates, in the order of arrival.
    pub fn arrivals(&self) -> &[(Arrival, Fate)] {
        &self.arrivals
    }

    /// What was there at a moment, by the receiving clock.
    pub fn known_at(&self, moment: EventTime) -> Spec {
        let mut known = Spec::new(Arc::clone(&self.plan), self.rules);
        let arrived = self.arrivals.iter().filter(|(event, _)| event.received <= moment);
        known.arrivals = arrived.cloned().collect();
        known
    }

    pub fn position(&self, stream: usize, row: &[Value]) -> (EventTime, EventId) {
        (self.time(stream, row), self.id(stream, row))
    }

    /// The features of a group for a key, one answer per feature.
    pub fn read(&self, group: usize, key: &[Value], at: &Position) -> Vec<Answer> {
        let group = &self.plan.groups[group];
        let mut answers: Vec<Answer> = Vec::new();
        for feature in &group.features {
            let answer = match &feature.source {
                Source::Aggregate(index) => {
                    self.aggregate(group, &group.layout.aggregates[*index], key, at)
                }
                Source::Derived(expr) => scalar::eval(expr, &answers),
            };
            answers.push(answer.or_default(feature.default.as_ref()));
        }
        answers
    }

    /// A view for an event of its stream, one answer per column.
    pub fn view(&self, view: usize, event: &[Value]) -> Vec<Answer> {
        self.view_as_of(view, event, None)
    }

    /// As [`Spec::view`], with the features of another time, where one is given.
    pub fn view_as_of(&self, view: usize, event: &[Value], asof: Option<EventTime>) -> Vec<Answer> {
        let view = &self.plan.views[view];
        let (time, id) = self.position(view.stream, event);
        let mut inputs: Vec<Answer> = event.iter().map(Answer::given).collect();
        for read in &view.reads {
            let key: Vec<Value> = read.keys.iter().map(|k| event[*k].clone()).collect();
            // The event itself is one of its own stream only.
            let at = if let Some(asof) = asof {
                Position::Time(asof)
            } else if view.including && self.plan.groups[read.group].stream == view.stream {
                Position::Including(time, id.clone())
            } else {
                Position::Before(time, id.clone())
            };
            inputs.extend(self.read(read.group, &key, &at));
        }
        view.columns.iter().map(|c| scalar::eval(&c.expr, &inputs)).collect()
    }

    fn judge(&self, arrival: &Arrival) -> Fate {
        let (time, id) = self.position(arrival.stream, &arrival.row);
        let watermark = self.watermarks[arrival.stream];
        let remembered = |(other, fate): &(Arrival, Fate)| {
            *fate == Fate::Applied
                && other.stream == arrival.stream
                && self.id(other.stream, &other.row) == id
                && self.time(other.stream, &other.row) >= watermark
        };
        let own = self.partitions.iter().find(|p| is_origin(p, arrival));
        let own = own.map_or(EventTime::MIN, |p| self.bound(p));
        if time > arrival.received.plus(self.rules.future_max) {
            Fate::Future
        } else if self.arrivals.iter().any(remembered) {
            Fate::Duplicate
        } else if time < own.max(watermark) {
            Fate::Late
        } else {
            Fate::Applied
        }
    }

    /// Changes the arrival's origin, and moves its stream's watermark to the smallest bound of the
    /// origins that are not idle; never back.
    fn update(&mut self, arrival: &Arrival, change: impl Fn(&mut Partition, EventTime)) {
        let (stream, clock) = (arrival.stream, self.clocks[arrival.stream]);
        for p in self.partitions.iter_mut().filter(|p| is_origin(p, arrival)) {
            change(p, clock);
        }
        let is_awake =
            |p: &&Partition| p.stream == stream && clock.since(p.active) <= self.rules.idle_after;
        let bounds = self.partitions.iter().filter(is_awake).map(|p| self.bound(p));
        let watermark = bounds.min().unwrap_or(EventTime::MIN);
        self.watermarks[stream] = self.watermarks[stream].max(watermark);
    }

    fn bound(&self, partition: &Partition) -> EventTime {
        partition.greatest.minus(self.plan.streams[partition.stream].schema.lateness)
    }

    fn time(&self, stream: usize, row: &[Value]) -> EventTime {
        match row[self.plan.streams[stream].schema.time] {
            Value::Timestamp(time) => time,
            ref other => unreachable!("an event without a time: {other:?}"),
        }
    }

    fn id(&self, stream: usize, row: &[Value]) -> EventId {
        match &row[self.plan.streams[stream].schema.id] {
            Value::Int(n) => EventId::int(*n),
            Value::Text(s) => EventId::text(s),
            other => unreachable!("an event without an id: {other:?}"),
        }
    }

    /// The argument's values (the rows' own, for `count()`) of the selected events, in order.
    fn select(&self, group: &Group, a: &Aggregate, key: &[Value], at: &Position) -> Vec<Value> {
        let (Position::Time(end) | Position::Before(end, _) | Position::Including(end, _)) = at;
        let mut selected = Vec::new();
        for (event, _) in self.arrivals.iter().filter(|(_, fate)| *fate == Fate::Applied) {
            let own_key = event.stream == group.stream
                && group.keys.iter().zip(key).all(|(k, v)| event.row[*k] == *v && !v.is_null());
            if !own_key {
                continue;
            }
            let (time, id) = self.position(event.stream, &event.row);
            let reached = match at {
                Position::Time(t) => time <= *t,
                Position::Before(t, i) => (&time, &id) < (t, i),
                Position::Including(t, i) => (&time, &id) <= (t, i),
            };
            let inside = match group.layout.windows[a.window] {
                Window::Lifetime => true,
                Window::Sliding { width, every: None } => time > end.minus(width),
                Window::Sliding { width, every: Some(grid) } => {
                    time > end.minus(width).floor_to(grid)
                }
            };
            let row: Vec<Answer> = event.row.iter().map(Answer::given).collect();
            let filter = a.filter.map(|f| scalar::eval(&group.layout.filters[f], &row).value);
            let passes = filter.is_none_or(|value| value == Value::Bool(true));
            let argument = a.input.map(|i| scalar::eval(&group.layout.inputs[i].expr, &row).value);
            let argument = argument.unwrap_or(Value::Bool(true));
            if reached && inside && passes && !argument.is_null() {
                selected.push((time, id, argument));
            }
        }
        selected.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        selected.into_iter().map(|(_, _, argument)| argument).collect()
    }

    fn aggregate(&self, group: &Group, a: &Aggregate, key: &[Value], at: &Position) -> Answer {
        let values = self.select(group, a, key, at);
        let nothing = if values.is_empty() { State::Empty } else { State::Ok };
        let by_size = |x: &&Value, y: &&Value| x.compare(y).expect("values of one type");
        let found = |value: Option<Value>| match value {
            Some(value) => Answer { value, state: State::Ok },
            None => Answer::null(State::Empty),
        };
        match a.function {
            Function::Count => Answer { value: Value::Int(values.len() as i64), state: nothing },
            Function::Distinct => {
                let members: BTreeSet<String> = values.iter().map(|v| format!("{v:?}")).collect();
                if members.len() > Layout::DISTINCT_MAX {
                    return Answer::null(State::Limit);
                }
                Answer { value: Value::Int(members.len() as i64), state: nothing }
            }
            Function::Min => found(values.iter().min_by(by_size).cloned()),
            Function::Max => found(values.iter().max_by(by_size).cloned()),
            Function::First => found(values.first().cloned()),
            Function::Last => found(values.last().cloned()),
            Function::LastN(n) => {
                let newest: Vec<Value> = values.iter().rev().take(n as usize).cloned().collect();
                found((!newest.is_empty()).then_some(Value::List(newest)))
            }
            Function::Sum | Function::Mean | Function::Stddev | Function::Variance => {
                let argument = a.input.map_or(&Type::Int, |i| group.layout.inputs[i].ty());
                statistic::of(a, &values, argument)
            }
        }
    }
}

fn is_origin(partition: &Partition, arrival: &Arrival) -> bool {
    partition.stream == arrival.stream && partition.name == arrival.partition
}
