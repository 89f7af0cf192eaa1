//! Plots as SVG that takes its colours from the page.

use std::fmt::Write;

use super::style::DASHES;
use crate::report::Report;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
const LEGEND_LINE: f64 = 18.0;

/// What a plot of lines shows; a point is within 0 and 1 on both axes.
pub struct Lines {
    pub title: &'static str,
    pub across: &'static str,
    pub up: &'static str,
    /// Where an upright line of the grid stands, and what is written there.
    pub marks: Vec<(f64, String)>,
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// Precision over recall, one line a freshness.
pub fn precision_recall(report: &Report) -> String {
    let marks = (0..=5).map(|at| f64::from(at) / 5.0).map(|at| (at, percent(at))).collect();
    let lines = report.fresh.iter().map(|row| {
        let points = row.curve.iter().map(|point| (point.recall, point.precision));
        (row.served.clone(), points.collect())
    });
    lines_svg(&Lines {
        title: "Precision over recall",
        across: "recall",
        up: "precision",
        marks,
        lines: lines.collect(),
    })
}

/// Recall over the share of payments that are alerted, which grows tenfold in equal steps.
pub fn recall_by_alerts(report: &Report) -> String {
    let shares = report.fresh.first().map(|row| row.recall_by_alerts.as_slice());
    let shares: Vec<f64> = shares.unwrap_or_default().iter().map(|point| point.share).collect();
    let (least, most) = (shares.first().copied(), shares.last().copied());
    let (least, most) = (least.unwrap_or(0.001), most.unwrap_or(0.1));
    let place = |share: f64| libm::log10(share / least) / libm::log10(most / least);
    let lines = report.fresh.iter().map(|row| {
        let points = row.recall_by_alerts.iter().map(|point| (place(point.share), point.recall));
        (row.served.clone(), points.collect())
    });
    lines_svg(&Lines {
        title: "Recall over the budget of alerts",
        across: "share of payments alerted",
        up: "recall",
        marks: shares.iter().map(|share| (place(*share), super::share(*share))).collect(),
        lines: lines.collect(),
    })
}

/// The recall of each kind of fraud, one bar a freshness.
pub fn kinds(report: &Report) -> String {
    let kinds = report.fresh.first().map(|row| row.kinds.as_slice()).unwrap_or_default();
    let groups = kinds.iter().map(|kind| {
        let bars = report.fresh.iter().enumerate().map(|(at, row)| {
            let same = row.kinds.iter().find(|other| other.kind == kind.kind);
            (at, same.map_or(0.0, |kind| kind.recall.mean))
        });
        (kind.kind.clone(), bars.collect())
    });
    let names: Vec<&str> = report.fresh.iter().map(|row| row.served.as_str()).collect();
    bars_svg(
        "Recall at the budget of alerts, by kind of fraud",
        &groups.collect::<Vec<_>>(),
        &names,
    )
}

/// The average precision of the freshest model with staler values, beside that of their own model.
pub fn skew(report: &Report) -> String {
    let groups = report.skew.iter().map(|skewed| {
        let own = report.fresh.iter().find(|row| row.served == skewed.served);
        let own = own.map_or(0.0, |row| row.metrics.average_precision.mean);
        (skewed.served.clone(), vec![(1, own), (2, skewed.metrics.average_precision.mean)])
    });
    let names = ["", "trained on what it is served", "trained on the freshest values"];
    bars_svg("Average precision, by the values served", &groups.collect::<Vec<_>>(), &names)
}

fn lines_svg(plot: &Lines) -> String {
    let mut body = axis(plot.up);
    for (at, mark) in &plot.marks {
        let x = across(*at);
        _ = write!(body, r#"<path class="grid" d="M{x:.1} {TOP}V{:.1}"/>"#, up(0.0));
        text(&mut body, x, up(0.0) + 16.0, "middle", mark);
    }
    text(&mut body, (LEFT + WIDTH - RIGHT) / 2.0, up(0.0) + 34.0, "middle", plot.across);
    let last = plot.lines.len().saturating_sub(1);
    for (at, (name, points)) in plot.lines.iter().enumerate() {
        let points: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
        let pen = pen(at, last);
        _ = write!(body, r#"<polyline fill="none" {pen} points="{}"/>"#, points.join(" "));
        let y = HEIGHT + LEGEND_LINE * at as f64;
        _ = write!(body, r#"<path fill="none" {pen} d="M{LEFT} {y:.1}h36"/>"#);
        text(&mut body, LEFT + 44.0, y + 4.0, "start", name);
    }
    svg(plot.title, HEIGHT + LEGEND_LINE * plot.lines.len() as f64, &body)
}

/// A group is a name and its bars: the number of its colour and of its name, and its height.
fn bars_svg(title: &str, groups: &[(String, Vec<(usize, f64)>)], names: &[&str]) -> String {
    let mut body = axis("");
    let wide = (WIDTH - LEFT - RIGHT) / groups.len().max(1) as f64;
    for (at, (name, bars)) in groups.iter().enumerate() {
        let start = LEFT + wide * at as f64 + wide * 0.1;
        let bar = wide * 0.8 / bars.len().max(1) as f64;
        for (place, (colour, share)) in bars.iter().enumerate() {
            let (x, y) = (start + bar * place as f64, up(*share));
            _ = write!(
                body,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="var(--c{colour})"><title>{}, {}: {}</title></rect>"#,
                (bar - 1.0).max(1.0),
                up(0.0) - y,
                escape(name),
                escape(names.get(*colour).unwrap_or(&"")),
                percent(*share)
            );
        }
        // The names of neighbours would touch: what is behind the first words goes below.
        let (above, below) = name.rsplit_once(' ').unwrap_or((name, ""));
        text(&mut body, start + wide * 0.4, up(0.0) + 16.0, "middle", above);
        text(&mut body, start + wide * 0.4, up(0.0) + 30.0, "middle", below);
    }
    let used =
        |colour: usize| groups.iter().any(|(_, bars)| bars.iter().any(|bar| bar.0 == colour));
    let legend = names.iter().enumerate().filter(|(colour, _)| used(*colour));
    let mut y = HEIGHT + 4.0;
    for (colour, name) in legend {
        _ = write!(
            body,
            r#"<rect x="{LEFT}" y="{:.1}" width="14" height="12" fill="var(--c{colour})"/>"#,
            y - 6.0
        );
        text(&mut body, LEFT + 22.0, y + 4.0, "start", name);
        y += LEGEND_LINE;
    }
    svg(title, y, &body)
}

/// The upright axis: from nothing to all.
fn axis(name: &str) -> String {
    let mut body = String::new();
    for at in (0..=5).map(|at| f64::from(at) / 5.0) {
        let y = up(at);
        _ = write!(body, r#"<path class="grid" d="M{LEFT} {y:.1}H{:.1}"/>"#, WIDTH - RIGHT);
        text(&mut body, LEFT - 6.0, y + 4.0, "end", &percent(at));
    }
    if !name.is_empty() {
        let middle = (TOP + up(0.0)) / 2.0;
        _ = write!(
            body,
            r#"<text transform="translate(11 {middle:.1}) rotate(-90)" text-anchor="middle">{}</text>"#,
            escape(name)
        );
    }
    body
}

fn svg(title: &str, height: f64, body: &str) -> String {
    let title = escape(title);
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height:.0}" role="img" aria-label="{title}; the numbers are in the tables"><title>{title}</title>{body}</svg>"#
    )
}

fn pen(at: usize, last: usize) -> String {
    let dash = DASHES.get(at).filter(|_| at != last);
    let dash = dash.map(|dash| format!(r#" stroke-dasharray="{dash}""#)).unwrap_or_default();
    format!(r#"stroke="var(--c{})" stroke-width="2"{dash}"#, at % DASHES.len())
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escape(text);
    _ = write!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
}

fn across(at: f64) -> f64 {
    LEFT + at * (WIDTH - LEFT - RIGHT)
}

fn up(share: f64) -> f64 {
    HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// For text and for values of attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}
