//! Functions of values. Aggregates, which are functions of events, stand in features only.

use millrace_event::Type;
use millrace_event::expr::{Binary, Clock, Expr, Kind, Unary};

use crate::ast::{self, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;

use super::scope::{Context, Scope};

/// Functions of events. `quantile` parses, but is not run yet.
pub(super) const AGGREGATES: [&str; 11] = [
    "count", "sum", "mean", "min", "max", "stddev", "variance", "distinct", "first", "last",
    "quantile",
];

/// Functions of values, with how many arguments they take.
const FUNCTIONS: [(&str, usize, usize); 21] = [
    ("abs", 1, 1),
    ("floor", 1, 1),
    ("ceil", 1, 1),
    ("round", 1, 1),
    ("sqrt", 1, 1),
    ("ln", 1, 1),
    ("exp", 1, 1),
    ("least", 2, usize::MAX),
    ("greatest", 2, usize::MAX),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("length", 1, 1),
    ("starts_with", 2, 2),
    ("contains", 2, 2),
    ("hour", 2, 2),
    ("weekday", 2, 2),
    ("day", 2, 2),
    ("float", 1, 1),
    ("int", 1, 1),
    ("decimal", 2, 2),
    ("coalesce", 1, usize::MAX),
];

/// The names of all functions: first those of events, then those of values.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    AGGREGATES.into_iter().chain(FUNCTIONS.iter().map(|f| f.0))
}

impl Context<'_> {
    pub(super) fn call(
        &mut self,
        name: &Name,
        arguments: &[ast::Expr],
        span: SourceSpan,
        expected: Option<&Type>,
    ) -> Option<Expr> {
        if AGGREGATES.contains(&&*name.text) {
            self.misplaced_aggregate(name, arguments, span);
            return None;
        }
        let Some((_, least, most)) = FUNCTIONS.iter().find(|f| f.0 == &*name.text) else {
            let known = FUNCTIONS.iter().map(|f| f.0).chain(AGGREGATES);
            self.report.unknown(Code::UnknownFunction, "function", name, "", known);
            return None;
        };
        if arguments.len() < *least || arguments.len() > *most {
            self.wrong_count(name, span, *least, *most, arguments.len());
            return None;
        }
        match (&*name.text, arguments) {
            ("abs", [a]) => self.abs(a, expected),
            ("floor", [a]) => self.rounded(Unary::Floor, a),
            ("ceil", [a]) => self.rounded(Unary::Ceil, a),
            ("round", [a]) => self.rounded(Unary::Round, a),
            ("sqrt", [a]) => self.of_float(Unary::Sqrt, name, a),
            ("ln", [a]) => self.of_float(Unary::Ln, name, a),
            ("exp", [a]) => self.of_float(Unary::Exp, name, a),
            ("least", all) => self.extreme(Kind::Least, name, all, expected),
            ("greatest", all) => self.extreme(Kind::Greatest, name, all, expected),
            ("coalesce", all) => self.coalesce(all, expected),
            ("lower", [a]) => self.of_text(Unary::Lower, name, a),
            ("upper", [a]) => self.of_text(Unary::Upper, name, a),
            ("length", [a]) => self.length(a),
            ("starts_with", [a, b]) => self.text_test(Binary::StartsWith, name, a, b),
            ("contains", [a, b]) => self.contains(name, a, b),
            ("hour", [a, zone]) => self.clock(Clock::Hour, name, a, zone),
            ("weekday", [a, zone]) => self.clock(Clock::Weekday, name, a, zone),
            ("day", [a, zone]) => self.clock(Clock::Day, name, a, zone),
            ("float", [a]) => self.converted(name, a, Type::Float),
            ("int", [a]) => self.converted(name, a, Type::Int),
            ("decimal", [a, digits]) => {
                let digits = self.digits(digits)?;
                self.converted(name, a, Type::Decimal(digits))
            }
            (_, _) => None,
        }
    }

    fn misplaced_aggregate(&mut self, name: &Name, arguments: &[ast::Expr], span: SourceSpan) {
        let several = arguments.len() > 1;
        let in_one_row = match &*name.text {
            "min" if several => Some("least"),
            "max" if several => Some("greatest"),
            _ => None,
        };
        if let Some(other) = in_one_row {
            let message = format!("`{}` aggregates events; it takes one argument", name.text);
            self.report.push(
                Diagnostic::error(Code::AggregateInExpression, span, message)
                    .hint(format!("of several values in one row, write `{other}`"))
                    .fix(name.span, other),
            );
            return;
        }
        let (code, message, hint) = match &self.scope {
            Scope::Event { .. } => (
                Code::NestedAggregate,
                "an aggregate inside an aggregate",
                "an aggregate's argument and condition are over the fields of one event",
            ),
            Scope::Derived { .. } => (
                Code::AggregateInExpression,
                "an aggregate inside an expression",
                "give it a feature of its own, and name that here",
            ),
            Scope::View { .. } => (
                Code::AggregateInExpression,
                "an aggregate in a view",
                "define it in a feature group, and name it here as `group.feature`",
            ),
            Scope::Label(_) => (
                Code::AggregateInExpression,
                "an aggregate in a label",
                "its condition is over the fields of one event",
            ),
            Scope::Decision(_) => (
                Code::AggregateInExpression,
                "an aggregate in a decision",
                "define it in a feature group, and add it to the view",
            ),
            Scope::Constant { .. } => {
                (Code::NotConstant, "an aggregate where a constant must stand", "write a literal")
            }
        };
        self.report.push(Diagnostic::error(code, span, message).hint(hint));
    }

    pub(super) fn wrong_count(
        &mut self,
        name: &Name,
        span: SourceSpan,
        least: usize,
        most: usize,
        given: usize,
    ) {
        let wanted = match (least, most) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "1 argument".to_owned(),
            (n, m) if n == m => format!("{n} arguments"),
            (n, usize::MAX) => format!("at least {n} arguments"),
            (n, m) => format!("{n} to {m} arguments"),
        };
        let message = format!("`{}` takes {wanted}, and {given} are given", name.text);
        let hint = match &*name.text {
            "hour" | "weekday" | "day" => Some("name the time zone: `hour(at, \"UTC\")`"),
            "decimal" => Some("say how many digits: `decimal(x, 2)`"),
            _ => None,
        };
        let diagnostic = Diagnostic::error(Code::ArgumentCount, span, message);
        self.report.push(diagnostic.hint_if(hint.map(str::to_owned)));
    }
}
