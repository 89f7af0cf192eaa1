//! Diagnostics as data: a stable code, the place, what is wrong, and what to write instead.

mod code;
mod json;
mod render;
mod suggest;

pub use code::Code;
pub use json::render_json;
pub use render::render;
pub use suggest::Suggest;

use crate::source::SourceSpan;

/// One thing to tell about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// What it is about.
    pub span: SourceSpan,
    /// One lower-case fragment that says what is wrong, naming what was given.
    pub message: String,
    /// Other places that explain it.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The same as an edit, where the edit is certain.
    pub fix: Option<Fix>,
}

/// An error keeps a project from having a plan; a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A note at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: SourceSpan,
    pub text: String,
}

/// An edit: the text of `span` becomes `replacement`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub span: SourceSpan,
    pub replacement: String,
}

impl Diagnostic {
    pub fn error(code: Code, span: SourceSpan, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            span,
            message: message.into(),
            labels: Vec::new(),
            hint: None,
            fix: None,
        }
    }

    pub fn warning(code: Code, span: SourceSpan, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    #[must_use]
    pub fn label(mut self, span: SourceSpan, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn fix(mut self, span: SourceSpan, replacement: impl Into<String>) -> Diagnostic {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// As [`Diagnostic::hint`], where there is one.
    #[must_use]
    pub fn hint_if(self, hint: Option<String>) -> Diagnostic {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }
}

/// Diagnostics in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub diagnostics: Vec<Diagnostic>,
}

impl Sink {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn error(&mut self, code: Code, span: SourceSpan, message: impl Into<String>) {
        self.push(Diagnostic::error(code, span, message));
    }
}
