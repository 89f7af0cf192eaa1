//! Diagnostics as text for a terminal or a log.

use std::fmt::Write;

use crate::source::{Lines, SourceFile, SourceSpan};

use super::{Diagnostic, Severity};

/// All diagnostics as text, each with its place, its line and what to do, and a count at the end.
pub fn render(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> String {
    let lines: Vec<Lines> = sources.iter().map(|s| Lines::new(&s.text)).collect();
    let mut out = String::new();
    for diagnostic in diagnostics {
        render_one(&mut out, diagnostic, sources, &lines);
        out.push('\n');
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
        let shown = index.text(&source.text, line - 1);
        push(out, format_args!("{:gutter$} |\n", ""));
        push(out, format_args!("{line:gutter$} | {}\n", plain(shown)));
        let carets = caret_line(source, index, span, sign);
        push(out, format_args!("{:gutter$} | {carets}{}{text}\n", "", gap(text)));
    }
    if let Some(hint) = &d.hint {
        push(out, format_args!("{:gutter$} = help: {hint}\n", ""));
    }
}

fn gap(text: &str) -> &'static str {
    if text.is_empty() { "" } else { " " }
}

/// Blanks up to the span and signs under it, up to the end of its first line.
fn caret_line(source: &SourceFile, lines: &Lines, span: SourceSpan, sign: char) -> String {
    let line = lines.line(span.start as usize);
    let start = lines.start(line).unwrap_or(0);
    let text = lines.text(&source.text, line);
    let from = (span.start as usize - start).min(text.len());
    let to = (span.end as usize).saturating_sub(start).min(text.len());
    let width = |piece: Option<&str>| piece.map_or(0, |p| plain(p).chars().count());
    let blanks = width(text.get(..from));
    let signs = width(text.get(from..to)).max(1);
    let mut out = " ".repeat(blanks);
    out.extend(std::iter::repeat_n(sign, signs));
    out
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
