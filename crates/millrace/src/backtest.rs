//! `millrace backtest`: history decided by a changed decision, beside what it is today.
//!
//! ```text
//!   events ─▶ view, point in time ─▶ models ─▶ rules of today ─┬▶ from → to, money, examples
//!                                 └▶ models ─▶ changed rules  ─┘
//! ```

pub mod decide;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;

use millrace_batch::{AsOf, Counting, Job, Labelling, States, Subject};
use millrace_event::{EventTime, Schema};
use millrace_feature::{SourceFile, declares, replace};

use crate::config::{Size, did_you_mean};
use crate::exit::Failure;
use crate::history::Origins;
use crate::history::find_label;
use crate::history::when::Period;
use crate::lift::selection::is_amount;
use crate::models;
use crate::project::{self, Place, Project, shown};
use crate::stop::Stop;
use decide::{Candidate, Pass, Verdict};
use tally::Tally;

/// Decides on history with a changed decision, and says what would have been otherwise
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace backtest authorise --rules stricter.mill --amount amount
  millrace backtest authorise --against authorise_daily --from 2026-01-10
  millrace backtest authorise --rules stricter.mill --label fraud --amount amount --json
  millrace backtest authorise --rules stricter.mill --from-log      # on what the server has logged

What the file of --rules declares takes the place of what the project declares by the same name:
write the decision there as it would be, and models or views that it needs. Every event of the
decision's stream is decided twice, with features as they were just before it, by the rules of
today and by the changed ones. With --label, each number is told for the events that turned out
to be positive, too.")]
pub struct Args {
    /// The decision's name
    decision: String,
    /// A file of changed declarations
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    rules: Option<PathBuf>,
    /// Another decision of the project, in the place of a changed one
    #[arg(long, value_name = "DECISION")]
    against: Option<String>,
    #[command(flatten)]
    origins: Origins,
    #[command(flatten)]
    period: Period,
    /// The event's field that is money
    #[arg(long, value_name = "FIELD")]
    amount: Option<String>,
    /// The label that says what turned out to be true
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Events to show of each change
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: usize,
    /// Memory for events and features; what does not fit goes to a scratch file
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    memory: Size,
    /// Where the scratch file lies; in the project's folder, if not given
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub fn backtest(args: &Args) -> Result<(), Failure> {
    if args.rules.is_none() && args.against.is_none() {
        return Err(Failure::usage("name what is changed: --rules FILE or --against DECISION"));
    }
    let project = args.place.open()?;
    let changed = match &args.rules {
        Some(rules) => with_rules(&project, rules)?,
        None => project.clone(),
    };
    let today = candidate(&project, &args.decision)?;
    let name = args.against.as_ref().unwrap_or(&args.decision);
    let other = candidate(&changed, name)?;
    let (own, others) = (schema(&today), schema(&other));
    check_streams(own, others)?;
    let view = |c: &Candidate| c.plan.views[c.decision().view].hash;
    if let Some(rules) = &args.rules {
        check_rules(rules, &project, name)?;
    }
    let stop = Stop::on_signals()?;
    let threads = args.origins.reading.threads()?;
    let scratch = args.scratch.clone().unwrap_or_else(|| project.folder.clone());
    let (origins, place) = (&args.origins, &args.place);
    let mut pass =
        Pass { origins, place, threads, scratch, stop: &stop, what: "deciding", log_end: None };
    let amount = amount_field(others, args.amount.as_deref())?;
    let mut tally = Tally::new(&today, &other, args.examples, amount);
    let job = args.job(&changed, &other, tally.fields())?;
    let mut passed = Vec::new();
    if view(&today) == view(&other) && own == others {
        passed.push(pass.run(&changed, job, &[&today, &other], &mut |rows, verdicts| {
            tally.add(rows, &verdicts[0], &verdicts[1]);
        })?);
    } else {
        // The vectors differ: what today's rules said is kept, some bytes for each event.
        let mut said: Vec<Verdict> = Vec::new();
        pass.what = "deciding as today";
        let before = args.job(&project, &today, Vec::new())?;
        passed.push(pass.run(&project, before, &[&today], &mut |_, verdicts| {
            said.extend(&verdicts[0]);
        })?);
        pass.what = "deciding otherwise";
        pass.log_end = passed[0].events.log_records;
        let mut said = said.into_iter();
        passed.push(pass.run(&changed, job, &[&other], &mut |rows, verdicts| {
            let today: Vec<Verdict> = said.by_ref().take(verdicts[0].len()).collect();
            tally.add(rows, &today, &verdicts[0]);
        })?);
        passed[1].rows.check(&passed[0].rows, FIX)?;
    }
    if args.json { tally.print_json(&passed) } else { tally.print(&passed) }
}

/// What to do where two passes gave other rows.
const FIX: &str = "let nothing write to the files meanwhile, and let the streams of --rules take \
    the same events as those of the project";

/// Of the events that are decided on.
fn schema(candidate: &Candidate) -> &Schema {
    let plan = &candidate.plan;
    &plan.streams[plan.views[candidate.decision().view].stream].schema
}

/// Both decide on the same events. A changed stream may have other fields beside these.
fn check_streams(own: &Schema, other: &Schema) -> Result<(), Failure> {
    if own.stream != other.stream {
        let (own, other) = (&own.stream, &other.stream);
        return Err(Failure::usage(format!(
            "the two decisions are on events of different streams, `{own}` and `{other}`; name \
             decisions on views of one stream"
        )));
    }
    let what = |schema: &Schema| {
        let field = |at: usize| schema.fields.get(at).cloned();
        (field(schema.id), field(schema.time), schema.lateness)
    };
    if what(own) != what(other) {
        return Err(Failure::usage(format!(
            "--rules: stream `{}` has another id, time or `late` than the project's; the two \
             decisions are asked about the same events, so leave these as they are",
            own.stream
        )));
    }
    Ok(())
}

/// A file that takes the place of nothing would be answered by "nothing is decided otherwise".
fn check_rules(rules: &std::path::Path, project: &Project, decision: &str) -> Result<(), Failure> {
    let (plan, by) = (&project.plan, SourceFile::new(shown(rules), project::text(rules)?));
    let streams = plan.streams.iter().map(|stream| &*stream.schema.stream);
    let groups = plan.groups.iter().map(|group| &*group.name);
    let views = plan.views.iter().map(|view| &*view.name);
    let models = plan.models.iter().map(|model| &*model.name);
    let decisions = plan.decisions.iter().map(|decision| &*decision.name);
    let mut names = streams.chain(groups).chain(views).chain(models).chain(decisions);
    if names.any(|name| declares(&by, name)) {
        return Ok(());
    }
    Err(Failure::user(format!(
        "{}: it declares nothing that the project has too, so that nothing would change; declare the \
         decision `{decision}` there, or what it uses",
        shown(rules)
    )))
}

/// The project as it would be with these declarations.
fn with_rules(project: &Project, rules: &std::path::Path) -> Result<Project, Failure> {
    let by = SourceFile::new(shown(rules), project::text(rules)?);
    let folder = project.folder.canonicalize().map_err(Failure::io(&project.folder))?;
    let mut paths = project::files(&[], &project.folder)?;
    // A file of rules may lie among the project's own.
    let is_rules = |path: &PathBuf| path.canonicalize().ok() == rules.canonicalize().ok();
    paths.retain(|path| !is_rules(path));
    let texts = paths.iter().map(|path| Ok(SourceFile::new(shown(path), project::text(path)?)));
    let sources = replace(&texts.collect::<Result<Vec<_>, Failure>>()?, by);
    let plan = project::plan(&sources)?;
    Ok(Project { folder, config: project.config.clone(), plan: Arc::new(plan) })
}

fn candidate(project: &Project, name: &str) -> Result<Candidate, Failure> {
    let plan = Arc::clone(&project.plan);
    let decision = plan.decision(name).ok_or_else(|| {
        let names = plan.decisions.iter().map(|d| &*d.name).collect::<Vec<_>>();
        Failure::usage(format!("no decision is named `{name}`; {}", did_you_mean(name, names)))
    })?;
    let models = models::load(&project.folder, &plan)?;
    Candidate::new(plan, decision, &models)
}

/// The field of this name, which must be a number.
fn amount_field(schema: &Schema, name: Option<&str>) -> Result<Option<usize>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let field = schema.fields.iter().position(|field| *field.name == *name).ok_or_else(|| {
        let names = schema.fields.iter().map(|f| &*f.name).collect::<Vec<_>>();
        let hint = did_you_mean(name, names);
        Failure::usage(format!("--amount: `{}` has no field `{name}`; {hint}", schema.stream))
    })?;
    if !is_amount(&schema.fields[field].ty) {
        return Err(Failure::usage(format!(
            "--amount: `{name}` is no number; name a field of type int, float or decimal"
        )));
    }
    Ok(Some(field))
}

impl Args {
    fn job(
        &self,
        project: &Project,
        candidate: &Candidate,
        fields: Vec<usize>,
    ) -> Result<Job, Failure> {
        let rows = self.period.rows()?;
        let view = candidate.decision().view;
        let label = self.label.as_ref().map(|name| find_label(&project.plan, name, view));
        let known = |label| Labelling { label, cutoff: EventTime::MAX, is_given: false };
        Ok(Job {
            plan: Arc::clone(&project.plan),
            view,
            rows,
            asof: AsOf::Event,
            subject: Subject::Events,
            counting: Counting::AsHappened,
            labelling: label.transpose()?.map(known),
            fields,
            states: States::LeftOut,
            memory: self.memory.bytes(),
            settings: project.config.engine(),
        })
    }
}
