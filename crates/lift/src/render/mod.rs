//! The report for a terminal, and as a page that needs nothing else. As JSON it is what serde makes
//! of [`Report`](crate::report::Report).

mod html;
mod plot;
mod style;
mod text;

pub use html::to_html;
pub use text::to_text;

use crate::metrics::Metrics;
use crate::report::{Gain, Report, Spread, Summary};

/// A table as both renderings show it: they say the same.
struct Grid {
    title: String,
    head: Vec<String>,
    /// The first cell of a row is its name.
    body: Vec<Vec<String>>,
}

/// The metrics that a table has room for; the JSON has all.
fn shown<T>(metrics: &Metrics<T>) -> [&T; 8] {
    [
        &metrics.auc,
        &metrics.average_precision,
        &metrics.recall_at_alerts,
        &metrics.recall_at_fpr,
        &metrics.precision_at_fpr,
        &metrics.card_precision,
        &metrics.card_precision_max,
        &metrics.money_saved_at_fpr,
    ]
}

/// Its place among those shown.
const CARD_PRECISION_MAX: usize = 6;

/// In the order of `shown`, with what each was measured at.
fn shown_names(report: &Report) -> [String; 8] {
    let bounds = &report.options.bounds;
    let (alerts, fpr) = (share(bounds.alert_share), share(bounds.false_positive_rate));
    let cards = bounds.cards_per_day;
    [
        "AUC".to_owned(),
        "average precision".to_owned(),
        format!("recall at {alerts} alerts"),
        format!("recall at {fpr} FPR"),
        format!("precision at {fpr} FPR"),
        format!("card precision@{cards}"),
        "most it can be".to_owned(),
        format!("money saved at {fpr} FPR"),
    ]
}

fn grids(report: &Report) -> Vec<Grid> {
    let mut grids = vec![fresh(report)];
    if !report.gains.is_empty() {
        let title = format!("Points gained over features as of {}", report.notes.baseline);
        grids.push(gains(report, title, &report.gains));
    }
    if report.fresh.iter().any(|row| !row.kinds.is_empty()) {
        grids.push(kinds(report));
    }
    if !report.skew.is_empty() {
        grids.push(skew(report));
    }
    if let Some(control) = &report.notes.control {
        let title = format!("Control: points gained on {}", control.name);
        grids.push(gains(report, title, std::slice::from_ref(&control.gain)));
    }
    grids.iter_mut().for_each(drop_empty_columns);
    grids
}

/// What could not be measured, because the rows lack what it needs, is left out.
fn drop_empty_columns(grid: &mut Grid) {
    for column in (1..grid.head.len()).rev() {
        let cells = || grid.body.iter().filter_map(|row| row.get(column));
        if cells().next().is_some() && cells().all(String::is_empty) {
            std::iter::once(&mut grid.head).chain(&mut grid.body).for_each(|row| {
                row.remove(column);
            });
        }
    }
}

fn head(first: &str, report: &Report) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(shown_names(report)).collect()
}

fn row<T>(name: String, metrics: &Metrics<T>, cell: impl Fn(&T) -> String) -> Vec<String> {
    std::iter::once(name).chain(shown(metrics).into_iter().map(cell)).collect()
}

fn fresh(report: &Report) -> Grid {
    let line = |of: &Summary| row(of.served.clone(), &of.metrics, level);
    Grid {
        title: "One model per freshness (%)".to_owned(),
        head: head("features as of", report),
        body: report.fresh.iter().map(line).collect(),
    }
}

fn gains(report: &Report, title: String, gains: &[Gain]) -> Grid {
    let line = |gain: &Gain| row(format!("{} to {}", gain.from, gain.to), &gain.metrics, change);
    let mut grid =
        Grid { title, head: head("points", report), body: gains.iter().map(line).collect() };
    // How much more could have been caught is not something gained.
    for row in std::iter::once(&mut grid.head).chain(&mut grid.body) {
        row.remove(1 + CARD_PRECISION_MAX);
    }
    grid
}

fn kinds(report: &Report) -> Grid {
    let names: Vec<(&str, f64)> = report
        .fresh
        .first()
        .map(|row| row.kinds.iter().map(|kind| (kind.kind.as_str(), kind.fraud)).collect())
        .unwrap_or_default();
    let line = |(name, fraud): &(&str, f64)| {
        let recall = |of: &Summary| {
            let kind = of.kinds.iter().find(|kind| kind.kind == *name);
            kind.map_or_else(String::new, |kind| level(&kind.recall))
        };
        let head = [(*name).to_owned(), format!("{fraud:.0}")];
        head.into_iter().chain(report.fresh.iter().map(recall)).collect()
    };
    let served = report.fresh.iter().map(|row| row.served.clone());
    Grid {
        title: format!(
            "Recall at {} alerts by kind of fraud (%)",
            share(report.options.bounds.alert_share)
        ),
        head: ["kind".to_owned(), "frauds".to_owned()].into_iter().chain(served).collect(),
        body: names.iter().map(line).collect(),
    }
}

/// Beside each skewed row, what a model trained on such values gives.
fn skew(report: &Report) -> Grid {
    let mut body = Vec::new();
    for skewed in &report.skew {
        let name = format!("trained on {}, served {}", skewed.trained, skewed.served);
        body.push(row(name, &skewed.metrics, level));
        if let Some(own) = report.fresh.iter().find(|own| own.served == skewed.served) {
            let name = format!("trained on {0}, served {0}", own.served);
            body.push(row(name, &own.metrics, level));
        }
    }
    let title = "Skew: one model, served with staler values (%)".to_owned();
    Grid { title, head: head("model", report), body }
}

/// A share as a percentage, with its deviation where there is one.
fn level(spread: &Spread) -> String {
    match spread.deviation {
        _ if spread.mean.is_nan() => String::new(),
        Some(deviation) => format!("{:.1}±{:.1}", spread.mean * 100.0, deviation * 100.0),
        None => format!("{:.1}", spread.mean * 100.0),
    }
}

/// A difference of shares in points, with its range where there is one.
fn change(spread: &Spread) -> String {
    let points = |share: f64| share * 100.0;
    match spread.deviation {
        _ if spread.mean.is_nan() => String::new(),
        Some(_) => format!(
            "{:+.1} [{:+.1}, {:+.1}]",
            points(spread.mean),
            points(spread.least),
            points(spread.most)
        ),
        None => format!("{:+.1}", points(spread.mean)),
    }
}

/// A bound as a percentage, with no more digits than it has.
fn share(share: f64) -> String {
    let percent = (share * 1e8).round() / 1e6;
    format!("{percent} %")
}
