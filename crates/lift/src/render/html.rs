use std::fmt::Write;

use super::plot::{self, escape};
use super::style::CSS;
use super::{Grid, grids};
use crate::report::Report;

/// A page that loads nothing: its policy forbids it.
pub fn to_html(report: &Report) -> String {
    let given = &report.notes.title;
    let title = if given.is_empty() { "What fresher features are worth" } else { given };
    let title = escape(title);
    let mut out = format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{CSS}</style></head><body><main>
<h1>{title}</h1>
"#
    );
    // Before the tables: nobody should see the gain without them.
    out.push_str(&honesty(report));
    for grid in grids(report) {
        out.push_str(&table(&grid));
    }
    out.push_str("<h2>Plots</h2>\n<div class=\"plots\">\n");
    figure(&mut out, &plot::precision_recall(report), "Precision over recall");
    figure(&mut out, &plot::recall_by_alerts(report), "Recall over the budget of alerts");
    if report.fresh.iter().any(|row| !row.kinds.is_empty()) {
        figure(&mut out, &plot::kinds(report), "Recall at the budget of alerts, by kind of fraud");
    }
    if !report.skew.is_empty() {
        figure(&mut out, &plot::skew(report), "Average precision, by the values served");
    }
    out.push_str("</div>\n");
    out.push_str(&setup(report));
    out.push_str("</main></body></html>\n");
    out
}

fn honesty(report: &Report) -> String {
    let mut out = String::from("<h2 id=\"beside\">What to know beside the numbers</h2>\n");
    out.push_str("<ul class=\"honesty\" aria-labelledby=\"beside\">\n");
    for sentence in &report.honesty {
        line(&mut out, format_args!("<li>{}</li>", escape(sentence)));
    }
    out.push_str("</ul>\n");
    out
}

fn table(grid: &Grid) -> String {
    let title = escape(&grid.title);
    // What scrolls must be reachable by the keyboard and have a name.
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\">\
         <table><caption>{title}</caption>\n<thead><tr>"
    );
    for name in &grid.head {
        _ = write!(out, "<th scope=\"col\">{}</th>", escape(name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &grid.body {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            _ = match at {
                0 => write!(out, "<th scope=\"row\">{cell}</th>"),
                _ => write!(out, "<td>{cell}</td>"),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn figure(out: &mut String, svg: &str, caption: &str) {
    let caption = escape(caption);
    line(out, format_args!("<figure>{svg}<figcaption>{caption}</figcaption></figure>"));
}

/// How each model was trained and on how much.
fn setup(report: &Report) -> String {
    let settings = &report.options.settings;
    let kept = match report.options.keep_every {
        1 => "all rows it was given are learnt from".to_owned(),
        every => format!(
            "of the rows not reported one in {every} is learnt from, with {every} times its weight"
        ),
    };
    let mut out = format!(
        "<h2>Set-up</h2>\n<p>{} trees of {} leaves, learning rate {}, at least {} rows a leaf; a tree \
         may use {} of the columns and {} of the rows; L2 {}; {kept}.</p>\n",
        settings.trees,
        settings.leaves_max,
        settings.learning_rate,
        settings.leaf_rows_min,
        super::share(settings.column_share),
        super::share(settings.row_share),
        settings.penalty,
    );
    let body = report.trials.iter().map(|trial| {
        let counts = &trial.counts;
        vec![
            trial.world.clone(),
            trial.seed.to_string(),
            counts.train_rows.to_string(),
            counts.train_reported.to_string(),
            super::share((counts.label_coverage * 1e3).round() / 1e3),
            counts.test_rows.to_string(),
            counts.test_fraud.to_string(),
        ]
    });
    let head = [
        "world",
        "seed",
        "rows learnt from",
        "of them reported",
        "of the fraud",
        "test rows",
        "of them fraud",
    ];
    out.push_str(&table(&Grid {
        title: "Runs".to_owned(),
        head: head.map(str::to_owned).to_vec(),
        body: body.collect(),
    }));
    out
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    _ = writeln!(out, "{line}");
}
