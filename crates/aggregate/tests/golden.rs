//! Bytes of key states and of parts in every version, kept forever: this program must always be
//! able to read them.
//!
//! Versions 1 and 2 of a key state and version 1 of a part were written by the programs of their
//! time. As long as a version is the one that is written, writing again must give the same bytes;
//! when a test fails because there is a new version, it shows the text of its fixture.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use millrace_aggregate::{
    Aggregate, Arguments, DecodeError, Function, Horizon, Input, KeyState, Layout, Shape, Window,
};
use millrace_event::expr::{Expr, Kind};
use millrace_event::{
    Batch, Column, Data, EventId, EventTime, Field, Mark, Physical, Schema, Span, State, Type,
};

const QUIET: &str = include_str!("golden/key-state-1.txt");
const ORDERED_2: &str = include_str!("golden/key-state-2-ordered.txt");
const SETTLED_2: &str = include_str!("golden/key-state-2-settled.txt");
const ORDERED_3: &str = include_str!("golden/key-state-3-ordered.txt");
const SETTLED_3: &str = include_str!("golden/key-state-3-settled.txt");

/// Events of a key whose rows are not in parts, and of one whose are.
const FEW: i64 = 30;
const MANY: i64 = 230;
/// How far behind the newest event reads are exact.
const HISTORY: i64 = 20;
/// Bytes are stored after so many events.
const EVERY: i64 = 30;
/// Bytes of a fixture's line.
const LINE: usize = 48;
const TAKES_ALL: &str = "a string takes everything";

fn shape(functions: &[(Function, Option<usize>, Type)], windows: Vec<Window>) -> Shape {
    let column = |index, ty, nullable| Expr { kind: Kind::Column(index), ty, nullable };
    let aggregates = (0..windows.len()).flat_map(|window| {
        functions.iter().map(move |(function, input, ty)| Aggregate {
            function: *function,
            input: *input,
            filter: (*function == Function::Sum).then_some(0),
            window,
            ty: ty.clone(),
        })
    });
    Shape::new(Arc::new(Layout {
        inputs: vec![
            Input { expr: column(3, Type::Int, true) },
            Input { expr: column(4, Type::Float, false) },
            Input { expr: column(5, Type::String, false) },
        ],
        filters: vec![column(2, Type::Bool, false)],
        aggregates: aggregates.collect(),
        windows,
        hash: 0x0123_4567_89ab_cdef,
        ..Layout::default()
    }))
}

/// All that a key state can hold: each row keeps its id, and there are strings and summaries.
fn ordered() -> Shape {
    let functions = [
        (Function::Count, None, Type::Int),
        (Function::Sum, Some(0), Type::Int),
        (Function::Stddev, Some(1), Type::Float),
        (Function::Distinct, Some(2), Type::Int),
        (Function::First, Some(2), Type::String),
        (Function::LastN(2), Some(0), Type::List(Box::new(Type::Int))),
    ];
    let sliding = |width, every| Window::Sliding { width: Span(width), every };
    shape(&functions, vec![sliding(180, None), sliding(400, Some(Span(100))), Window::Lifetime])
}

/// Ids go once no event can come before theirs, so that parts have fewer ids than rows.
fn settled() -> Shape {
    let functions = [(Function::Count, None, Type::Int), (Function::Sum, Some(0), Type::Int)];
    shape(&functions, vec![Window::Sliding { width: Span(180), every: None }])
}

/// One event; two of a moment each, whose ids do not ascend.
fn event(number: i64) -> (Batch, EventId) {
    let field = |name: &str, ty, nullable| Field { name: Arc::from(name), ty, nullable };
    let schema = Schema {
        stream: Arc::from("s"),
        fields: vec![
            field("id", Type::String, false),
            field("time", Type::Timestamp, false),
            field("selected", Type::Bool, false),
            field("word", Type::Int, true),
            field("float", Type::Float, false),
            field("text", Type::String, false),
        ],
        id: 0,
        time: 1,
        lateness: Span(HISTORY),
    };
    let id = format!("{}{number}", "e".repeat(number as usize * 5 % 7));
    let texts = |text: &str| {
        let mut column = Column::new(Physical::Text);
        column.push_text(text, Mark::OK);
        column
    };
    let mark = if number % 7 == 0 { Mark::null(State::Empty) } else { Mark::OK };
    let word = if number % 7 == 0 { 0 } else { (number * 37 % 11 - 5) << (number % 5 * 12) };
    let batch = Batch {
        schema: Arc::new(schema),
        columns: vec![
            texts(&id),
            Column::words(vec![1_000 + number / 2 * 2]),
            Column::words(vec![i64::from(number % 3 != 0)]),
            Column::with_marks(Data::Word(vec![word]), Some(vec![mark])),
            Column::floats(vec![number as f64 / 4.0]),
            texts(&format!("shop {}", number % 9)),
        ],
    };
    (batch, EventId::text(&id))
}

/// A key's bytes, as a store that is told only what changed has them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stored {
    state: Vec<u8>,
    parts: BTreeMap<u64, Vec<u8>>,
}

impl Stored {
    fn write(&mut self, state: &mut KeyState, shape: &Shape) {
        let (numbers, changed) = (state.parts(shape), state.take_changed_parts(shape));
        self.parts.retain(|number, _| numbers.contains(number));
        for number in numbers {
            if changed.contains(&number) || !self.parts.contains_key(&number) {
                let mut bytes = Vec::new();
                state.encode_part(shape, number, &mut bytes);
                self.parts.insert(number, bytes);
            }
        }
        self.state.clear();
        state.encode(shape, &mut self.state);
    }

    /// All bytes of a state as this program writes them.
    fn anew(mut state: KeyState, shape: &Shape) -> Stored {
        let mut stored = Stored::default();
        stored.write(&mut state, shape);
        stored
    }

    fn read(&self, shape: &Shape) -> Result<KeyState, DecodeError> {
        KeyState::decode(shape, &self.state, |number| {
            self.parts.get(&number).cloned().ok_or(DecodeError::Damaged("no such part"))
        })
    }

    /// `state` or `part` and its number, then the bytes in lines.
    fn to_text(&self) -> String {
        let mut text = String::new();
        let parts = self.parts.iter().map(|(number, bytes)| (format!("part {number}"), bytes));
        for (name, bytes) in std::iter::once(("state".to_owned(), &self.state)).chain(parts) {
            writeln!(text, "{name}").expect(TAKES_ALL);
            for line in bytes.chunks(LINE) {
                let line: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(text, "  {line}").expect(TAKES_ALL);
            }
        }
        text
    }

    fn parse(text: &str) -> Stored {
        let mut stored = Stored::default();
        let mut bytes = &mut stored.state;
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("part ") {
                bytes = stored.parts.entry(number.parse().expect("a number")).or_default();
            } else if let Some(line) = line.strip_prefix("  ") {
                let digit = |digit: u8| (digit as char).to_digit(16).expect("a digit") as u8;
                bytes.extend(line.as_bytes().chunks(2).map(|d| digit(d[0]) << 4 | digit(d[1])));
            }
        }
        stored
    }
}

/// A key after so many events, and its bytes.
fn grown(shape: &Shape, events: i64) -> (KeyState, Stored) {
    let (mut state, mut stored) = (KeyState::default(), Stored::default());
    for number in 0..events {
        let (batch, id) = event(number);
        let arguments = Arguments::evaluate(shape, &batch);
        let horizon = Horizon::at(shape, EventTime(batch.times()[0] - HISTORY));
        state.insert(shape, &arguments, 0, Some(&id), horizon);
        if number % EVERY == EVERY - 1 {
            stored.write(&mut state, shape);
        }
    }
    stored.write(&mut state, shape);
    (state, stored)
}

/// The fixture holds the same rows, ids, strings and summaries as the key that it was made of.
fn assert_read(shape: &Shape, events: i64, fixture: &str, version: u8) -> Stored {
    let fixture = Stored::parse(fixture);
    assert_eq!(fixture.state[0], version);
    let (state, _) = grown(shape, events);
    let read_back = fixture.read(shape).expect("it is read for ever");
    assert_eq!(read_back.parts(shape), state.parts(shape));
    let [got, expected] = [read_back, state].map(|state| Stored::anew(state, shape).to_text());
    assert_eq!(got, expected, "version {version}");
    fixture
}

/// What is written today.
fn assert_written(shape: &Shape, events: i64, fixture: &str) {
    let text = grown(shape, events).1.to_text();
    assert!(text == fixture, "this program writes\n{text}");
}

#[test]
fn version_1_is_read_and_written() {
    let fixture = assert_read(&ordered(), FEW, QUIET, 1);
    assert!(fixture.parts.is_empty());
    assert_written(&ordered(), FEW, QUIET);
}

#[test]
fn version_2_is_read_with_parts_of_version_1() {
    for (shape, fixture) in [(ordered(), ORDERED_2), (settled(), SETTLED_2)] {
        let fixture = assert_read(&shape, MANY, fixture, 2);
        assert!(fixture.parts.len() > 1 && fixture.parts.values().all(|part| part[0] == 1));
        let changed = fixture.read(&shape).unwrap().take_changed_parts(&shape);
        assert_eq!(changed, KeyState::parts_of(&shape, &fixture.state).unwrap(), "without ids");
    }
}

#[test]
fn parts_without_the_ids_that_are_needed_are_refused() {
    let mut fixture = Stored::parse(ORDERED_2);
    fixture.state[0] = 3;
    assert!(fixture.read(&ordered()).is_err());
}

#[test]
fn later_versions_are_refused() {
    let mut later = Stored::parse(ORDERED_3);
    later.parts.entry(1).or_default()[0] = 3;
    let refused = later.read(&ordered()).unwrap_err();
    assert_eq!(refused, DecodeError::PartVersion(3));
    assert!(refused.to_string().starts_with("part of a key state of version 3;"));
    later.state[0] = 4;
    assert_eq!(later.read(&ordered()).unwrap_err(), DecodeError::Version(4));
}

#[test]
fn version_3_is_read_and_written_with_parts_of_version_2() {
    for (shape, fixture) in [(ordered(), ORDERED_3), (settled(), SETTLED_3)] {
        let read = assert_read(&shape, MANY, fixture, 3);
        assert!(read.parts.len() > 1 && read.parts.values().all(|part| part[0] == 2));
        assert!(read.read(&shape).unwrap().take_changed_parts(&shape).is_empty());
        assert_written(&shape, MANY, fixture);
    }
}
