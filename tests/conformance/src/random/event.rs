//! Random events: ties, nulls, disorder inside the lateness and beyond it, copies, ids used again,
//! several origins, tiny and huge values, times on the very ends of windows.

use millrace_event::{EventTime, Span};

use super::definition::{FIELDS, Setup, stream_name};
use super::expression::Kind;
use crate::prng::Prng;

/// Where the events begin; one is before the epoch.
const BEGINNINGS: [i64; 3] = [1_767_225_600_000_000, -3_000_000, 4_102_444_799_000_000];

pub fn events(setup: &Setup, random: &mut Prng) -> Vec<String> {
    let mut now = EventTime(*random.pick(&BEGINNINGS));
    let mut clock = now;
    let mut events: Vec<String> = Vec::new();
    // Streams have ids of their own, so the same ones.
    let mut numbers = vec![0; setup.streams];
    for _ in 0..setup.events {
        if !events.is_empty() && random.chance(1, 15) {
            // Delivered again, as it was.
            events.push(random.pick(&events).clone());
            continue;
        }
        now = now.plus(gap(setup, random));
        if random.chance(1, 4) {
            clock = clock.plus(Span(setup.unit.0 * random.between(0, 4)));
        }
        clock = clock.max(now.minus(Span::minutes(30)));
        let time = match random.below(60) {
            0 => clock.plus(Span(Span::hours(1).0 + 1)),
            _ => now.minus(behind(setup, random)),
        };
        let stream = random.below(setup.streams);
        events.push(event(setup, random, stream, numbers[stream], time, clock));
        numbers[stream] += 1;
    }
    events
}

/// How much later than the one before.
fn gap(setup: &Setup, random: &mut Prng) -> Span {
    // In dense ones, every window holds many events.
    let unit = if setup.is_dense { setup.unit.0 / 20 } else { setup.unit.0 };
    Span(match random.below(10) {
        0..3 => 0,
        3 => 1,
        4 => unit / 4,
        5 => unit,
        6 => unit - 1,
        7 => unit * 5,
        _ => random.between(0, unit * 2),
    })
}

/// How far behind the newest an event is.
fn behind(setup: &Setup, random: &mut Prng) -> Span {
    let late = setup.lateness.0;
    Span(match random.below(20) {
        0..12 => 0,
        12..17 => random.between(0, late),
        17 => late,
        18 => late + 1,
        _ => random.between(0, late * 2 + setup.unit.0),
    })
}

fn event(
    setup: &Setup,
    random: &mut Prng,
    stream: usize,
    number: usize,
    time: EventTime,
    clock: EventTime,
) -> String {
    // Now and then an id that may have been used.
    let id = if random.chance(1, 20) { random.below(number + 1) } else { number };
    // Ids whose order is not that of the events.
    let id = if setup.has_int_ids {
        ((id * 7_919) as i64 % 997 - 500).to_string()
    } else {
        format!("\"e{}\"", (id * 7_919) % 997)
    };
    let stream = stream_name(stream);
    let source = *random.pick(&setup.partitions);
    let mut text =
        format!("{stream} {{ id: {id}, at: \"{time}\", source: \"{source}\", got: \"{clock}\"");
    for ((name, _, kind), nullable) in FIELDS.iter().zip(&setup.nullable) {
        // A map has no literal: left out, it is empty, or null where it may be.
        if *kind == Kind::Counts {
            continue;
        }
        let value = if *nullable && random.chance(1, 4) {
            "null".to_string()
        } else {
            value(setup, random, *kind, time)
        };
        text += &format!(", {name}: {value}");
    }
    text + " }"
}

fn value(setup: &Setup, random: &mut Prng, kind: Kind, time: EventTime) -> String {
    let is_odd = random.chance(1, 12);
    let mut from =
        |usual: &[&str], odd: &[&str]| (*random.pick(if is_odd { odd } else { usual })).to_string();
    match kind {
        Kind::Bool => from(&["true", "false"], &["true"]),
        Kind::Int => from(
            &["0", "1", "2", "3", "5", "-1", "-4", "17", "100"],
            &["9223372036854775807", "-9223372036854775808", "4611686018427387904"],
        ),
        Kind::Float => from(
            &["0", "0.1", "0.2", "0.5", "-1.75", "3", "12.34", "1000000.001", "-0.0"],
            &[
                "4611686018427387904",
                "5000000000000000000",
                "-1000000000000000000000000000000",
                "0.000000000116415321826934814453125",
                "0.000000000000000000001",
                "4611686018427387903",
            ],
        ),
        Kind::Decimal => from(
            &["0", "0.01", "1.00", "2.50", "-0.75", "99.99", "10"],
            &["92233720368547.75", "-92233720368547.75", "0.00"],
        ),
        Kind::Text => {
            from(&["\"a\"", "\"b\"", "\"ab\"", "\"B\""], &["\"\"", "\"é\"", "\"Straße\""])
        }
        Kind::Duration => from(&["0s", "1s", "90s", "250ms", "1us"], &["-5s", "100000d"]),
        Kind::Time if is_odd => format!("\"{}\"", time.minus(Span(setup.unit.0 * 1_000))),
        Kind::Time => format!("\"{}\"", time.minus(Span(setup.unit.0 * random.between(0, 3)))),
        Kind::Card => (*random.pick(&["\"A\"", "\"B\"", "\"C\""][..setup.keys])).to_string(),
        Kind::Device => (*random.pick(&["\"d\"", "\"e\"", "\"f\""][..setup.keys])).to_string(),
        Kind::Texts => from(&["[]", "[\"a\"]", "[\"a\", \"b\", \"a\"]"], &["[\"\", \"é\"]"]),
        Kind::Counts => unreachable!("a map has no literal"),
        Kind::Shop => (*random.pick(&["1", "2", "-3"][..setup.keys])).to_string(),
    }
}
