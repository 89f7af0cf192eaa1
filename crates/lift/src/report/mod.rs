//! Every cell of an experiment, over its seeds and worlds, and what must be said beside them.

mod honesty;
mod spread;

use serde::Serialize;

pub use self::spread::Spread;
use crate::error::Error;
use crate::experiment::{AlertPoint, Cell, Options, Trial};
use crate::metrics::{CurvePoint, Metrics};

/// What only the caller knows of the data.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Notes {
    pub title: String,
    /// Where the payments are from, above all if they are simulated.
    pub source: String,
    /// What the metrics are held against.
    pub truth: String,
    /// The kind of fraud that freshness cannot help against.
    pub slow_kind: Option<String>,
    /// The freshness that gains are counted from: that of the system that would be replaced.
    pub baseline: String,
    /// The same experiment on data where little is expected.
    pub control: Option<Control>,
    pub more: Vec<String>,
}

/// What another report gained from its baseline to its freshest features.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Control {
    pub name: String,
    pub gain: Gain,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub notes: Notes,
    pub options: Options,
    /// From the stalest freshness to the freshest.
    pub fresh: Vec<Summary>,
    /// The model of the freshest, served with staler values.
    pub skew: Vec<Summary>,
    /// From the baseline to each fresher one.
    pub gains: Vec<Gain>,
    /// What the model of the freshest gives with stale values, less what a model trained on such
    /// values gives.
    pub skew_gains: Vec<Gain>,
    /// What must be said wherever a gain is printed.
    pub honesty: Vec<String>,
    pub trials: Vec<Trial>,
}

/// A cell over all trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub trained: String,
    pub served: String,
    pub metrics: Metrics<Spread>,
    pub kinds: Vec<KindSummary>,
    /// Means.
    pub recall_by_alerts: Vec<AlertPoint>,
    /// Means.
    pub curve: Vec<CurvePoint>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindSummary {
    pub kind: String,
    /// How many there are, the mean of the trials.
    pub fraud: f64,
    pub recall: Spread,
}

/// Differences within each trial, over all trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    pub from: String,
    pub to: String,
    pub metrics: Metrics<Spread>,
}

impl Report {
    /// All trials must have the same freshnesses, and one of them must be the baseline.
    pub fn new(trials: Vec<Trial>, options: Options, notes: Notes) -> Result<Self, Error> {
        let Some(first) = trials.first() else {
            return Err(Error::Empty { what: "trial to report" });
        };
        let names = |trial: &Trial| -> Vec<String> {
            trial.fresh.iter().chain(&trial.skew).map(|cell| cell.served.clone()).collect()
        };
        let wanted = names(first);
        if let Some(other) = trials.iter().find(|trial| names(trial) != wanted) {
            let what = format!("the freshnesses of {}", other.world);
            return Err(Error::Setting {
                setting: "trials",
                given: what,
                rule: "all of the same freshnesses",
            });
        }
        let Some(base) = first.fresh.iter().position(|cell| cell.served == notes.baseline) else {
            let rule = "one of the freshnesses";
            return Err(Error::Setting { setting: "baseline", given: notes.baseline, rule });
        };
        let fresh = (0..first.fresh.len()).map(|at| summary(&pick(&trials, |t| &t.fresh[at])));
        let skew = (0..first.skew.len()).map(|at| summary(&pick(&trials, |t| &t.skew[at])));
        let gains = (base + 1..first.fresh.len())
            .map(|at| gain(&trials, |trial| (&trial.fresh[base], &trial.fresh[at])));
        let skew_gains = (0..first.skew.len()).filter_map(|at| {
            let served = &first.skew[at].served;
            let own = first.fresh.iter().position(|cell| cell.served == *served)?;
            Some(gain(&trials, |trial| (&trial.fresh[own], &trial.skew[at])))
        });
        let (fresh, skew) = (fresh.collect(), skew.collect());
        let (gains, skew_gains) = (gains.collect(), skew_gains.collect());
        let honesty = Vec::new();
        let mut report = Self { notes, options, fresh, skew, gains, skew_gains, honesty, trials };
        report.honesty = honesty::sentences(&report);
        Ok(report)
    }

    /// What this report shows, as the control of another one; none if nothing is fresher than its
    /// baseline.
    pub fn as_control(&self, name: impl Into<String>) -> Option<Control> {
        let gain = self.gains.last()?.clone();
        Some(Control { name: name.into(), gain })
    }
}

fn pick(trials: &[Trial], cell: impl Fn(&Trial) -> &Cell) -> Vec<&Cell> {
    trials.iter().map(cell).collect()
}

fn summary(cells: &[&Cell]) -> Summary {
    let metrics: Vec<_> = cells.iter().map(|cell| &cell.metrics).collect();
    let metrics = Metrics::zip_with(&metrics, |values| {
        Spread::of(&values.into_iter().copied().collect::<Vec<_>>())
    });
    let mean = |of: &dyn Fn(&Cell) -> Option<f64>| {
        Spread::of(&cells.iter().filter_map(|cell| of(cell)).collect::<Vec<_>>()).mean
    };
    let first = cells.first();
    let alerts = first.map_or(0, |cell| cell.recall_by_alerts.len());
    let points = first.map_or(0, |cell| cell.curve.len());
    Summary {
        trained: first.map(|cell| cell.trained.clone()).unwrap_or_default(),
        served: first.map(|cell| cell.served.clone()).unwrap_or_default(),
        metrics,
        kinds: kinds(cells),
        recall_by_alerts: (0..alerts)
            .map(|at| AlertPoint {
                share: mean(&|cell| Some(cell.recall_by_alerts.get(at)?.share)),
                recall: mean(&|cell| Some(cell.recall_by_alerts.get(at)?.recall)),
            })
            .collect(),
        curve: (0..points)
            .map(|at| CurvePoint {
                recall: mean(&|cell| Some(cell.curve.get(at)?.recall)),
                precision: mean(&|cell| Some(cell.curve.get(at)?.precision)),
            })
            .collect(),
    }
}

/// In the order in which they first appear; a trial may lack a kind.
fn kinds(cells: &[&Cell]) -> Vec<KindSummary> {
    let mut names: Vec<&str> = Vec::new();
    for kind in cells.iter().flat_map(|cell| &cell.kinds) {
        if !names.contains(&kind.kind.as_str()) {
            names.push(&kind.kind);
        }
    }
    let summary = |name: &str| {
        let found: Vec<_> = cells
            .iter()
            .filter_map(|cell| cell.kinds.iter().find(|kind| kind.kind == name))
            .collect();
        KindSummary {
            kind: name.to_owned(),
            fraud: Spread::of(&found.iter().map(|kind| kind.fraud as f64).collect::<Vec<_>>()).mean,
            recall: Spread::of(&found.iter().map(|kind| kind.recall).collect::<Vec<_>>()),
        }
    };
    names.into_iter().map(summary).collect()
}

fn gain<'a>(trials: &'a [Trial], pair: impl Fn(&'a Trial) -> (&'a Cell, &'a Cell)) -> Gain {
    let pairs: Vec<(&Cell, &Cell)> = trials.iter().map(pair).collect();
    let differences: Vec<Metrics<f64>> = pairs
        .iter()
        .map(|(from, to)| {
            Metrics::zip_with(&[&from.metrics, &to.metrics], |two| match two.as_slice() {
                [from, to] => **to - **from,
                _ => f64::NAN,
            })
        })
        .collect();
    let all: Vec<_> = differences.iter().collect();
    let metrics = Metrics::zip_with(&all, |values| {
        Spread::of(&values.into_iter().copied().collect::<Vec<_>>())
    });
    let label = |cell: &Cell| {
        if cell.trained == cell.served {
            cell.served.clone()
        } else {
            format!("{} served to the model of {}", cell.served, cell.trained)
        }
    };
    let (from, to) = pairs.first().map(|(a, b)| (label(a), label(b))).unwrap_or_default();
    Gain { from, to, metrics }
}
