use std::fmt::Write;

use super::{Grid, grids};
use crate::report::Report;

/// Columns of the widest table; what does not fit goes below, under the same row names.
const WIDTH_MAX: usize = 100;

/// Tables, and below them what must be said beside them.
pub fn to_text(report: &Report) -> String {
    let mut out = String::new();
    if !report.notes.title.is_empty() {
        line(&mut out, format_args!("{}\n", report.notes.title));
    }
    for grid in grids(report) {
        line(&mut out, format_args!("{}", grid.title));
        for part in parts(&grid) {
            table(&mut out, &grid, &part);
        }
    }
    for sentence in &report.honesty {
        wrapped(&mut out, sentence);
    }
    out
}

/// The columns that fit beside the names of the rows, part by part.
fn parts(grid: &Grid) -> Vec<Vec<usize>> {
    let mut parts = vec![Vec::new()];
    let mut used = width(grid, 0);
    for column in 1..grid.head.len() {
        let wide = width(grid, column) + 2;
        if used + wide > WIDTH_MAX && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(Vec::new());
            used = width(grid, 0);
        }
        used += wide;
        parts.last_mut().into_iter().for_each(|part| part.push(column));
    }
    parts
}

fn table(out: &mut String, grid: &Grid, columns: &[usize]) {
    let lines = |column: &usize| head_lines(grid, *column).len();
    let tall = columns.iter().map(lines).max().unwrap_or(0);
    for from_top in 0..tall {
        let below = tall - from_top;
        row(out, grid, columns, |column| {
            let mut lines = head_lines(grid, column);
            let at = lines.len().checked_sub(below);
            at.map(|at| lines.swap_remove(at)).unwrap_or_default()
        });
    }
    for cells in &grid.body {
        row(out, grid, columns, |column| cells.get(column).cloned().unwrap_or_default());
    }
    out.push('\n');
}

fn row(out: &mut String, grid: &Grid, columns: &[usize], cell: impl Fn(usize) -> String) {
    let mut text = format!("  {:<1$}", cell(0), width(grid, 0));
    for column in columns {
        _ = write!(text, "  {:>1$}", cell(*column), width(grid, *column));
    }
    line(out, format_args!("{}", text.trim_end()));
}

/// As wide as its cells, and as the longest word of its head.
fn width(grid: &Grid, column: usize) -> usize {
    let cells = grid.body.iter().filter_map(|row| row.get(column)).map(String::as_str);
    let head = grid.head.get(column).map_or("", String::as_str);
    cells.chain(head.split(' ')).map(|cell| cell.chars().count()).max().unwrap_or(0)
}

/// The head of a column in lines that are no wider than it.
fn head_lines(grid: &Grid, column: usize) -> Vec<String> {
    let wide = width(grid, column);
    let mut lines = vec![String::new()];
    for word in grid.head.get(column).map_or("", String::as_str).split(' ') {
        let Some(last) = lines.last_mut() else { break };
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= wide {
            last.extend([" ", word]);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn wrapped(out: &mut String, sentence: &str) {
    let mut text = String::from("-");
    for word in sentence.split_whitespace() {
        if text.chars().count() + 1 + word.chars().count() > WIDTH_MAX {
            line(out, format_args!("{text}"));
            text = String::from(" ");
        }
        text.push(' ');
        text.push_str(word);
    }
    line(out, format_args!("{text}"));
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    _ = writeln!(out, "{line}");
}
