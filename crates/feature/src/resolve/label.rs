//! Labels: what turned out to be true of the events of a stream, as other streams tell it.

use std::sync::Arc;

use millrace_event::{Span, Type};

use crate::ast;
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan;
use crate::types::described;

use super::group::once;
use super::scope::{Context, Scope};
use super::stream::StreamInfo;
use super::{Report, Resolver, missing_part};

impl Resolver<'_> {
    pub fn labels(&mut self) -> Vec<plan::Label> {
        let project = self.project;
        project.labels.iter().filter_map(|label| self.label(label)).collect()
    }

    fn label(&mut self, ast: &ast::Label) -> Option<plan::Label> {
        let stream = match &ast.stream {
            Some(name) => self.stream_named(name, Code::UnknownName),
            None => None,
        };
        let positive = self.label_source(&ast.positive, stream);
        let among = self.label_source(&ast.among, stream);
        let matures = once(&ast.matures, self.report);
        if ast.positive.is_empty() && !ast.broken {
            let hint = "say which events make it true: `positive from reports by payment_id`";
            missing_part(&ast.name, "label", "`positive`", hint, self.report);
        }
        if matures.is_none() && !ast.broken {
            let hint = "say how long to wait before an event counts as negative: `matures 7d`";
            missing_part(&ast.name, "label", "`matures`", hint, self.report);
        }
        let mut label = plan::Label {
            name: Arc::clone(&ast.name.text),
            stream: stream?,
            positive: positive?,
            among: match ast.among.is_empty() {
                true => None,
                false => Some(among?),
            },
            matures: matures.map_or(Span(0), |m| m.value),
            hash: canonical::EMPTY,
        };
        label.hash = canonical::label(&label, &|at| &self.streams[at].stream.schema);
        Some(label)
    }

    /// The one source of its kind.
    fn label_source(
        &mut self,
        all: &[ast::LabelSource],
        own: Option<usize>,
    ) -> Option<plan::LabelSource> {
        let (ast, rest) = all.split_first()?;
        for again in rest {
            self.report.twice(again.span, ast.span);
        }
        let stream = self.stream_named(&ast.stream, Code::UnknownName)?;
        let info = &self.streams[stream];
        let filter = ast.filter.as_ref().map(|filter| {
            let scope = Scope::Label(info);
            Context::new(scope, self.report).checked(filter, &Type::Bool, "a condition")
        });
        let by_own = own.and_then(|own| by_field(&ast.by, &self.streams[own], self.report));
        let by_other = by_field(&ast.by, info, self.report);
        let (own, by_own, by_other) = (&self.streams[own?], by_own?, by_other?);
        compared(&ast.by, (own, by_own), (info, by_other), self.report)?;
        let filter = match filter {
            Some(filter) => Some(filter?),
            None => None,
        };
        Some(plan::LabelSource { stream, by_own, by_other, filter })
    }
}

/// The field of this name, if its type is known.
fn by_field(name: &ast::Name, stream: &StreamInfo, report: &mut Report) -> Option<usize> {
    let Some(at) = stream.index.get(&name.text).copied() else {
        if !stream.broken {
            let place = format!(" in `{}`", stream.stream.schema.stream);
            let known = stream.stream.schema.fields.iter().map(|f| &*f.name);
            report.unknown(Code::UnknownName, "field", name, &place, known);
        }
        return None;
    };
    stream.known[at].then_some(at)
}

/// Both fields have one type, and one that says which events belong together.
fn compared(
    name: &ast::Name,
    (own, by_own): (&StreamInfo, usize),
    (other, by_other): (&StreamInfo, usize),
    report: &mut Report,
) -> Option<()> {
    let (own, other) = (&own.stream.schema, &other.stream.schema);
    let (ty, theirs) = (&own.fields[by_own].ty, &other.fields[by_other].ty);
    if ty != theirs {
        let code = match (ty, theirs) {
            (Type::Key(_), Type::Key(_)) => Code::KeyMismatch,
            (_, _) => Code::TypeMismatch,
        };
        let message = format!(
            "`{}` is {} in `{}` and {} in `{}`",
            name.text,
            described(ty),
            own.stream,
            described(theirs),
            other.stream
        );
        report.push(
            Diagnostic::error(code, name.span, message)
                .hint("declare both with one type, so that equal values mean one thing"),
        );
        return None;
    }
    match ty {
        Type::String | Type::Int | Type::Key(_) | Type::Timestamp => Some(()),
        Type::Bool
        | Type::Float
        | Type::Decimal(_)
        | Type::Duration
        | Type::List(_)
        | Type::Map(_, _) => {
            let message = format!("`{}` is {}, which cannot join events", name.text, described(ty));
            report.push(
                Diagnostic::error(Code::BadKey, name.span, message)
                    .hint("a label goes by a string, an int, an entity or a timestamp"),
            );
            None
        }
    }
}
