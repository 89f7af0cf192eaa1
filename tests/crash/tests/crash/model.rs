//! Events, and what the specification says about each key of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_conformance::prng::Prng;
use millrace_conformance::spec::{Arrival, Position, Rules, Spec};
use millrace_connector::{TimeFormat, write_json};
use millrace_event::{EventTime, Span, Value};
use millrace_feature::plan::Plan;
use serde_json::{Value as Json, json};

use crate::http::Connection;

/// Reads per request; the server's own limit is higher.
const READS: usize = 400;

/// Events of the one stream, in the order of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: String,
    pub at: EventTime,
    card: usize,
    device: usize,
    shop: i64,
    cents: i64,
    rate: f64,
    ok: bool,
}

impl Event {
    /// A random event; keys are skewed, so that some are busy and most are seldom seen.
    pub fn random(random: &mut Prng, id: String, at: EventTime) -> Event {
        let skewed = |random: &mut Prng, n: usize| random.below(1 + random.clone().below(n));
        Event {
            id,
            at,
            card: skewed(random, 400),
            device: skewed(random, 80),
            shop: random.between(-3, 36),
            cents: random.between(-5_000, 100_000),
            rate: random.between(-1_000, 1_000) as f64 / 64.0,
            ok: random.chance(3, 4),
        }
    }

    pub fn json(&self) -> Json {
        json!({
            "id": self.id,
            "at": self.at.to_string(),
            "card": format!("card-{}", self.card),
            "device": format!("device-{}", self.device),
            "shop": self.shop,
            "amount": format!("{:.2}", self.cents as f64 / 100.0),
            "rate": self.rate,
            "ok": self.ok,
        })
    }

    pub fn line(&self) -> String {
        format!("{}\n", self.json())
    }

    fn row(&self) -> Vec<Value> {
        let text = |s: String| Value::Text(s.into());
        vec![
            text(self.id.clone()),
            Value::Timestamp(self.at),
            text(format!("card-{}", self.card)),
            text(format!("device-{}", self.device)),
            Value::Int(self.shop),
            Value::Decimal { mantissa: self.cents, scale: 2 },
            Value::Float(self.rate),
            Value::Bool(self.ok),
        ]
    }
}

/// A key of a group as it is found in the model, with its parts and its specification.
type Known<'a> = (&'a (usize, String), &'a (Vec<Value>, Spec));

/// The specification, a copy for each key: a key's values depend on its own events only, and the
/// specification looks at all events again for each question.
#[derive(Debug)]
pub struct Model {
    plan: Arc<Plan>,
    keys: BTreeMap<(usize, String), (Vec<Value>, Spec)>,
    pub events: usize,
}

impl Model {
    pub fn new(plan: &Arc<Plan>) -> Model {
        Model { plan: Arc::clone(plan), keys: BTreeMap::new(), events: 0 }
    }

    /// An event that counts. It arrives at its own time here, so that it is never late: that it
    /// is in time at the server is seen to by whoever sends it.
    pub fn count(&mut self, event: &Event) {
        self.events += 1;
        let row = event.row();
        for (index, group) in self.plan.groups.iter().enumerate() {
            let key: Vec<Value> = group.keys.iter().map(|f| row[*f].clone()).collect();
            let rules = Rules { idle_after: Span::hours(1), future_max: Span::hours(1) };
            let plan = &self.plan;
            let entry = self.keys.entry((index, format!("{key:?}")));
            let new = || (key, Spec::new(Arc::clone(plan), rules));
            let (_, spec) = entry.or_insert_with(new);
            let fate = spec.arrive(Arrival {
                stream: 0,
                partition: "only".into(),
                row: row.clone(),
                received: event.at,
            });
            assert_eq!(fate.name(), "applied", "{event:?}");
        }
    }

    /// Compares every feature of every key at a time with what the server answers; returns how
    /// many values that were.
    pub fn compare(&self, server: &mut Connection, at: EventTime) -> usize {
        let keys: Vec<_> = self.keys.iter().collect();
        keys.chunks(READS).map(|some| self.compare_some(server, at, some)).sum()
    }

    fn compare_some(&self, server: &mut Connection, at: EventTime, keys: &[Known<'_>]) -> usize {
        let part = |value: &Value| match value {
            Value::Int(n) => json!(n),
            Value::Text(text) => json!(&**text),
            other => panic!("{other:?} is no part of a key"),
        };
        let read = |((group, _), (key, _)): &Known<'_>| {
            let key: Vec<Json> = key.iter().map(part).collect();
            json!({ "group": &*self.plan.groups[*group].name, "keys": [key] })
        };
        let reads: Vec<Json> = keys.iter().map(read).collect();
        let body = json!({ "at": at.to_string(), "reads": reads }).to_string();
        let answer = server.post("/v1/features", "application/json", body.as_bytes());
        let answer = answer.expect("the server answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let mut compared = 0;
        for (place, ((group, name), (key, spec))) in keys.iter().enumerate() {
            let found = &answer["groups"][place]["keys"][0]["values"];
            let expected = spec.read(*group, key, &Position::Time(at));
            for (feature, expected) in self.plan.groups[*group].features.iter().zip(&expected) {
                let found = &found[&*feature.name];
                let mut text = Vec::new();
                write_json(&mut text, &expected.value, &feature.ty, TimeFormat::Text);
                let value: Json = serde_json::from_slice(&text).expect("a value is JSON");
                let is_same = found["value"] == value && found["state"] == expected.state.name();
                let feature = &feature.name;
                assert!(is_same, "{feature} of {name} at {at}: {found}, expected {expected:?}");
                compared += 1;
            }
        }
        compared
    }
}
