//! Which rows are learnt from and tested on, and what is known of each.
//!
//! Two passes over the labels alone: one as they were known at the cut, from which training rows
//! are chosen, and one as they are known in the end, which the test is held against.

use std::collections::HashMap;

use millrace_batch::{AsOf, TrainingRows};
use millrace_event::{Column, EventTime, Physical, Span, Type};
use millrace_lift::world::{Kinds, Part, Rows};

use super::study::{Columns, Pass, Study};
use super::truth::{Truth, Verdict};
use super::windows::Windows;
use crate::exit::Failure;
use crate::history::Roll;

/// What to do where two passes gave other rows.
pub const STILL: &str = "run it again while nothing writes to the files";

/// What the rows need beside their features.
pub struct Wanted<'a> {
    pub windows: &'a Windows,
    /// When what the test is held against is known.
    pub known: EventTime,
    /// Whether each was positive after all; without it, its label in the end counts.
    pub truth: Option<&'a Truth<'a>>,
    /// Of which kind the positive ones are.
    pub kinds: Option<&'a Truth<'a>>,
    /// Fields of the event, by their index.
    pub card: Option<usize>,
    pub amount: Option<usize>,
    /// Of the rows that are not positive at the cut, one in so many is learnt from.
    pub keep_every: u32,
}

/// Chosen rows, in order.
pub struct Selection {
    /// Of the rows between the windows' first and last moment, the numbers of those that are kept.
    pub numbers: Vec<u64>,
    pub rows: Rows,
    /// All rows between these moments, for the passes that come to hold theirs against.
    pub roll: Roll,
}

/// A row that may be learnt from: its number, and its label at the cut.
type Lesson = (u64, bool);

pub fn select(study: &Study<'_>, wanted: &Wanted<'_>) -> Result<Selection, Failure> {
    let (lessons, before) = lessons(study, wanted)?;
    let mut choosing = Choosing::new(study, wanted, lessons);
    let pass = Pass {
        what: "labels in the end".to_owned(),
        columns: Columns::None,
        asof: AsOf::Event,
        labelled_at: Some(wanted.known),
        fields: [wanted.card, wanted.amount].into_iter().flatten().collect(),
        rows: wanted.windows.rows(),
    };
    study.pass(&pass, &mut |_, _| {}, &mut |rows| {
        choosing.take(&rows);
        Ok(())
    })?;
    if let Some(before) = before {
        choosing.roll.check(&before, STILL)?;
    }
    choosing.check_met(study)?;
    Ok(choosing.finish())
}

/// All that is positive at the cut, and every so many of the others.
fn lessons(study: &Study<'_>, wanted: &Wanted<'_>) -> Result<(Vec<Lesson>, Option<Roll>), Failure> {
    if wanted.windows.train.is_empty() {
        return Ok((Vec::new(), None));
    }
    let pass = Pass {
        what: "labels at the cut".to_owned(),
        columns: Columns::None,
        asof: AsOf::Event,
        labelled_at: Some(wanted.windows.cut()),
        fields: Vec::new(),
        rows: wanted.windows.rows(),
    };
    let (mut lessons, mut number, mut negative) = (Vec::new(), 0u64, 0u64);
    let mut roll = Roll::default();
    study.pass(&pass, &mut |_, _| {}, &mut |rows| {
        roll.take(&rows);
        let [_, time, label, _] = rows.columns.as_slice() else {
            return Err("a pass over labels has four columns".to_owned());
        };
        for (row, time) in time.as_words().iter().enumerate() {
            let is_lesson = wanted.windows.train.contains(&EventTime(*time));
            if let Some(label) = label_of(label, row).filter(|_| is_lesson) {
                if label || negative.is_multiple_of(u64::from(wanted.keep_every)) {
                    lessons.push((number, label));
                }
                negative += u64::from(!label);
            }
            number += 1;
        }
        Ok(())
    })?;
    Ok((lessons, Some(roll)))
}

fn label_of(labels: &Column, row: usize) -> Option<bool> {
    labels.as_words().get(row).filter(|_| !labels.is_null(row)).map(|word| *word != 0)
}

/// The rows as they are chosen, from the first to the last.
struct Choosing<'a> {
    wanted: &'a Wanted<'a>,
    lessons: std::iter::Peekable<std::vec::IntoIter<Lesson>>,
    amount_unit: f64,
    number: u64,
    numbers: Vec<u64>,
    rows: Rows,
    roll: Roll,
    /// How many rows the truth calls positive, and of how many the kinds know something.
    met: [u64; 2],
    amounts: Vec<i64>,
    cards: Vec<u32>,
    card_numbers: HashMap<String, u32>,
    kinds: Vec<Option<u32>>,
}

impl<'a> Choosing<'a> {
    fn new(study: &Study<'_>, wanted: &'a Wanted<'a>, lessons: Vec<Lesson>) -> Choosing<'a> {
        let schema = &study.plan.streams[study.plan.views[study.view].stream].schema;
        let unit = |field: usize| match schema.fields.get(field).map(|field| &field.ty) {
            Some(Type::Decimal(digits)) => 10f64.powi(i32::from(*digits)),
            Some(_) | None => 1.0,
        };
        Choosing {
            wanted,
            lessons: lessons.into_iter().peekable(),
            amount_unit: wanted.amount.map_or(1.0, unit),
            number: 0,
            numbers: Vec::new(),
            rows: Rows {
                part: Vec::new(),
                weight: Vec::new(),
                label: Vec::new(),
                truth: Vec::new(),
                day: Vec::new(),
                amount_cents: None,
                card: None,
                kinds: None,
            },
            roll: Roll::default(),
            met: [0; 2],
            amounts: Vec::new(),
            cards: Vec::new(),
            card_numbers: HashMap::new(),
            kinds: Vec::new(),
        }
    }

    fn take(&mut self, rows: &TrainingRows) {
        self.roll.take(rows);
        let [ids, times, rest @ ..] = rows.columns.as_slice() else { return };
        let (fields, labels) = rest.split_at(rest.len().saturating_sub(2));
        let Some(labels) = labels.first() else { return };
        for (row, time) in times.as_words().iter().enumerate() {
            let number = self.number;
            self.number += 1;
            let label = label_of(labels, row);
            let lesson = self.lessons.next_if(|(lesson, _)| *lesson == number);
            let is_test = self.wanted.windows.test.contains(&EventTime(*time));
            let part = match (lesson, is_test, label) {
                (Some(_), _, _) => Part::Train,
                (None, true, Some(_)) => Part::Test,
                (None, _, _) => continue,
            };
            let known = lesson.is_some_and(|(_, label)| label);
            let every = f64::from(self.wanted.keep_every);
            self.numbers.push(number);
            self.rows.part.push(part);
            self.rows.label.push(known);
            self.rows.weight.push(if part == Part::Train && !known { every } else { 1.0 });
            self.rows.day.push(u32::try_from(*time / Span::days(1).0).unwrap_or(0));
            self.verdict(ids, row, label == Some(true));
            self.own(fields, row);
        }
    }

    /// Whether it was positive, and of which kind.
    fn verdict(&mut self, ids: &Column, row: usize, label: bool) {
        let id = text_of(ids, row);
        let of = |truth: &Truth<'_>| (truth.of)(&id);
        let truth = self.wanted.truth.map(of);
        let known = self.wanted.kinds.map(of);
        let is_met = |verdict| u64::from(matches!(verdict, Some(Verdict::Positive { .. })));
        self.met[0] += is_met(truth);
        self.met[1] += is_met(known);
        let kind = match known {
            Some(Verdict::Positive { kind }) => kind,
            Some(Verdict::Negative) | None => None,
        };
        self.rows.truth.push(truth.map_or(label, |verdict| verdict != Verdict::Negative));
        self.kinds.push(kind.and_then(|kind| u32::try_from(kind).ok()));
    }

    /// Card and amount, where they are asked for.
    fn own(&mut self, fields: &[Column], row: usize) {
        let mut fields = fields.iter();
        if let Some(card) = self.wanted.card.and_then(|_| fields.next()) {
            let next = self.card_numbers.len() as u32;
            let number = self.card_numbers.entry(text_of(card, row)).or_insert(next);
            self.cards.push(*number);
        }
        if let Some(amount) = self.wanted.amount.and_then(|_| fields.next()) {
            let units = match amount.as_floats().get(row) {
                Some(float) => *float,
                None => amount.as_words().get(row).copied().unwrap_or(0) as f64 / self.amount_unit,
            };
            self.amounts.push((units * 100.0).round() as i64);
        }
    }

    /// A file whose ids are written otherwise would make of every event a negative one.
    fn check_met(&self, study: &Study<'_>) -> Result<(), Failure> {
        let schema = &study.plan.streams[study.plan.views[study.view].stream].schema;
        for (truth, met) in [self.wanted.truth, self.wanted.kinds].into_iter().zip(self.met) {
            if let Some(file) = truth.and_then(|truth| truth.file.as_ref())
                && met == 0
            {
                return Err(file.unmet(schema));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Selection {
        self.rows.amount_cents = self.wanted.amount.map(|_| self.amounts);
        self.rows.card = self.wanted.card.map(|_| self.cards);
        let names = self.wanted.kinds.map(|truth| truth.kinds.clone()).unwrap_or_default();
        if !names.is_empty() {
            self.rows.kinds = Some(Kinds { names, of: self.kinds });
        }
        Selection { numbers: self.numbers, rows: self.rows, roll: self.roll }
    }
}

/// An id or a key as text; nothing of a null.
fn text_of(column: &Column, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.as_texts() {
        Some(texts) => texts.get(row).to_owned(),
        None => column.as_words().get(row).map(i64::to_string).unwrap_or_default(),
    }
}

/// Whether a field can be the card, or the amount.
pub fn is_key(ty: &Type) -> bool {
    matches!(ty.physical(), Physical::Text | Physical::Word)
        && !matches!(ty, Type::Timestamp | Type::Duration | Type::Decimal(_) | Type::Bool)
}

pub fn is_amount(ty: &Type) -> bool {
    matches!(ty, Type::Decimal(_) | Type::Int | Type::Float)
}
