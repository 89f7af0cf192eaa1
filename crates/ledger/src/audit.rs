//! Logged decisions, decided again.
//!
//! ```text
//!  event log ─▶ Past ── at the logged frontier ─▶ view ─ logged ages ─▶ vector ─▶ models ─▶ rules
//!  decision log ─▶ entries, by frontier ────────────────────────────────── compared ───────┘
//! ```
//!
//! One pass over the event log serves all decisions of a period, in the order of their frontiers.
//! What cannot be decided again is counted by its [`Obstacle`], and never passed over in silence.

mod obstacle;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::{Batch, Column, EventTime, State, Value};
use millrace_feature::plan::{Outcome, Plan};
use millrace_serving::model::Score;
use millrace_serving::{Models, ServedValue, ViewSources, complete_event, serve_view};
use millrace_store::Disk;
use millrace_stream::Settings;
use millrace_stream::live::{Past, PastError};

use crate::comparison::{Difference, Part, compare};
use crate::entries::{Entries, Entry, Period};
use crate::error::LedgerError;
use crate::forms::{ModelForm, hex};
use crate::run::Run;
pub use obstacle::Obstacle;
pub use tally::{Audit, Tally};

/// Requests are answered a few at a time, so that a frontier in the log is out of order by a few.
const REORDER_MAX: usize = 2_048;

/// A decision, made again as far as it can be.
#[derive(Clone, Debug, Default)]
pub struct Recomputed {
    /// As served, one cell each.
    pub vector: Vec<Column>,
    /// By the decision's scores and shadows; `None` where the model is another one by now.
    pub scores: Vec<Option<Score>>,
    pub shadows: Vec<Option<Score>>,
    /// With the rule; `None` where the decision is another one by now.
    pub outcome: Option<(Outcome, Option<usize>)>,
    /// Why parts are missing.
    pub obstacles: Vec<Obstacle>,
}

impl Recomputed {
    /// Values, scores and outcomes that there are to compare: none of a decision that is refused now.
    fn compared(&self) -> u64 {
        let scores = self.scores.iter().chain(&self.shadows).flatten().count();
        (self.vector.len() + scores + usize::from(self.outcome.is_some())) as u64
    }
}

/// Recomputes decisions of a data directory, whose definitions and models are these.
#[derive(Debug)]
pub struct Auditor {
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
    models: Models,
    settings: Settings,
    runs: BTreeMap<u64, Arc<Run>>,
    past: Result<Past, Obstacle>,
}

impl Auditor {
    /// # Errors
    /// When the data directory cannot be read.
    pub fn open(
        disk: Arc<dyn Disk>,
        plan: Arc<Plan>,
        models: Models,
        settings: Settings,
    ) -> Result<Auditor, LedgerError> {
        let runs = Entries::open(Arc::clone(&disk))?.runs().clone();
        let past = open_past(&disk, &plan, &settings)?;
        Ok(Auditor { disk, plan, models, settings, runs, past })
    }

    /// Recomputes the decisions of the period, of one name or of all, and compares them.
    ///
    /// # Errors
    /// When the decision log cannot be read.
    pub fn audit(
        &mut self,
        period: &Period,
        name: Option<&str>,
        mut seen: impl FnMut(u64),
    ) -> Result<Audit, LedgerError> {
        let mut audit = Audit::default();
        let mut entries = Entries::open(Arc::clone(&self.disk))?;
        audit.removed = entries.removed();
        // By frontier, and of one frontier in the order of the log.
        let mut waiting: BTreeMap<(u64, u64), Entry> = BTreeMap::new();
        let mut stragglers = Vec::new();
        let mut is_more = true;
        while is_more || !waiting.is_empty() {
            match if is_more { entries.next_within(period)? } else { None } {
                Some(entry) if name.is_some_and(|name| entry.form().name != name) => continue,
                Some(entry) => {
                    waiting.insert((entry.record.frontier, entry.offset), entry);
                }
                None => is_more = false,
            }
            if (waiting.len() > REORDER_MAX || !is_more)
                && let Some((_, entry)) = waiting.pop_first()
            {
                self.one(entry, &mut audit, &mut stragglers);
                seen(audit.decisions);
            }
        }
        while !stragglers.is_empty() {
            self.past = open_past(&self.disk, &self.plan, &self.settings)?;
            stragglers.sort_by_key(|entry: &Entry| (entry.record.frontier, entry.offset));
            for entry in std::mem::take(&mut stragglers) {
                self.one(entry, &mut audit, &mut stragglers);
            }
        }
        audit.unreadable = entries.unreadable().clone();
        Ok(audit)
    }

    fn one(&mut self, entry: Entry, audit: &mut Audit, stragglers: &mut Vec<Entry>) {
        if self.past.as_ref().is_ok_and(|past| past.frontier() > entry.record.frontier) {
            stragglers.push(entry);
            return;
        }
        let (recomputed, differences) = self.recompute(&entry);
        audit.count(&entry, &recomputed, &differences);
    }

    /// Decides again, as far as that can be done, and tells every difference. The entry must not lie
    /// behind one that was recomputed before.
    pub fn recompute(&mut self, entry: &Entry) -> (Recomputed, Vec<Difference>) {
        match self.vector(entry) {
            Ok(vector) => {
                let recomputed = self.decide(entry, &vector);
                let differences = compare(entry, &recomputed);
                if is_limit_different(entry, &recomputed) && self.is_behind(entry) {
                    let obstacles = vec![Obstacle::NotKept];
                    return (Recomputed { obstacles, ..Recomputed::default() }, Vec::new());
                }
                (recomputed, differences)
            }
            Err(Refused::Obstacle(obstacle)) => {
                (Recomputed { obstacles: vec![obstacle], ..Recomputed::default() }, Vec::new())
            }
            Err(Refused::TooOld(told)) => {
                let logged = entry.record.outcome.to_string();
                let difference = Difference { part: Part::Outcome, logged, recomputed: told };
                (Recomputed::default(), vec![difference])
            }
        }
    }

    /// Whether the event that was decided on lies where reads need not be exact.
    fn is_behind(&self, entry: &Entry) -> bool {
        let (Ok(past), Some(view)) = (&self.past, self.plan.view(&entry.form().view)) else {
            return false;
        };
        let event = event_of(&self.plan, self.plan.views[view].stream, entry);
        !past.is_exact(view, EventTime(event.times()[0]))
    }

    /// The vector at the logged frontier, with the verdicts that the logged ages give.
    fn vector(&mut self, entry: &Entry) -> Result<Vec<Served>, Refused> {
        let (record, form) = (&entry.record, entry.form());
        let plan = Arc::clone(&self.plan);
        let index = plan.view(&form.view).filter(|v| hex(&plan.views[*v].hash) == form.view_hash);
        let index = index.ok_or_else(|| Obstacle::View { view: form.view.clone() })?;
        let view = &plan.views[index];
        if let Some(left) = self.lost_after(record.run, record.frontier) {
            return Err(Obstacle::EventsLost { left }.into());
        }
        if let Some(group) = form.groups.iter().find(|g| self.started_empty(g, record.run)) {
            return Err(Obstacle::StartedEmpty { group: group.clone() }.into());
        }
        let past = self.past.as_mut().map_err(|obstacle| obstacle.clone())?;
        // What a start was told of history counts from there.
        let start = entry.run.frontier.min(record.frontier);
        let begun = if past.frontier() < start { past.go_to(start) } else { Ok(()) };
        past.keep_history(entry.run.history());
        let answers = match begun.and_then(|()| past.go_to(record.frontier)) {
            Ok(()) => {
                past.view(index, &event_of(&plan, view.stream, entry)).map_err(PastError::Live)
            }
            Err(error) => Err(error),
        };
        let answers = answers.map_err(|error| {
            let obstacle = Obstacle::of(&error);
            if let Obstacle::Unreadable { .. } = obstacle {
                self.past = Err(obstacle.clone());
            }
            obstacle
        })?;
        let sources = ViewSources::of(&plan, view);
        let served = serve_view(&plan, view, &sources, answers, &record.ages, record.frontier);
        let served = served.map_err(|too_old| Refused::TooOld(too_old.to_string()))?;
        let own = |v: ServedValue<'_>| Served { value: v.value, state: v.state, age: v.age };
        Ok(served.values.into_iter().map(own).collect())
    }

    fn decide(&self, entry: &Entry, vector: &[Served]) -> Recomputed {
        let (record, form, plan) = (&entry.record, entry.form(), &self.plan);
        let mut recomputed = Recomputed::default();
        let Some(index) = plan.view(&form.view) else { return recomputed };
        let view = &plan.views[index];
        let served: Vec<ServedValue<'_>> = view
            .columns
            .iter()
            .zip(vector)
            .map(|(column, of)| ServedValue {
                name: &column.name,
                ty: &column.ty,
                value: of.value.clone(),
                state: of.state,
                age: of.age,
            })
            .collect();
        for value in &served {
            let mut cell = Column::new(value.ty.physical());
            cell.push(&value.value, value.state);
            recomputed.vector.push(cell);
        }
        let mut score = |models: &[ModelForm]| -> Vec<Option<Score>> {
            let one = |form: &ModelForm| {
                let score = self.score(index, form, &served);
                if score.is_none() {
                    recomputed.obstacles.push(Obstacle::Model { model: form.name.clone() });
                }
                score
            };
            models.iter().map(one).collect()
        };
        let (scores, shadows) = (score(&form.scores), score(&form.shadows));
        match plan.decision(&form.name).map(|d| &plan.decisions[d]) {
            Some(decision) if hex(&decision.hash) == form.hash => {
                // Where the model is another one, the rules are tried on the score that was logged.
                let logged = record.scores.iter().zip(&scores);
                let values: Vec<f64> =
                    logged.map(|(logged, again)| again.unwrap_or(*logged).value).collect();
                let decided = millrace_serving::decision::decide(decision, &served, &values);
                recomputed.outcome = Some((decided.outcome, decided.rule));
            }
            Some(_) | None => {
                recomputed.obstacles.push(Obstacle::Decision { decision: form.name.clone() });
            }
        }
        Recomputed { scores, shadows, ..recomputed }
    }

    /// By the model of this name, if it is the one that the record names.
    fn score(&self, view: usize, form: &ModelForm, served: &[ServedValue<'_>]) -> Option<Score> {
        let model = self.plan.model(&form.name)?;
        // A model that now takes another view would read its columns in this one's vector.
        if self.plan.models[model].view != view {
            return None;
        }
        let is_same =
            self.models.get(model).is_some_and(|m| format!("{:#}", m.hash()) == form.hash);
        if is_same { self.models.score(model, served) } else { None }
    }

    /// How many records a later start found, if they are fewer than this one had counted.
    fn lost_after(&self, run: u64, frontier: u64) -> Option<u64> {
        let later = self.runs.range(run + 1..).map(|(_, run)| run.frontier);
        later.min().filter(|left| *left < frontier)
    }

    /// Whether the group knew nothing of older events in this start, because its definition was new.
    fn started_empty(&self, group: &str, run: u64) -> bool {
        for run in self.runs.range(..=run).rev().map(|(_, run)| run) {
            if run.started_empty.iter().any(|empty| empty == group) {
                return true;
            }
            // It applied the whole event log to what is defined, or to this group.
            if run.epoch == 0 || run.backfilled.iter().any(|filled| filled == group) {
                return false;
            }
        }
        false
    }
}

/// A value of the vector, without its name and type.
#[derive(Clone, Debug)]
struct Served {
    value: Value,
    state: millrace_event::State,
    age: millrace_event::Span,
}

enum Refused {
    Obstacle(Obstacle),
    TooOld(String),
}

impl From<Obstacle> for Refused {
    fn from(obstacle: Obstacle) -> Refused {
        Refused::Obstacle(obstacle)
    }
}

fn open_past(
    disk: &Arc<dyn Disk>,
    plan: &Arc<Plan>,
    settings: &Settings,
) -> Result<Result<Past, Obstacle>, LedgerError> {
    match Past::open(Arc::clone(disk), Arc::clone(plan), settings.clone()) {
        Ok(past) => Ok(Ok(past)),
        Err(error @ PastError::Removed { .. }) => Ok(Err(Obstacle::of(&error))),
        Err(error) => Err(error.into()),
    }
}

/// Whether a value is a limit on one side alone.
fn is_limit_different(entry: &Entry, recomputed: &Recomputed) -> bool {
    let is_limit = |cell: &Column| cell.mark(0).state() == State::Limit;
    let mut cells = entry.record.vector.iter().zip(&recomputed.vector);
    cells.any(|(logged, again)| is_limit(logged) != is_limit(again))
}

/// The event that asked, completed as it was then.
fn event_of(plan: &Plan, stream: usize, entry: &Entry) -> Batch {
    let cells = entry.record.event.iter().zip(&entry.form().fields);
    let row = cells.map(|(cell, field)| cell.value(0, &field.ty)).collect();
    complete_event(&plan.streams[stream].schema, row, entry.record.decided_at).0
}
