//! Diagnostics as text for a terminal or a log.

use std::fmt::Write;

use crate::source::{Lines, SourceFile, SourceSpan};

use super::{Diagnostic, Severity};

/// Diagnostics that a text shows; of more, only how many there are.
const RENDERED_MAX: usize = 50;

/// Diagnostics as text, each with its place, its line and what to do, and a count at the end. Of
/// more than 50 the first are shown: one mistake can be at fault for all.
pub fn render(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> String {
    let lines: Vec<Lines> = sources.iter().map(|s| Lines::new(&s.text)).collect();
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(RENDERED_MAX) {
        render_one(&mut out, diagnostic, sources, &lines);
        out.push('\n');
    }
    let more = diagnostics.len().saturating_sub(RENDERED_MAX);
    if more > 0 {
        push(&mut out, format_args!("and {more} more, to be seen once these are mended\n\n"));
    }
    out.push_str(&summary(diagnostics));
    out
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity: Severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let words = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    let parts: Vec<String> = [Severity::Error, Severity::Warning]
        .iter()
        .filter_map(|s| words(count(*s), s.name()))
        .collect();
    if parts.is_empty() { String::new() } else { parts.join(", ") + "\n" }
}

fn render_one(out: &mut String, d: &Diagnostic, sources: &[SourceFile], lines: &[Lines]) {
    let mut marks: Vec<(SourceSpan, &str, char)> = vec![(d.span, "", '^')];
    marks.extend(d.labels.iter().map(|l| (l.span, l.text.as_str(), '-')));
    let number = |span: SourceSpan| {
        lines.get(span.file as usize).map_or(0, |l| l.line(span.start as usize) + 1)
    };
    let gutter = marks.iter().map(|m| number(m.0).to_string().len()).max().unwrap_or(1);
    push(out, format_args!("{}[{}]: {}\n", d.severity.name(), d.code, d.message));
    let mut file = None;
    for (span, text, sign) in marks {
        let (Some(source), Some(index)) =
            (sources.get(span.file as usize), lines.get(span.file as usize))
        else {
            continue;
        };
        let (line, column) = index.position(&source.text, span.start as usize);
        if file != Some(span.file) || sign == '^' {
            let arrow = if sign == '^' { "-->" } else { ":::" };
            push(out, format_args!("{:gutter$}{arrow} {}:{line}:{column}\n", "", source.name));
        }
        file = Some(span.file);
        let (shown, marked) = excerpt(source, index, span, sign);
        push(out, format_args!("{:gutter$} |\n", ""));
        push(out, format_args!("{line:gutter$} | {shown}\n"));
        push(out, format_args!("{:gutter$} | {marked}{}{text}\n", "", gap(text)));
    }
    if let Some(hint) = &d.hint {
        push(out, format_args!("{:gutter$} = help: {hint}\n", ""));
    }
}

fn gap(text: &str) -> &'static str {
    if text.is_empty() { "" } else { " " }
}

/// A line longer than this is shown in part.
const SHOWN_MAX: usize = 160;

/// Bytes shown before the span, and behind its beginning, of a line that is shown in part.
const SHOWN_AROUND: usize = 60;

/// The first line of the span, and under it blanks up to the span and signs below it.
fn excerpt(source: &SourceFile, lines: &Lines, span: SourceSpan, sign: char) -> (String, String) {
    let line = lines.line(span.start as usize);
    let start = lines.start(line).unwrap_or(0);
    let text = lines.text(&source.text, line);
    let from = (span.start as usize).saturating_sub(start).min(text.len());
    let to = (span.end as usize).saturating_sub(start).clamp(from, text.len());
    let (first, last) = match text.len() > SHOWN_MAX {
        true => (from.saturating_sub(SHOWN_AROUND), from + SHOWN_AROUND),
        false => (0, text.len()),
    };
    let first = text.floor_char_boundary(first);
    let last = text.ceil_char_boundary(last.min(text.len()));
    let dots = |cut: bool| if cut { "…" } else { "" };
    let (before, behind) = (dots(first > 0), dots(last < text.len()));
    let piece = |from: usize, to: usize| plain(text.get(from..to).unwrap_or(""));
    let shown = format!("{before}{}{behind}", piece(first, last));
    let width = |from: usize, to: usize| piece(from, to).chars().count();
    let blanks = before.chars().count() + width(first, from);
    let signs = width(from, to.min(last)).max(1);
    let marked = " ".repeat(blanks) + &sign.to_string().repeat(signs);
    (shown, marked)
}

/// Tabs become one blank each and other control characters a mark, so that columns line up and
/// a text cannot steer a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string cannot fail");
}
