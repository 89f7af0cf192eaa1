//! The whole way from texts to a plan.

use crate::ast::{Project, tree_to_ast};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::parser::text_to_tree;
use crate::plan::Plan;
use crate::resolve::{Report, ast_to_plan};
use crate::source::{SourceFile, SourceSpan};

/// A file is at most this large, in bytes.
pub const SOURCE_BYTES_MAX: usize = 1 << 20;

/// What becomes of a project's texts.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// There if no diagnostic is an error.
    pub plan: Option<Plan>,
    /// All of them, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles the files of one project together; names are shared between them. Pure: no file is
/// read, and the same texts give the same plan.
pub fn compile(sources: &[SourceFile]) -> Compiled {
    let mut report = Report::default();
    let mut project = Project::default();
    for (file, source) in (0u32..).zip(sources) {
        if source.text.len() > SOURCE_BYTES_MAX {
            let span = SourceSpan { file, start: 0, end: 0 };
            let size = source.text.len();
            let message = format!("a file of {size} bytes; at most {SOURCE_BYTES_MAX}");
            report.push(
                Diagnostic::error(Code::SourceLimit, span, message)
                    .hint("split it; the files of a project are compiled together"),
            );
            continue;
        }
        let tree = text_to_tree(file, &source.text, &mut report.sink);
        tree_to_ast(file, &source.text, &tree, &mut project, &mut report.sink);
    }
    let plan = ast_to_plan(&project, sources, &mut report);
    let mut diagnostics = report.sink.diagnostics;
    diagnostics.sort_by_key(|d| d.span);
    diagnostics.dedup();
    let is_fine = diagnostics.iter().all(|d| d.severity == Severity::Warning);
    Compiled { plan: is_fine.then_some(plan), diagnostics }
}
