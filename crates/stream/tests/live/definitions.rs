//! Definitions that come, go and change between runs, while segments of all of them live on.

use std::collections::BTreeMap;

use millrace_conformance::prng::Prng;
use millrace_event::{Key, Value};
use millrace_store::MemoryDisk;
use millrace_stream::live::ReadRequest;

use super::world::{Rows, START, checkpoint, hear, ingest, open, plan_of, reply, settings, status};

const STREAM: &str = "entity card, device\nstream pay {\n  id : int id\n  at : timestamp time, late 1m\n  \
     card : card\n  device : device\n  cents : int\n}\n";

/// Each stands for one definition: its name, key and feature.
const DEFINITIONS: [(&str, &str, &str); 6] = [
    ("a", "card", "count() over 1h"),
    ("a", "device", "count() over 1h"),
    ("a", "card", "count() over 2h"),
    ("b", "card", "count() over 1h"),
    ("c", "device", "count() over 1h"),
    ("d", "card, device", "count() over 1h"),
];

/// At most one definition of each name, in any order.
fn choose(random: &mut Prng) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    for _ in 0..4 {
        let one = random.below(DEFINITIONS.len());
        if !chosen.iter().any(|c| DEFINITIONS[*c].0 == DEFINITIONS[one].0) {
            chosen.push(one);
        }
    }
    chosen
}

fn text(chosen: &[usize]) -> String {
    let group = |one: &usize| {
        let (name, key, feature) = DEFINITIONS[*one];
        format!("features {name} by {key} from pay {{\n  n = {feature}\n}}\n")
    };
    format!("{STREAM}{}", chosen.iter().map(group).collect::<String>())
}

fn key_of(definition: usize, card: &Value, device: &Value) -> Vec<Value> {
    match DEFINITIONS[definition].1 {
        "card" => vec![card.clone()],
        "device" => vec![device.clone()],
        _ => vec![card.clone(), device.clone()],
    }
}

#[test]
fn a_definition_goes_on_with_its_own_state_and_never_with_anothers() {
    let mut values = 0;
    for seed in 0..40 {
        values += run(seed);
    }
    println!("{values} values compared");
}

fn run(seed: u64) -> usize {
    let mut random = Prng::new(seed);
    let disk = MemoryDisk::new();
    let mut counts: BTreeMap<usize, BTreeMap<String, (Vec<Value>, i64)>> = BTreeMap::new();
    let mut id = 0;
    let mut values = 0;
    for round in 0..8 {
        let chosen = choose(&mut random);
        counts.retain(|one, _| chosen.contains(one));
        let mut settings = settings(1 + random.below(3));
        // In half of the rounds everything lies on disk as soon as that is possible.
        settings.memory_max_bytes = if random.chance(1, 2) { 1 } else { usize::MAX };
        let (live, recovery) = open(disk.clone(), &plan_of(&text(&chosen)), &settings).unwrap();
        for one in &chosen {
            let noted =
                recovery.notes.iter().any(|n| n.contains(&format!("`{}`", DEFINITIONS[*one].0)));
            let is_new = round > 0 && !counts.contains_key(one);
            assert_eq!(noted, is_new, "seed {seed}, round {round}: {:?}", recovery.notes);
            counts.entry(*one).or_default();
        }
        for _ in 0..random.below(6) {
            for _ in 0..10 {
                id += 1;
                let card = Value::Text(format!("k{}", random.below(4)).into());
                let device = Value::Text(format!("k{}", random.below(4)).into());
                for (one, of) in &mut counts {
                    let key = key_of(*one, &card, &device);
                    of.entry(format!("{key:?}")).or_insert((key, 0)).1 += 1;
                }
                let row =
                    vec![Value::Int(id), Value::Timestamp(START), card, device, Value::Int(1)];
                let (stream, partition, rows) = (0, "only", vec![row]);
                ingest(
                    &live,
                    &Rows { stream, partition, rows, dead: 0, received: START, number: 0 },
                )
                .unwrap();
            }
            checkpoint(&live).unwrap();
        }
        for (index, one) in chosen.iter().enumerate() {
            for (key, expected) in counts[one].values() {
                let key = Key::of(key).unwrap();
                let (reply, answer) = reply();
                live.read(vec![ReadRequest { group: index, key, at: START }], reply).unwrap();
                let found = hear(&answer).unwrap().answers[0][0].value.clone();
                assert_eq!(found, Value::Int(*expected), "seed {seed}, round {round}, {one}");
                values += 1;
            }
        }
        live.close().unwrap();
    }
    values
}

/// A project with these two streams; `fields` are more of the first.
fn two_streams(fields: &str, has_second: bool) -> String {
    let stream = |name: &str, fields: &str| {
        format!(
            "stream {name} {{\n  id : int id\n  at : timestamp time, late 1m\n  card : card\n\
             {fields}}}\nfeatures by_{name} by card from {name} {{\n  n = count() over 1h\n}}\n"
        )
    };
    let second = if has_second { stream("visit", "") } else { String::new() };
    format!("entity card\n{}{second}", stream("pay", fields))
}

#[test]
fn a_replay_passes_over_streams_that_are_gone_and_does_not_stop_at_others_that_changed() {
    let disk = MemoryDisk::new();
    let settings = settings(1);
    let (live, _) =
        open(disk.clone(), &plan_of(&two_streams("  cents : int\n", true)), &settings).unwrap();
    let event = |id: i64, minute: i64, more: &[Value]| {
        let at = Value::Timestamp(START.plus(millrace_event::Span::minutes(minute)));
        [&[Value::Int(id), at, Value::text("c")], more].concat()
    };
    let send = |stream: usize, row: Vec<Value>, number: u64| {
        let received = START.plus(millrace_event::Span::hours(1));
        let rows = vec![row];
        let receipt =
            ingest(&live, &Rows { stream, partition: "p", rows, dead: 0, received, number });
        receipt.unwrap();
    };
    send(0, event(1, 30, &[Value::Int(5)]), 1);
    send(0, event(2, 10, &[Value::Int(5)]), 2);
    send(1, event(3, 30, &[]), 3);
    send(1, event(4, 10, &[]), 4);
    assert_eq!(status(&live).streams.iter().map(|s| s.counts.late).sum::<u64>(), 2);
    live.close().unwrap();
    let replay = |live: &millrace_stream::live::Live| {
        let (reply, answer) = reply();
        live.replay_late(START.plus(millrace_event::Span::hours(2)), reply).unwrap();
        hear(&answer)
    };
    // The late event of a stream with other fields cannot be applied; nothing stops.
    let (live, _) = open(disk.clone(), &plan_of(&two_streams("", true)), &settings).unwrap();
    let refused = replay(&live).unwrap_err().to_string();
    assert!(refused.contains("fields have changed"), "{refused}");
    assert_eq!(status(&live).failure, None);
    live.close().unwrap();
    // That of a stream which is gone has no say.
    let plan = plan_of(&two_streams("  cents : int\n", false));
    let (live, _) = open(disk, &plan, &settings).unwrap();
    assert_eq!(replay(&live).unwrap().events, 1);
    live.close().unwrap();
}
