//! The worlds of the examples: what freshness is worth where the truth is known.

use std::path::Path;
use std::sync::Arc;

use millrace_event::{EventTime, Span};
use millrace_feature::SourceFile;
use millrace_lift::experiment::Trial;
use millrace_lift::report::{Control, Notes, Report};

use super::Args;
use super::freshness::{Freshness, baseline};
use super::made::{Handbook, Payments};
use super::selection::Wanted;
use super::source::Source;
use super::study::Study;
use super::trial::{self, trials};
use super::truth::Truth;
use super::windows::Windows;
use crate::console::{note, spinner};
use crate::exit::Failure;
use crate::project;
use crate::stop::Stop;

/// Which example's worlds are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Example {
    /// Payments whose fraud is over within minutes to hours
    Payments,
    /// The Fraud Detection Handbook's payments, whose fraud lasts for weeks: the control
    Handbook,
}

/// Which worlds.
#[derive(clap::Args, Clone, Debug)]
pub struct Worlds {
    /// Run on worlds that are made up, with the truth known, instead of files
    #[arg(long, value_enum, conflicts_with_all = ["view", "label", "events", "truth", "kinds", "card", "amount"])]
    pub example: Option<Example>,
    /// Days of payments in a world of --example payments
    #[arg(long, default_value_t = 63, value_parser = clap::value_parser!(u32).range(14..=365))]
    pub days: u32,
    /// How many worlds are made up, one after the other
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub worlds: u32,
    /// The seed of the first world of --example payments; the others follow
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Leave the control out of the report of --example payments
    #[arg(long)]
    pub no_control: bool,
}

/// The handbook's long split, in days: what is learnt from, and what is tested on.
const HANDBOOK_TRAIN: (u32, u32) = (60, 122);
const HANDBOOK_TEST: (u32, u32) = (129, 150);

pub fn report(
    args: &Args,
    example: Example,
    plan: &trial::Plan,
    stop: &Stop,
) -> Result<Report, Failure> {
    if example == Example::Handbook && args.windows.is_any() {
        return Err(Failure::usage(
            "the handbook's days to learn from and to test on are fixed; leave out --train-from, \
             --train-to, --test-from and --test-to",
        ));
    }
    let worlds = u64::from(args.worlds.worlds);
    let mut all = Vec::new();
    for world in 0..worlds {
        all.extend(match example {
            Example::Payments => payments(args, args.worlds.seed + world, plan, stop)?,
            Example::Handbook => handbook(args, world as u32, plan, stop)?,
        });
    }
    let baseline = baseline(&plan.freshness).map(|b| b.name.clone()).unwrap_or_default();
    let (title, source, slow_kind) = match example {
        Example::Payments => (payments_title(args), PAYMENTS_SOURCE, Some("slow".to_owned())),
        Example::Handbook => (handbook_title(args), HANDBOOK_SOURCE, None),
    };
    let control = match example {
        Example::Payments if !args.worlds.no_control => control(args, plan, &baseline, stop)?,
        Example::Payments | Example::Handbook => None,
    };
    let mut more: Vec<String> = args.sampling_note().into_iter().collect();
    more.extend(GENEROUS.map(str::to_owned));
    let notes = Notes {
        title,
        source: source.to_owned(),
        truth: "what the simulator knows".to_owned(),
        slow_kind,
        baseline,
        control,
        more,
    };
    Ok(Report::new(all, plan.options.clone(), notes)?)
}

const PAYMENTS_SOURCE: &str = "Simulated payments: the rules are those of examples/payments, four \
    fifths of whose fraud is over within minutes to hours. They show a mechanism and its size under \
    these rules, and not what a merchant will get; `millrace lift VIEW --label NAME` computes that.";
const HANDBOOK_SOURCE: &str = "The Fraud Detection Handbook's simulated payments (see \
    examples/handbook), whose fraud lasts for two to four weeks and is reported after one. Other \
    worlds than the first are made by the same rules.";
const GENEROUS: [&str; 2] = [
    "The stale models keep their windows of a day and more, and a nightly batch is taken to be done \
     at midnight at once: real ones land hours later.",
    "Tested on a world of the same rules as learnt from, after the time that labels take to mature; \
     no card or payment is left out of the test.",
];

fn payments_title(args: &Args) -> String {
    let Worlds { days, worlds, seed, .. } = args.worlds;
    let seeds = match worlds {
        1 => format!("seed {seed}"),
        many => format!("seeds {seed} to {}", seed + u64::from(many) - 1),
    };
    format!("What fresher features are worth: simulated payments, {days} days, {seeds}")
}

fn handbook_title(args: &Args) -> String {
    let worlds = match args.worlds.worlds {
        1 => "the published data set".to_owned(),
        many => format!("the published data set and {} by the same rules", many - 1),
    };
    format!("What fresher features are worth: the Handbook's payments, {worlds}")
}

/// What is the same for both examples.
struct Set<'a> {
    name: String,
    plan: Arc<millrace_feature::plan::Plan>,
    view: &'static str,
    card: &'static str,
    source: &'a dyn Source,
    truth: Truth<'a>,
    windows: Windows,
}

impl Set<'_> {
    fn trials(&self, args: &Args, plan: &trial::Plan, stop: &Stop) -> Result<Vec<Trial>, Failure> {
        let missing = || Failure::bug(format!("{}: the project lacks something", self.name));
        let view = self.plan.view(self.view).ok_or_else(missing)?;
        let schema = &self.plan.streams[self.plan.views[view].stream].schema;
        let study = Study {
            name: self.name.clone(),
            plan: Arc::clone(&self.plan),
            view,
            label: self.plan.label("fraud").ok_or_else(missing)?,
            source: self.source,
            settings: millrace_stream::Settings::default(),
            threads: args.reading.threads()?,
            memory: args.memory()?,
            scratch: args.scratch_folder(Path::new("")),
            stop,
        };
        let wanted = Wanted {
            windows: &self.windows,
            // Whether a payment is among those that can be labelled is known by then; whether it
            // is fraud, the simulator says.
            known: EventTime::MAX,
            truth: Some(&self.truth),
            kinds: Some(&self.truth),
            card: Some(schema.field(self.card).ok_or_else(missing)?),
            amount: Some(schema.field("amount").ok_or_else(missing)?),
            keep_every: args.training.keep_every,
        };
        trials(&study, &wanted, plan)
    }
}

pub fn compiled(texts: &[(&str, &str)]) -> Result<Arc<millrace_feature::plan::Plan>, Failure> {
    let sources: Vec<SourceFile> =
        texts.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
    Ok(Arc::new(project::plan(&sources)?))
}

fn payments(
    args: &Args,
    seed: u64,
    plan: &trial::Plan,
    stop: &Stop,
) -> Result<Vec<Trial>, Failure> {
    let name = format!("payments {seed}");
    let days = args.worlds.days;
    let settings = millrace_payments::Settings { seed, days, ..Default::default() };
    let bar = spinner(&format!("{name}: making it up"));
    let history = millrace_payments::History::generate(&settings).map_err(Failure::usage)?;
    bar.finish_and_clear();
    let end = settings.end();
    let project = compiled(&millrace_payments::PROJECT)?;
    let matures = Span::days(7);
    let windows = Windows::new(&(settings.start..end), matures, Span(0), &args.windows)?;
    let source = Payments { plan: Arc::clone(&project), history: &history, extra: &[], end };
    let (view, card, truth) = ("checkout", "card", source.truth());
    Set { name, plan: project, view, card, source: &source, truth, windows }
        .trials(args, plan, stop)
}

fn handbook(
    args: &Args,
    salt: u32,
    plan: &trial::Plan,
    stop: &Stop,
) -> Result<Vec<Trial>, Failure> {
    let name = format!("handbook {salt}");
    let settings = millrace_handbook::Settings { salt, ..Default::default() };
    let bar = spinner(&format!("{name}: making it up"));
    let history = millrace_handbook::History::generate(&settings).map_err(Failure::usage)?;
    bar.finish_and_clear();
    let midnights = |(from, to): (u32, u32)| history.midnight(from)..history.midnight(to);
    let windows = Windows { train: midnights(HANDBOOK_TRAIN), test: midnights(HANDBOOK_TEST) };
    let end = windows.test.end;
    let project = compiled(&millrace_handbook::PROJECT)?;
    let source = Handbook { plan: Arc::clone(&project), history, end };
    let (view, card, truth) = ("scoring", "customer", source.truth());
    Set { name, plan: project, view, card, source: &source, truth, windows }
        .trials(args, plan, stop)
}

/// The handbook's first world, from the baseline to the freshest alone.
fn control(
    args: &Args,
    plan: &trial::Plan,
    baseline: &str,
    stop: &Stop,
) -> Result<Option<Control>, Failure> {
    let of = |name: &str| plan.freshness.iter().find(|one| one.name == name).cloned();
    let ends: Vec<Freshness> =
        [of(baseline), plan.freshness.last().cloned()].into_iter().flatten().collect();
    if plan.freshness.last().is_none_or(|last| last.name == baseline) {
        note!("no control: nothing is fresher than the baseline");
        return Ok(None);
    }
    let plan = trial::Plan { freshness: ends, seeds: vec![1], options: plan.options.clone() };
    let trials = handbook(args, 0, &plan, stop)?;
    let notes = Notes { baseline: baseline.to_owned(), ..Notes::default() };
    let report = Report::new(trials, plan.options, notes)?;
    Ok(report.as_control("the Fraud Detection Handbook's simulated data"))
}
