//! One scenario, put through an engine in each variation, compared with the specification value for
//! value, state for state, bit for bit.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use millrace_batch::{AsOf, BatchError, Counting, Subject};
use millrace_event::{EventTime, Span, State, Value};
use millrace_feature::plan::{Feature, Source};
use millrace_stream::EngineError;

use crate::driver::{self, Driver, Row};
use crate::failure::{Failure, What};
use crate::offline::{self, Offline};
use crate::prng::Prng;
use crate::question::{Bounds, Questions, time_of};
use crate::scenario::{Delivery, Scenario};
use crate::spec::{Answer, Arrival, Fate, Position, Rules, Spec};
use crate::variation::{Order, RESTORED_SHARDS, Reading, Saving, Variation};

/// So much history that every read is exact.
const ALL_HISTORY: Span = Span::days(3_650_000);
/// Positions asked after one micro-batch, per group.
const POSITIONS_AS_IT_GOES: usize = 6;
/// Positions before the watermark asked after one micro-batch, per group.
const POSITIONS_IN_THE_PAST: usize = 2;
/// Disagreements of one variation that are told.
const FAILURES_MAX: usize = 5;

/// How much was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub scenarios: u64,
    pub variations: u64,
    pub values: u64,
    /// Those of them that are null.
    pub nulls: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.scenarios += other.scenarios;
        self.variations += other.variations;
        self.values += other.values;
        self.nulls += other.nulls;
    }

    fn count(&mut self, answers: &[Answer]) {
        self.values += answers.len() as u64;
        self.nulls += answers.iter().filter(|a| a.value.is_null()).count() as u64;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { scenarios, variations, values, nulls } = self;
        write!(f, "{scenarios} scenarios in {variations} variations, ")?;
        write!(f, "{values} values compared, {nulls} of them null")
    }
}

/// Whether two answers are the same, floats by their bits.
pub fn same(a: &Answer, b: &Answer) -> bool {
    a.state == b.state && same_value(&a.value, &b.value)
}

pub fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => x.to_bits() == y.to_bits(),
        (Value::List(x), Value::List(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same_value(x, y))
        }
        (a, b) => a == b,
    }
}

/// Compares one scenario in many variations; what the specification said is kept between them.
#[derive(Debug)]
pub struct Comparison<'a> {
    scenario: &'a Scenario,
    questions: Vec<Questions>,
    /// Final answers by the numbers of the applied events.
    known: HashMap<Vec<usize>, Rc<Final>>,
    pub tally: Tally,
}

/// What the specification answers at the end: per group, key and position; per view and event.
#[derive(Debug)]
struct Final {
    reads: Vec<Vec<Answer>>,
    views: Vec<Vec<Answer>>,
}

impl<'a> Comparison<'a> {
    pub fn new(scenario: &'a Scenario, bounds: Bounds) -> Comparison<'a> {
        let groups = 0..scenario.plan.groups.len();
        let questions = groups.map(|g| Questions::of(scenario, g, bounds)).collect();
        let tally = Tally { scenarios: 1, ..Tally::default() };
        Comparison { scenario, questions, known: HashMap::new(), tally }
    }

    /// The disagreements of one variation, the first few.
    pub fn check(&mut self, variation: Variation) -> Vec<Failure> {
        self.tally.variations += 1;
        let mut found = Vec::new();
        let deliveries = self.deliveries(variation);
        let result = match variation.reading {
            Reading::InOrder => self.in_order(variation, &deliveries, &mut found),
            Reading::AtTheEnd | Reading::AsItGoes => self.live(variation, &deliveries, &mut found),
        };
        found.extend(result.err().map(What::Engine));
        found.truncate(FAILURES_MAX);
        let name = || self.scenario.name.clone();
        found
            .into_iter()
            .map(|what| Failure { scenario: name(), variation: Some(variation), what })
            .collect()
    }

    fn deliveries(&self, variation: Variation) -> Vec<Delivery> {
        let mut random = Prng::new(variation.seed);
        let deliveries = match variation.order {
            Order::AsWritten => self.scenario.deliveries.clone(),
            Order::Shuffled => self.scenario.shuffled(&mut random),
        };
        if variation.redelivers {
            self.scenario.redelivered(&deliveries, &mut random)
        } else {
            deliveries
        }
    }

    fn live(
        &mut self,
        variation: Variation,
        deliveries: &[Delivery],
        found: &mut Vec<What>,
    ) -> Result<(), EngineError> {
        let goes = variation.reading == Reading::AsItGoes;
        let history = if goes { Span(0) } else { ALL_HISTORY };
        let settings = driver::settings(self.scenario.rules, history, variation.shards);
        let mut engine = Driver::new(Arc::clone(&self.scenario.plan), settings);
        let mut spec = Spec::new(Arc::clone(&self.scenario.plan), self.scenario.rules);
        for (stream, name) in &self.scenario.known {
            spec.partition(*stream, name);
            engine.know(*stream, name);
        }
        let mut random = Prng::new(variation.seed);
        let mut applied = Vec::new();
        for (step, some) in deliveries.chunks(variation.batch).enumerate() {
            let arrivals: Vec<&Arrival> = some.iter().map(|d| &d.arrival).collect();
            let shards = RESTORED_SHARDS[step % RESTORED_SHARDS.len()];
            let fates = match variation.saving {
                Saving::Never => engine.arrive(&arrivals)?,
                Saving::Whole => {
                    let fates = engine.arrive(&arrivals)?;
                    engine = engine.restored(shards)?;
                    fates
                }
                Saving::Spilled => {
                    let fates = engine.arrive(&arrivals)?;
                    engine.spill();
                    fates
                }
                Saving::InSteps => {
                    let (restored, fates) = engine.checkpointed(&arrivals, shards)?;
                    engine = restored;
                    fates
                }
            };
            for (delivery, got) in some.iter().zip(fates) {
                let expected = spec.arrive(delivery.arrival.clone());
                if expected == Fate::Applied {
                    applied.push(delivery.number);
                }
                self.tally.values += 1;
                if expected != got {
                    found.push(What::Fate { event: delivery.number, expected, got });
                }
            }
            if goes {
                if variation.saving == Saving::Never {
                    engine.sweep();
                }
                self.ask_now(&spec, &mut engine, some, &mut random, found)?;
            }
            if found.len() >= FAILURES_MAX {
                return Ok(());
            }
        }
        if variation.replays {
            let replayed = replay(&mut spec, &mut engine, deliveries, &mut applied)?;
            if goes {
                self.ask_now(&spec, &mut engine, &replayed, &mut random, found)?;
            }
        }
        applied.sort_unstable();
        if goes { Ok(()) } else { self.ask_all(&spec, &mut engine, applied, found) }
    }

    /// A few questions about the keys at hand and another one, not before the watermark; and the
    /// views for these events.
    fn ask_now(
        &mut self,
        spec: &Spec,
        engine: &mut Driver,
        some: &[Delivery],
        random: &mut Prng,
        found: &mut Vec<What>,
    ) -> Result<(), EngineError> {
        let plan = Arc::clone(&self.scenario.plan);
        for (group, questions) in self.questions.clone().iter().enumerate() {
            let stream = plan.groups[group].stream;
            let watermark = spec.watermark(stream);
            let begin = questions.positions.partition_point(|p| time_of(p) < watermark);
            let exact = &questions.positions[begin..];
            let mut positions = vec![Position::Time(watermark)];
            positions.extend(exact.first().cloned());
            for delivery in some.iter().filter(|d| d.arrival.stream == stream) {
                let (time, id) = spec.position(stream, &delivery.arrival.row);
                positions.push(Position::Including(time, id));
            }
            while !exact.is_empty() && positions.len() < POSITIONS_AS_IT_GOES {
                positions.push(random.pick(exact).clone());
            }
            positions.retain(|p| time_of(p) >= watermark && time_of(p) > EventTime::MIN);
            let own = some.iter().filter(|d| d.arrival.stream == stream);
            let key =
                |row: &[Value]| plan.groups[group].keys.iter().map(|k| row[*k].clone()).collect();
            let mut keys: Vec<Vec<Value>> = own.map(|d| key(&d.arrival.row)).collect();
            keys.retain(|k| !k.contains(&Value::Null));
            keys.dedup();
            keys.push(random.pick(&questions.keys).clone());
            for key in &keys {
                for at in &positions {
                    let expected = spec.read(group, key, at);
                    let got = engine.read(group, key, at)?;
                    self.compare_read(group, key, at, &expected, &got, found);
                }
            }
            let past = &questions.positions[..begin];
            for _ in 0..POSITIONS_IN_THE_PAST.min(past.len()) {
                let (key, at) = (random.pick(&keys), random.pick(past));
                self.ask_the_past(spec, engine, (group, key, at), found)?;
            }
        }
        self.ask_views(spec, engine, some, found)
    }

    fn ask_the_past(
        &mut self,
        spec: &Spec,
        engine: &mut Driver,
        (group, key, at): (usize, &[Value], &Position),
        found: &mut Vec<What>,
    ) -> Result<(), EngineError> {
        let expected = spec.read(group, key, at);
        let mut got = engine.read(group, key, at)?;
        self.grant_limits(group, &expected, &mut got);
        self.compare_read(group, key, at, &expected, &got, found);
        Ok(())
    }

    /// The views for those of these events that are not before a watermark.
    fn ask_views(
        &mut self,
        spec: &Spec,
        engine: &mut Driver,
        some: &[Delivery],
        found: &mut Vec<What>,
    ) -> Result<(), EngineError> {
        let plan = Arc::clone(&self.scenario.plan);
        for (index, view) in plan.views.iter().enumerate() {
            for row in some.iter().map(|d| &d.arrival).filter(|a| a.stream == view.stream) {
                let mut streams = view.reads.iter().map(|r| plan.groups[r.group].stream);
                let time = self.scenario.time(row);
                if streams.all(|s| time >= spec.watermark(s)) {
                    let expected = spec.view(index, &row.row);
                    let got = engine.view(index, &row.row)?;
                    self.compare_view(index, &row.row, &expected, &got, found);
                }
            }
        }
        Ok(())
    }

    /// Before the watermark, where no history is kept, an aggregate may answer that it cannot know,
    /// and what is derived from it may be anything. Otherwise it has to be exact.
    fn grant_limits(&self, group: usize, expected: &[Answer], got: &mut [Answer]) {
        let features = &self.scenario.plan.groups[group].features;
        let is_unknown = |(feature, got): (&Feature, &Answer)| {
            matches!(feature.source, Source::Aggregate(_)) && got.state == State::Limit
        };
        let any_unknown = features.iter().zip(&*got).any(is_unknown);
        for ((feature, expected), got) in features.iter().zip(expected).zip(got) {
            let is_derived = matches!(feature.source, Source::Derived(_));
            if got.state == State::Limit || (any_unknown && is_derived) {
                got.clone_from(expected);
            }
        }
    }

    /// Every question, in the order of time and back.
    fn ask_all(
        &mut self,
        spec: &Spec,
        engine: &mut Driver,
        applied: Vec<usize>,
        found: &mut Vec<What>,
    ) -> Result<(), EngineError> {
        let known = self.final_answers(spec, applied);
        let plan = Arc::clone(&self.scenario.plan);
        let mut expected = known.reads.iter();
        for (group, questions) in self.questions.clone().iter().enumerate() {
            for key in &questions.keys {
                for at in &questions.positions {
                    let got = engine.read(group, key, at)?;
                    let expected = expected.next().map_or(&[][..], Vec::as_slice);
                    self.compare_read(group, key, at, expected, &got, found);
                }
            }
        }
        let mut expected = known.views.iter();
        for (index, view) in plan.views.iter().enumerate() {
            let own = self.scenario.deliveries.iter().filter(|d| d.arrival.stream == view.stream);
            for delivery in own {
                let got = engine.view(index, &delivery.arrival.row)?;
                let expected = expected.next().map_or(&[][..], Vec::as_slice);
                self.compare_view(index, &delivery.arrival.row, expected, &got, found);
            }
        }
        Ok(())
    }

    fn final_answers(&mut self, spec: &Spec, applied: Vec<usize>) -> Rc<Final> {
        if let Some(known) = self.known.get(&applied) {
            return Rc::clone(known);
        }
        let mut reads = Vec::new();
        for (group, questions) in self.questions.iter().enumerate() {
            for key in &questions.keys {
                reads.extend(questions.positions.iter().map(|at| spec.read(group, key, at)));
            }
        }
        let mut views = Vec::new();
        for (index, view) in self.scenario.plan.views.iter().enumerate() {
            let own = self.scenario.deliveries.iter().filter(|d| d.arrival.stream == view.stream);
            views.extend(own.map(|d| spec.view(index, &d.arrival.row)));
        }
        let known = Rc::new(Final { reads, views });
        self.known.insert(applied, Rc::clone(&known));
        known
    }

    /// Each view's rows for all applied events of its stream, in (time, id) order: by the engine
    /// over files, and by the offline engine, whose features may be older as well.
    fn in_order(
        &mut self,
        variation: Variation,
        deliveries: &[Delivery],
        found: &mut Vec<What>,
    ) -> Result<(), EngineError> {
        // Files do not fall idle, and are all known before the first is read.
        let rules = Rules { idle_after: Span(i64::MAX), ..self.scenario.rules };
        let mut spec = Spec::new(Arc::clone(&self.scenario.plan), rules);
        for delivery in deliveries {
            spec.partition(delivery.arrival.stream, &delivery.arrival.partition);
        }
        deliveries.iter().for_each(|d| {
            spec.arrive(d.arrival.clone());
        });
        let arrivals: Vec<&Arrival> = deliveries.iter().map(|d| &d.arrival).collect();
        let plan = Arc::clone(&self.scenario.plan);
        for index in 0..plan.views.len() {
            let settings = driver::settings(rules, Span(0), variation.shards);
            let batch = variation.batch;
            let got = driver::in_order(&plan, index, settings.clone(), &arrivals, batch)?;
            self.compare_rows(index, &spec, |_| None, &got, found);
            for offline in offline_ways(variation) {
                let got = offline::rows(&plan, index, &settings, &arrivals, offline);
                let got = got.map_err(|error| match error {
                    BatchError::Engine(error) => error,
                    other => EngineError::Sink(other.to_string()),
                })?;
                let asof = |time| match offline.asof {
                    AsOf::Event => None,
                    AsOf::Delay(_) | AsOf::Every(_) => Some(offline.asof.position(time)),
                };
                self.compare_rows(index, &spec, asof, &got, found);
            }
        }
        Ok(())
    }

    /// A view's rows with those that the specification has, with features as of the times that
    /// `asof` says.
    fn compare_rows(
        &mut self,
        index: usize,
        spec: &Spec,
        asof: impl Fn(EventTime) -> Option<EventTime>,
        got: &[Row],
        found: &mut Vec<What>,
    ) {
        let view = &self.scenario.plan.views[index];
        let mut events: Vec<&[Value]> = spec
            .arrivals()
            .iter()
            .filter(|(a, fate)| a.stream == view.stream && *fate == Fate::Applied)
            .map(|(a, _)| &a.row[..])
            .collect();
        events.sort_by_key(|row| spec.position(view.stream, row));
        let other = events.iter().zip(got).find(|(e, (g, _))| !e.iter().eq(g));
        if events.len() != got.len() || other.is_some() {
            let event = other.map_or_else(Vec::new, |(_, (g, _))| g.clone());
            let (expected, got) = (events.len(), got.len());
            found.push(What::Rows { view: view.name.to_string(), expected, got, event });
            return;
        }
        for (event, (_, got)) in events.into_iter().zip(got) {
            let (time, _) = spec.position(view.stream, event);
            let expected = spec.view_as_of(index, event, asof(time));
            self.compare_view(index, event, &expected, got, found);
        }
    }

    fn compare_read(
        &mut self,
        group: usize,
        key: &[Value],
        at: &Position,
        expected: &[Answer],
        got: &[Answer],
        found: &mut Vec<What>,
    ) {
        let group = &self.scenario.plan.groups[group];
        assert_eq!(expected.len(), got.len(), "{}: one answer per feature", self.scenario.name);
        self.tally.count(expected);
        for (feature, (expected, got)) in group.features.iter().zip(expected.iter().zip(got)) {
            if !same(expected, got) {
                found.push(What::Read {
                    group: group.name.to_string(),
                    key: key.to_vec(),
                    at: at.clone(),
                    feature: feature.name.to_string(),
                    expected: expected.clone(),
                    got: got.clone(),
                });
            }
        }
    }

    fn compare_view(
        &mut self,
        view: usize,
        event: &[Value],
        expected: &[Answer],
        got: &[Answer],
        found: &mut Vec<What>,
    ) {
        let view = &self.scenario.plan.views[view];
        assert_eq!(expected.len(), got.len(), "{}: one answer per column", self.scenario.name);
        self.tally.count(expected);
        for (column, (expected, got)) in view.columns.iter().zip(expected.iter().zip(got)) {
            if !same(expected, got) {
                found.push(What::View {
                    view: view.name.to_string(),
                    event: event.to_vec(),
                    column: column.name.to_string(),
                    expected: expected.clone(),
                    got: got.clone(),
                });
            }
        }
    }
}

/// Replays each event that was late and never applied, once, as a reader of the late log would.
fn replay(
    spec: &mut Spec,
    engine: &mut Driver,
    deliveries: &[Delivery],
    applied: &mut Vec<usize>,
) -> Result<Vec<Delivery>, EngineError> {
    let mut replayed = Vec::new();
    for (at, delivery) in deliveries.iter().enumerate() {
        let place = |a: &Arrival| (a.stream, spec.position(a.stream, &a.row));
        let (own, fate) = &spec.arrivals()[at];
        let is_there =
            spec.arrivals().iter().any(|(a, f)| *f == Fate::Applied && place(a) == place(own));
        if *fate == Fate::Late && !is_there && !applied.contains(&delivery.number) {
            spec.replay(at);
            engine.replay(&delivery.arrival)?;
            applied.push(delivery.number);
            replayed.push(delivery.clone());
        }
    }
    Ok(replayed)
}

/// Some ways of the offline engine, as different as the variation's shards and batches.
fn offline_ways(variation: Variation) -> [Offline; 2] {
    let threads = variation.shards;
    let batch = variation.batch;
    let counting = Counting::AsHappened;
    let older = match variation.seed % 3 {
        0 => AsOf::Delay(Span::seconds(1)),
        1 => AsOf::Every(Span::minutes(1)),
        _ => AsOf::Delay(Span::minutes(7)),
    };
    [
        Offline {
            counting,
            subject: Subject::Events,
            asof: AsOf::Event,
            threads,
            batch,
            spills: variation.redelivers,
        },
        Offline {
            counting,
            subject: Subject::Events,
            asof: older,
            threads,
            batch,
            spills: !variation.redelivers,
        },
    ]
}
