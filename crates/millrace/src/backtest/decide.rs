//! One pass over history: every row of a view, decided by one or two decisions.

use std::path::PathBuf;
use std::sync::Arc;

use millrace_batch::{History, Job, Step, TrainingRows};
use millrace_event::{Column, Type};
use millrace_feature::plan::{Decision, Outcome, Plan};
use millrace_serving::decision::{Decided, decide_rows, score_column};
use millrace_serving::model::Model;
use millrace_serving::{Encoding, Models};

use crate::console;
use crate::exit::Failure;
use crate::history::read;
use crate::history::scratch::ScratchFile;
use crate::history::{Intake, Origins, PROGRESS, Roll, Summary};
use crate::project::{Place, Project};
use crate::stop::Stop;

/// A decision with its models.
#[derive(Debug)]
pub struct Candidate {
    pub plan: Arc<Plan>,
    decision: usize,
    models: Vec<(Arc<Model>, Encoding)>,
}

/// What a decision says of one row.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Index into the decision's rules; `None` for its `else`.
    pub rule: Option<u16>,
    /// Of its first model; NaN without one.
    pub score: f64,
}

impl Candidate {
    pub fn new(plan: Arc<Plan>, decision: usize, models: &Models) -> Result<Candidate, Failure> {
        let definition = &plan.decisions[decision];
        models.check(&plan, definition).map_err(Failure::user)?;
        let view = &plan.views[definition.view];
        let of = |index: &usize| {
            let model = models.get(*index).cloned().ok_or_else(|| Failure::bug("no model"))?;
            let encoding = Encoding::new(&model, view)
                .map_err(|_| Failure::bug("a model was taken that does not fit its view"))?;
            Ok((model, encoding))
        };
        let models = definition.scores.iter().map(of).collect::<Result<_, Failure>>()?;
        Ok(Candidate { plan, decision, models })
    }

    pub fn decision(&self) -> &Decision {
        &self.plan.decisions[self.decision]
    }

    /// Decides on every row of a vector's columns.
    pub fn decide(&self, vector: &[Column], rows: usize) -> Vec<Verdict> {
        let view = &self.plan.views[self.decision().view];
        let typed: Vec<(&Type, &Column)> =
            view.columns.iter().map(|column| &column.ty).zip(vector).collect();
        let scores: Vec<Vec<f64>> = self
            .models
            .iter()
            .map(|(model, encoding)| {
                let cells = encoding.rows(model, &typed, rows);
                let mut scratch = model.scratch();
                let width = model.features().len();
                let row = |row: usize| &cells[row * width..][..width];
                (0..rows).map(|at| model.score_row(row(at), &mut scratch).value).collect()
            })
            .collect();
        let columns: Vec<Column> = scores.iter().map(|scores| score_column(scores)).collect();
        let decided = decide_rows(self.decision(), vector, &columns, rows);
        let score = |row: usize| scores.first().map_or(f64::NAN, |scores| scores[row]);
        let verdict = |(row, d): (usize, Decided<'_>)| Verdict {
            outcome: d.outcome,
            rule: d.rule.and_then(|rule| u16::try_from(rule).ok()),
            score: score(row),
        };
        decided.into_iter().enumerate().map(verdict).collect()
    }
}

/// How history is read.
#[derive(Debug)]
pub struct Pass<'a> {
    pub origins: &'a Origins,
    pub place: &'a Place,
    pub threads: usize,
    pub scratch: PathBuf,
    pub stop: &'a Stop,
    pub what: &'static str,
    /// Where the log ends, if it is read: what is written to it since the first pass is not looked
    /// at.
    pub log_end: Option<u64>,
}

/// Takes rows with what each candidate says of them.
pub type Take<'a> = dyn FnMut(&TrainingRows, &[Vec<Verdict>]) + 'a;

/// What a pass went over.
#[derive(Debug)]
pub struct Passed {
    pub rows: Roll,
    pub events: Summary,
}

impl Pass<'_> {
    pub fn run(
        &self,
        project: &Project,
        job: Job,
        candidates: &[&Candidate],
        take: &mut Take<'_>,
    ) -> Result<Passed, Failure> {
        let columns = job.plan.views[job.view].columns.len();
        let scratch = Arc::new(ScratchFile::in_folder(self.scratch.clone()));
        let mut intake = Intake::new(History::new(job, scratch), None);
        intake.log_end = self.log_end;
        let mut summary = Summary::default();
        let from = (project, self.place, self.origins);
        let scattered = read(from, intake, None, &mut summary, self.stop)?;
        let mut rows = Roll::default();
        let bar = console::progress(self.what, PROGRESS);
        let watch = |step: Step| {
            let (done, all) = step.partitions;
            bar.set_position(PROGRESS * done as u64 / all as u64);
            !self.stop.is_asked()
        };
        scattered.run(self.threads, &watch, &mut |block| {
            // Behind the id and the time.
            let vector = block.columns.get(2..2 + columns).unwrap_or_default();
            let count = block.columns.first().map_or(0, Column::len);
            let verdicts: Vec<_> = candidates.iter().map(|c| c.decide(vector, count)).collect();
            rows.take(&block);
            take(&block, &verdicts);
            if self.stop.is_asked() { Err("stopped".to_owned()) } else { Ok(()) }
        })?;
        bar.finish_and_clear();
        Ok(Passed { rows, events: summary })
    }
}
