//! What two decisions say of the same events, counted.

use std::collections::BTreeMap;

use millrace_batch::TrainingRows;
use millrace_connector::value_to_json;
use millrace_event::{Column, Type};
use millrace_feature::plan::{Decision, Outcome, Plan};
use millrace_serving::plain;
use serde_json::{Value as Json, json};

use super::decide::{Candidate, Passed, Verdict};
use crate::console::{grouped, note, say};
use crate::exit::Failure;

const OUTCOMES: usize = Outcome::ALL.len();

/// From what today's rules say to what the changed ones do.
pub struct Tally<'a> {
    today: &'a Candidate,
    other: &'a Candidate,
    examples_max: usize,
    amount: Option<usize>,
    cells: [[Cell; OUTCOMES]; OUTCOMES],
}

#[derive(Clone, Debug, Default)]
struct Cell {
    events: u64,
    amount: f64,
    /// Of them, those that turned out to be positive.
    positives: u64,
    positive_amount: f64,
    examples: Vec<Example>,
}

#[derive(Clone, Debug)]
struct Example {
    id: String,
    at: String,
    today: Verdict,
    other: Verdict,
}

fn place(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|o| *o == outcome).unwrap_or(0)
}

impl<'a> Tally<'a> {
    pub fn new(
        today: &'a Candidate,
        other: &'a Candidate,
        examples_max: usize,
        amount: Option<usize>,
    ) -> Tally<'a> {
        Tally { today, other, examples_max, amount, cells: Default::default() }
    }

    /// The fields of the event that it needs.
    pub fn fields(&self) -> Vec<usize> {
        self.amount.into_iter().collect()
    }

    pub fn add(&mut self, rows: &TrainingRows, today: &[Verdict], other: &[Verdict]) {
        let view = self.other.decision().view;
        let plan = &self.other.plan;
        let schema = &plan.streams[plan.views[view].stream].schema;
        let behind = 2 + plan.views[view].columns.len();
        let amounts = self.amount.and_then(|field| {
            rows.columns.get(behind).map(|column| (column, &schema.fields[field].ty))
        });
        let labels = rows.columns.get(behind + usize::from(self.amount.is_some()));
        for (row, (today, other)) in today.iter().zip(other).enumerate() {
            let cell = &mut self.cells[place(today.outcome)][place(other.outcome)];
            let amount = amounts.map_or(0.0, |(column, ty)| money(column, row, ty));
            cell.events += 1;
            cell.amount += amount;
            if labels.is_some_and(|l| !l.is_null(row) && l.as_words()[row] != 0) {
                cell.positives += 1;
                cell.positive_amount += amount;
            }
            if today.outcome != other.outcome && cell.examples.len() < self.examples_max {
                let shown = |column: usize, field: usize| {
                    let ty = &schema.fields[field].ty;
                    let json = value_to_json(&rows.columns[column].value(row, ty), ty);
                    json.get().trim_matches('"').to_owned()
                };
                let (id, at) = (shown(0, schema.id), shown(1, schema.time));
                cell.examples.push(Example { id, at, today: *today, other: *other });
            }
        }
    }

    /// How many were decided on.
    fn events(&self) -> u64 {
        self.cells.iter().flatten().map(|cell| cell.events).sum()
    }

    fn total(&self, outcome: Outcome, is_today: bool) -> Cell {
        let mut total = Cell::default();
        for (from, row) in self.cells.iter().enumerate() {
            for (to, cell) in row.iter().enumerate() {
                if place(outcome) == if is_today { from } else { to } {
                    total.events += cell.events;
                    total.amount += cell.amount;
                    total.positives += cell.positives;
                    total.positive_amount += cell.positive_amount;
                }
            }
        }
        total
    }

    fn changes(&self) -> impl Iterator<Item = (Outcome, Outcome, &Cell)> {
        let pairs = Outcome::ALL.into_iter().flat_map(|a| Outcome::ALL.map(|b| (a, b)));
        pairs.filter(|(a, b)| a != b).map(|(a, b)| (a, b, &self.cells[place(a)][place(b)]))
    }

    pub fn print(&self, passed: &[Passed]) -> Result<(), Failure> {
        let (today, other) = (&self.today.decision().name, &self.other.decision().name);
        if self.events() == 0 {
            note!("no event of this time was found: nothing was decided");
        }
        let changed: u64 = self.changes().map(|(_, _, cell)| cell.events).sum();
        say!("{} events, {} decided otherwise", grouped(self.events()), grouped(changed))?;
        let mut lines = vec![("outcome", [format!("today ({today})"), format!("then ({other})")])];
        lines.extend(Outcome::ALL.map(|outcome| {
            let of = |is_today| self.shown(&self.total(outcome, is_today));
            (outcome.name(), [of(true), of(false)])
        }));
        let width = lines.iter().flat_map(|(_, cells)| cells).map(String::len).max().unwrap_or(0);
        for (outcome, [before, after]) in lines {
            say!("  {outcome:<8} {before:>width$}  {after:>width$}")?;
        }
        for (from, to, cell) in self.changes().filter(|(_, _, cell)| cell.events > 0) {
            say!("  {from} → {to}: {}", self.shown(cell))?;
            for example in &cell.examples {
                let Example { id, at, today, other } = example;
                say!(
                    "    {id} at {at}: {} → {}",
                    said(self.today.decision(), today),
                    said(self.other.decision(), other)
                )?;
            }
        }
        print_events(passed)
    }

    /// Events, with the positive ones among them, and money.
    fn shown(&self, cell: &Cell) -> String {
        let mut text = grouped(cell.events);
        if cell.positives > 0 {
            text += &format!(" ({} positive)", grouped(cell.positives));
        }
        if self.amount.is_some() {
            text += &format!(", {:.2}", cell.amount);
        }
        text
    }

    pub fn print_json(&self, passed: &[Passed]) -> Result<(), Failure> {
        let outcomes = |is_today| -> Json {
            Outcome::ALL
                .iter()
                .map(|o| (o.name().to_owned(), figures(&self.total(*o, is_today))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let example = |e: &Example| {
            json!({
                "id": e.id,
                "at": e.at,
                "today": verdict(self.today.decision(), &e.today),
                "then": verdict(self.other.decision(), &e.other),
            })
        };
        let changes: Vec<Json> = self
            .changes()
            .filter(|(_, _, cell)| cell.events > 0)
            .map(|(from, to, cell)| {
                let examples: Vec<Json> = cell.examples.iter().map(example).collect();
                json!({
                    "from": from.name(),
                    "to": to.name(),
                    "figures": figures(cell),
                    "examples": examples,
                })
            })
            .collect();
        say!(
            "{}",
            json!({
                "events": self.events(),
                "streams": streams(passed),
                "today": { "decision": identity(&self.today.plan, self.today.decision()), "outcomes": outcomes(true) },
                "then": { "decision": identity(&self.other.plan, self.other.decision()), "outcomes": outcomes(false) },
                "changes": changes,
            })
        )
    }
}

/// What was read, and what of it was left out; of two passes only once, where that is the same.
fn print_events(passed: &[Passed]) -> Result<(), Failure> {
    match passed {
        [first, second] if first.events.streams != second.events.streams => {
            say!("  read for today's:")?;
            first.events.print_streams()?;
            say!("  read for the changed ones:")?;
            second.events.print_streams()
        }
        [first, ..] => first.events.print_streams(),
        [] => Ok(()),
    }
}

/// The same by the streams' names; what the changed decision's pass says of them counts.
fn streams(passed: &[Passed]) -> BTreeMap<&str, Json> {
    passed.iter().flat_map(|pass| pass.events.streams_json()).collect()
}

fn identity(plan: &Plan, decision: &Decision) -> Json {
    let view = &plan.views[decision.view];
    json!({
        "name": &*decision.name,
        "hash": decision.hash.to_string(),
        "view": &*view.name,
        "view_hash": view.hash.to_string(),
    })
}

fn figures(cell: &Cell) -> Json {
    json!({
        "events": cell.events,
        "amount": cell.amount,
        "positives": cell.positives,
        "positive_amount": cell.positive_amount,
    })
}

fn verdict(decision: &Decision, verdict: &Verdict) -> Json {
    json!({
        "outcome": verdict.outcome.name(),
        "reason": reason(decision, verdict),
        "score": verdict.score.is_finite().then_some(verdict.score),
    })
}

fn reason<'d>(decision: &'d Decision, verdict: &Verdict) -> &'d str {
    let rule = verdict.rule.and_then(|rule| decision.rules.get(usize::from(rule)));
    rule.map_or("else", |rule| &rule.reason)
}

fn said(decision: &Decision, verdict: &Verdict) -> String {
    let reason = reason(decision, verdict);
    if verdict.score.is_finite() {
        format!("{} ({reason}, score {:.4})", verdict.outcome, verdict.score)
    } else {
        format!("{} ({reason})", verdict.outcome)
    }
}

/// Nothing where there is none.
fn money(column: &Column, row: usize, ty: &Type) -> f64 {
    let amount = plain(&column.value(row, ty));
    if amount.is_nan() { 0.0 } else { amount }
}
