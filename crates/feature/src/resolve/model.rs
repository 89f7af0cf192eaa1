//! Models: the artifact, and the view whose vector it takes.

use std::sync::Arc;

use crate::ast::{self, At};
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan;
use crate::source::SourceSpan;

use super::group::once;
use super::{Report, Resolver, missing_part};

/// A model and what decisions need to know of its text.
#[derive(Debug)]
pub(super) struct ModelInfo {
    /// Index into the plan's models.
    pub index: usize,
    /// The view that it takes, and where that is said; `None` if that has a mistake.
    pub inputs: Option<(usize, SourceSpan)>,
}

impl Resolver<'_> {
    pub fn models(&mut self) {
        let project = self.project;
        for (index, ast) in project.models.iter().enumerate() {
            let inputs = self.model_inputs(ast);
            let file = once(&ast.files, self.report);
            if file.is_none() && !ast.broken {
                let hint = "name it: `file \"models/risk.txt\"`";
                missing_part(&ast.name, "model", "file", hint, self.report);
            }
            if let Some(file) = file {
                inside_the_project(file, self.report);
            }
            let mut model = plan::Model {
                name: Arc::clone(&ast.name.text),
                file: file.map_or_else(|| Arc::from(""), |file| Arc::clone(&file.value)),
                view: inputs.map_or(0, |inputs| inputs.0),
                hash: canonical::EMPTY,
            };
            if let Some(view) = inputs.and_then(|inputs| self.views.get(inputs.0)) {
                model.hash = canonical::model(&model, &view.view);
            }
            self.models.push(model);
            let name = Arc::clone(&ast.name.text);
            self.models_by_name.entry(name).or_insert(ModelInfo { index, inputs });
        }
    }

    fn model_inputs(&mut self, ast: &ast::Model) -> Option<(usize, SourceSpan)> {
        let Some((first, rest)) = ast.inputs.split_first() else {
            if !ast.broken {
                let hint = "name the view whose columns it takes: `inputs checkout`";
                missing_part(&ast.name, "model", "inputs", hint, self.report);
            }
            return None;
        };
        for again in rest {
            self.report.twice(again.span, first.span);
        }
        self.view_named(first).map(|view| (view, first.span))
    }
}

/// A file of a project is found in its folder, wherever that lies: a path out of it, or from the
/// root of a machine, would be another file on another machine.
fn inside_the_project(file: &At<Arc<str>>, report: &mut Report) {
    let path = &file.value;
    let (message, hint) = if path.is_empty() {
        ("a file without a name", "write its path from the project's folder: `models/risk.txt`")
    } else if path.starts_with('/') {
        ("a path that begins at the root", "write it from the project's folder: `models/risk.txt`")
    } else if path.contains('\\') || path.contains(char::is_control) {
        ("a path with signs that paths do not have", "its parts are joined by `/`")
    } else if path.split('/').any(|part| part == "..") {
        ("a path that leaves the project's folder", "keep the file in the project, without `..`")
    } else if path.split('/').any(|part| matches!(part, "" | ".")) {
        ("a path with an empty part", "write each part once: `models/risk.txt`")
    } else {
        return;
    };
    report.push(Diagnostic::error(Code::BadPath, file.span, message).hint(hint));
}
