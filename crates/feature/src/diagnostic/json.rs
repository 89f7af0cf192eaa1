//! Diagnostics as JSON for editors and other programs.

use serde::Serialize;

use crate::source::{Lines, SourceFile, SourceSpan};

use super::Diagnostic;

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
    labels: Vec<JsonLabel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<JsonFix<'a>>,
}

/// Lines and columns count from 1, columns in characters; `start` and `end` are bytes.
#[derive(Serialize)]
struct JsonPlace<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    start: u32,
    end: u32,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    text: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
}

#[derive(Serialize)]
struct JsonFix<'a> {
    replacement: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
}

/// All diagnostics as one JSON array.
pub fn render_json(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> String {
    let lines: Vec<Lines> = sources.iter().map(|s| Lines::new(&s.text)).collect();
    let place = |span: SourceSpan| -> JsonPlace<'_> {
        let file = span.file as usize;
        let position = |offset: u32| match (sources.get(file), lines.get(file)) {
            (Some(source), Some(lines)) => lines.position(&source.text, offset as usize),
            (_, _) => (1, 1),
        };
        let (line, column) = position(span.start);
        let (end_line, end_column) = position(span.end);
        let name = sources.get(file).map_or("", |s| s.name.as_str());
        let SourceSpan { start, end, .. } = span;
        JsonPlace { file: name, line, column, end_line, end_column, start, end }
    };
    let all: Vec<JsonDiagnostic<'_>> = diagnostics
        .iter()
        .map(|d| JsonDiagnostic {
            code: d.code.name(),
            severity: d.severity.name(),
            message: &d.message,
            place: place(d.span),
            labels: d
                .labels
                .iter()
                .map(|l| JsonLabel { text: &l.text, place: place(l.span) })
                .collect(),
            hint: d.hint.as_deref(),
            fix: d
                .fix
                .as_ref()
                .map(|f| JsonFix { replacement: &f.replacement, place: place(f.span) }),
        })
        .collect();
    serde_json::to_string(&all).expect("strings and numbers always serialise")
}
