//! What is asked of every engine, and not only what a case expects: each group for each key that
//! was seen and one that was not, at each moment at which an answer could change.

use std::collections::BTreeSet;

use millrace_aggregate::Window;
use millrace_event::{EventId, EventTime, KeyKind, Span, Value};

use crate::prng::Prng;
use crate::scenario::Scenario;
use crate::spec::Position;

/// Keys and moments to ask a group about.
#[derive(Clone, Debug)]
pub struct Questions {
    pub group: usize,
    pub keys: Vec<Vec<Value>>,
    /// In the order of their times.
    pub positions: Vec<Position>,
}

/// Bounds on what is asked of one group.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub keys_max: usize,
    pub positions_max: usize,
}

impl Questions {
    pub fn of(scenario: &Scenario, group: usize, bounds: Bounds) -> Questions {
        let mut positions = positions(scenario, group);
        let mut random = Prng::new(positions.len() as u64);
        let asked = scenario.asked.iter().filter(|(g, _, _)| *g == group);
        while positions.len() > bounds.positions_max {
            positions.swap_remove(random.below(positions.len()));
        }
        positions.extend(asked.map(|(_, _, at)| Position::Time(*at)));
        positions.sort_by_key(|p| (time_of(p), p.clone()));
        positions.dedup();
        Questions { group, keys: keys(scenario, group, bounds.keys_max), positions }
    }
}

pub fn time_of(position: &Position) -> EventTime {
    match position {
        Position::Time(t) | Position::Before(t, _) | Position::Including(t, _) => *t,
    }
}

fn keys(scenario: &Scenario, group: usize, keys_max: usize) -> Vec<Vec<Value>> {
    let plan = &scenario.plan.groups[group];
    let mut keys: Vec<Vec<Value>> = Vec::new();
    let mut add = |key: Vec<Value>| {
        if !keys.contains(&key) && !key.contains(&Value::Null) {
            keys.push(key);
        }
    };
    for (_, key, _) in scenario.asked.iter().filter(|(g, _, _)| *g == group) {
        add(key.clone());
    }
    for delivery in scenario.deliveries.iter().filter(|d| d.arrival.stream == plan.stream) {
        add(plan.keys.iter().map(|k| delivery.arrival.row[*k].clone()).collect());
    }
    keys.truncate(keys_max);
    let unseen = |kind: &KeyKind| match kind {
        KeyKind::Int => Value::Int(-7_654_321),
        KeyKind::Text => Value::text("never seen"),
    };
    keys.push(plan.key_kinds.iter().map(unseen).collect());
    keys
}

/// Around every event, every moment at which one leaves a window, and far on both sides.
fn positions(scenario: &Scenario, group: usize) -> Vec<Position> {
    let plan = &scenario.plan.groups[group];
    let mut times: BTreeSet<EventTime> = BTreeSet::new();
    let mut events: BTreeSet<(EventTime, EventId)> = BTreeSet::new();
    let own = scenario.deliveries.iter().filter(|d| d.arrival.stream == plan.stream);
    for arrival in own.map(|d| &d.arrival) {
        let time = scenario.time(arrival);
        events.insert((time, id_of(&arrival.row[scenario.plan.streams[plan.stream].schema.id])));
        for window in &plan.layout.windows {
            let out = leaves(time, *window);
            times.extend(out.map(|t| [t.minus(Span(1)), t, t.plus(Span(1))]).into_iter().flatten());
        }
        times.extend([time.minus(Span(1)), time, time.plus(Span(1))]);
    }
    let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else {
        return vec![Position::Time(EventTime(0))];
    };
    times.extend([first.minus(Span::days(1)), last.plus(Span::days(1))]);
    let at_times = times.into_iter().map(Position::Time);
    let at_events = events
        .into_iter()
        .flat_map(|(t, id)| [Position::Before(t, id.clone()), Position::Including(t, id)]);
    at_times.chain(at_events).collect()
}

/// The first moment at which an event of this time is outside the window.
fn leaves(time: EventTime, window: Window) -> Option<EventTime> {
    match window {
        Window::Lifetime => None,
        Window::Sliding { width, every: None } => Some(time.plus(width)),
        Window::Sliding { width, every: Some(grid) } => {
            // The old end must reach the next multiple of the grid, or the event's own.
            let floor = time.floor_to(grid);
            Some(if floor == time { time } else { floor.plus(grid) }.plus(width))
        }
    }
}

fn id_of(value: &Value) -> EventId {
    match value {
        Value::Int(n) => EventId::int(*n),
        Value::Text(s) => EventId::text(s),
        other => unreachable!("an event without an id: {other:?}"),
    }
}
