//! The columns of a view by the names that tests and decisions use: a full name as in tables, or
//! the feature that a column is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_event::Span;

use crate::ast::Window;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::ViewColumn;
use crate::source::SourceSpan;

use super::Report;

/// The feature that a column is, as the text names it; of an expression, the column's name.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub family: Arc<str>,
    pub width: Option<Span>,
}

#[derive(Debug, Default)]
pub(super) struct ColumnNames {
    full: HashMap<Arc<str>, usize>,
    families: HashMap<Arc<str>, Vec<(Option<Span>, usize)>>,
    lost: HashSet<Arc<str>>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    One(usize),
    Several(Vec<usize>),
}

impl ColumnNames {
    /// `lost` are the names of columns with a mistake, which has been told.
    pub fn new(columns: &[ViewColumn], origins: &[Origin], lost: HashSet<Arc<str>>) -> ColumnNames {
        let mut names = ColumnNames { lost, ..ColumnNames::default() };
        for (at, (column, origin)) in columns.iter().zip(origins).enumerate() {
            names.full.entry(Arc::clone(&column.name)).or_insert(at);
            let family = names.families.entry(Arc::clone(&origin.family)).or_default();
            family.push((origin.width, at));
        }
        names
    }

    pub fn find(&self, name: &str, window: Option<&Window>) -> Found {
        if let (Some(at), None) = (self.full.get(name), window) {
            return Found::One(*at);
        }
        let family = self.families.get(name).map_or(&[][..], Vec::as_slice);
        let fits = |width: &Option<Span>| window.is_none_or(|w| *width == Some(w.width));
        let found: Vec<usize> =
            family.iter().filter(|(width, _)| fits(width)).map(|(_, at)| *at).collect();
        match found[..] {
            [] => Found::Nothing,
            [only] => Found::One(only),
            [..] => Found::Several(found),
        }
    }

    /// Whether a column of this name has a mistake, which has been told.
    pub fn is_lost(&self, name: &str) -> bool {
        self.lost.contains(name)
    }
}

/// Tells that a name stands for several columns.
pub(super) fn ambiguous(
    name: &str,
    span: SourceSpan,
    found: &[usize],
    columns: &[ViewColumn],
    report: &mut Report,
) {
    let names: Vec<String> = found
        .iter()
        .filter_map(|at| columns.get(*at))
        .map(|column| format!("`{}`", column.name))
        .collect();
    let message = format!("`{name}` may be several columns");
    report.push(
        Diagnostic::error(Code::AmbiguousWindow, span, message)
            .hint(format!("write one of {}", names.join(", "))),
    );
}
