//! Training sets for the rows of a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use millrace_event::{EventTime, Span};

use crate::from_log::{
    Applied, Arrival, Dice, Event, PAYMENT, Server, arrivals, deliver, folder, same, write_files,
};
use crate::program::{fail, succeed, write};

/// A server with events of four days, all in time, in its log and in files.
struct World {
    folder: tempfile::TempDir,
    server: Server,
    applied: Applied,
}

fn world(seed: u64) -> World {
    let folder = folder();
    let server = Server::in_folder(folder.path());
    let mut arrivals: Vec<Arrival> = arrivals(&mut Dice(seed));
    arrivals.iter_mut().for_each(|arrival| arrival.received = arrival.event.at);
    arrivals.sort_by_key(|arrival| arrival.received);
    let applied = deliver(&server, &arrivals, |_| {});
    write_files(folder.path(), &applied);
    World { folder, server, applied }
}

impl World {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The payments, in no order.
    fn payments(&self, seed: u64) -> Vec<&Event> {
        let events = self.applied.values().map(|(event, _)| event);
        let mut payments: Vec<&Event> = events.filter(|event| event.stream == PAYMENT).collect();
        let mut dice = Dice(seed);
        for at in (1..payments.len()).rev() {
            payments.swap(at, dice.below(at as i64 + 1) as usize);
        }
        payments
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn rows_that_are_the_events_give_what_the_events_give() {
    let world = world(1);
    let payments = world.payments(2);
    let mut rows = "amount,at,payment,card\n".to_owned();
    for Event { id, at, card, number, .. } in &payments {
        writeln!(rows, "{number},{at},{id},{card}").unwrap();
    }
    write(world.path(), &[("rows.csv", &rows)]);
    for options in [
        &["checkout", "--label", "fraud"][..],
        &["checkout_with"],
        &["checkout", "--asof", "daily"],
    ] {
        let command = [&["training-set"], options, &["--with", "payment", "-o"]].concat();
        succeed(world.path(), &[&command[..], &["events.csv"]].concat());
        let told =
            succeed(world.path(), &[&command[..], &["a.csv", "--rows", "rows.csv"]].concat());
        let all = payments.len();
        assert!(told.contains(&format!("{all} in = {all} asked for + 0 dead-lettered")), "{told}");
        let logged = ["b.csv", "--rows", "rows.csv", "--from-log"];
        succeed(world.path(), &[&command[..], &logged].concat());
        same(world.path(), "b.csv", "a.csv");
        let (asked, events) = (world.lines("a.csv"), world.lines("events.csv"));
        assert_eq!(asked.len(), events.len());
        for (asked, event) in asked.iter().zip(&events).skip(1) {
            let (number, rest) = asked.split_once(',').unwrap();
            let (id, expected) = event.split_once(',').unwrap();
            assert_eq!(rest, expected);
            assert_eq!(payments[number.parse::<usize>().unwrap() - 1].id, id);
        }
        assert!(asked[0].starts_with("row,at,"), "{}", asked[0]);
    }
}

/// A card and a time are what a request must say; all of its moment counts then.
#[test]
fn keys_and_times_get_what_a_server_answers() {
    let world = world(3);
    let mut dice = Dice(4);
    let mut asked = Vec::new();
    for payment in world.payments(5) {
        let shift = [0, 1, -1, 7, 5_000][dice.below(5) as usize];
        let card = format!("c{}", dice.below(9));
        asked.push((card, payment.at.plus(Span::seconds(shift))));
    }
    let mut rows = String::new();
    for (card, at) in &asked {
        writeln!(rows, r#"{{"card":"{card}","at":"{at}"}}"#).unwrap();
    }
    write(world.path(), &[("rows.ndjson", &rows)]);
    for source in [&[][..], &["--from-log"]] {
        let command = ["training-set", "checkout", "--rows", "rows.ndjson", "--with", "card", "-o"];
        succeed(world.path(), &[&command[..], &["out.ndjson"], source].concat());
        let lines = world.lines("out.ndjson");
        assert_eq!(lines.len(), asked.len());
        let mut last = EventTime::MIN;
        for line in &lines {
            let row: BTreeMap<&str, &serde_json::value::RawValue> =
                serde_json::from_str(line).unwrap();
            let number: usize = row["row"].get().parse().unwrap();
            let (card, at) = asked[number - 1].clone();
            assert!(at >= last, "{line}");
            last = at;
            let id = "\u{10ffff}".to_owned();
            let event = Event { stream: PAYMENT, id, at, card, number: 0 };
            let answer = world.server.view("checkout", &event);
            let columns = ["payments_1h", "spend", "recent_24h", "most_3h", "first"];
            let columns = columns.into_iter().chain(["reports_12h", "ever"]);
            for (column, cell) in columns.zip(&answer) {
                assert_eq!(row[column].get(), cell, "{column} of {line}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_named_and_what_is_bad_is_kept() {
    let world = world(6);
    let at = "2026-03-02T00:00:00Z";
    let files = [
        ("no-card.csv", format!("at\n{at}\n")),
        ("no-time.csv", "card\nc1\n".to_owned()),
        ("no-id.csv", format!("card,at\nc1,{at}\n")),
        ("empty.csv", "card,at\n".to_owned()),
        (
            "bad.ndjson",
            format!("{{\"card\":\"c1\",\"at\":\"{at}\"}}\n\n{{\"card\":\"c1\"}}\nnonsense\n")
                + &format!("{{\"at\":\"{at}\"}}\n{{\"at\":\"{at}\",\"card\":\"c2\"}}\n"),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    write(world.path(), &files);
    let command = ["training-set", "checkout", "-o", "out.csv", "--rows"];
    let twice = fail(
        world.path(),
        &[&command[..], &["empty.csv", "--with", "card,amount,card"]].concat(),
        2,
    );
    assert!(twice.contains("field 3 is `card` again"), "{twice}");
    for (file, field, more) in [
        ("no-card.csv", "card", &[][..]),
        ("no-time.csv", "at", &[]),
        ("no-id.csv", "payment", &["--label", "fraud"]),
        ("no-id.csv", "amount", &["--with", "amount"]),
    ] {
        let told = fail(world.path(), &[&command[..], &[file], more].concat(), 1);
        assert!(told.contains(file) && told.contains(&format!("`{field}`")), "{told}");
        assert!(!world.path().join("out.csv").exists());
    }
    succeed(world.path(), &[&command[..], &["empty.csv"]].concat());
    assert_eq!(world.lines("out.csv").len(), 1);
    let told = succeed(world.path(), &[&command[..], &["bad.ndjson"]].concat());
    assert!(told.contains("5 in = 2 asked for + 3 dead-lettered"), "{told}");
    let numbers: Vec<String> = world.lines("out.csv").split_off(1);
    let numbers: Vec<&str> = numbers.iter().map(|line| line.split_once(',').unwrap().0).collect();
    assert_eq!(numbers, ["1", "5"]);
    let letters = world.lines("out.csv.dead.ndjson");
    assert_eq!(letters.len(), 3);
    assert!(
        letters[0].contains("bad.ndjson") && letters[0].contains("missing-field"),
        "{letters:?}"
    );
    let told = fail(world.path(), &[&command[..], &["out.csv"]].concat(), 2);
    assert!(told.contains("name another with --output"), "{told}");
}

/// A Parquet file may have other columns, too; those that the view looks at have their names.
#[test]
fn a_training_set_gives_rows_again() {
    let world = world(7);
    let first = ["training-set", "checkout", "--with", "card", "-o", "first.parquet"];
    succeed(world.path(), &first);
    let command = ["training-set", "checkout", "--rows", "first.parquet", "--with", "card", "-o"];
    succeed(world.path(), &[&command[..], &["again.csv"]].concat());
    succeed(world.path(), &["training-set", "checkout", "--with", "card", "-o", "first.csv"]);
    let (again, first) = (world.lines("again.csv"), world.lines("first.csv"));
    assert_eq!(again.len(), first.len());
    for (number, (again, first)) in again.iter().zip(&first).enumerate().skip(1) {
        let (row, again) = again.split_once(',').unwrap();
        assert_eq!((row.parse(), again), (Ok(number), first.split_once(',').unwrap().1));
    }
}

#[test]
fn rows_beyond_the_memory_must_be_sorted() {
    let world = world(8);
    let start: EventTime = "2026-03-01T00:00:00Z".parse().unwrap();
    let count = 450_000;
    let lines = |last: i64| {
        let mut rows = "at,card\n".to_owned();
        for n in (0..count - 1).chain([last]) {
            writeln!(rows, "{},c{}", start.plus(Span::millis(700 * n)), n % 9).unwrap();
        }
        rows
    };
    write(world.path(), &[("sorted.csv", &lines(count)), ("unsorted.csv", &lines(5))]);
    let command = ["training-set", "checkout", "--memory", "64MiB", "-o", "out.csv", "--rows"];
    succeed(world.path(), &[&command[..], &["sorted.csv"]].concat());
    let rows = world.lines("out.csv");
    assert_eq!(rows.len() as i64, count + 1);
    assert!(rows[count as usize].starts_with(&format!("{count},")), "{}", rows[count as usize]);
    let told = fail(world.path(), &[&command[..], &["unsorted.csv"]].concat(), 1);
    assert!(told.contains(&format!("row {count} is earlier")) && told.contains("by at"), "{told}");
    let command = ["training-set", "checkout", "-o", "out.csv", "--rows", "unsorted.csv"];
    succeed(world.path(), &command);
}

#[test]
fn a_file_of_rows_is_laid_out_as_is_said() {
    let world = world(9);
    let at = "2026-03-02T00:00:00Z";
    write(
        world.path(),
        &[
            ("commas.csv", &format!("at,card\n{at},c1\n")),
            ("signs.csv", &format!("at;card\n{at};c1\n")),
            ("bare.csv", &format!(";{at};c1;\n")),
        ],
    );
    let command = ["training-set", "checkout", "-o"];
    succeed(world.path(), &[&command[..], &["a.csv", "--rows", "commas.csv"]].concat());
    for rest in [&["--rows", "signs.csv"][..], &["--rows", "bare.csv", "--no-header"]] {
        succeed(world.path(), &[&command[..], &["b.csv", "--delimiter", ";"], rest].concat());
        same(world.path(), "b.csv", "a.csv");
    }
}
