//! Features that aggregate events: their function, argument, condition, windows and default.

use std::collections::HashSet;
use std::sync::Arc;

use millrace_aggregate::{Function, Layout, Window};
use millrace_event::expr::Expr;
use millrace_event::{Span, Type, Value};

use crate::ast::{self, ExprKind, Literal, Name};
use crate::canonical::Family;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;
use crate::types::{self, described};

use super::feature::{Clauses, GroupBuilder, Windows};

/// What all features of one family share.
pub(super) struct Aggregation {
    pub function: Function,
    pub input: Option<usize>,
    pub filter: Option<usize>,
    pub windows: Windows,
    pub ty: Type,
    pub nullable: bool,
    pub default: Option<Value>,
    pub family: Family,
}

/// The shortest window.
const WINDOW_MIN: Span = Span::millis(1);

impl<'a> GroupBuilder<'a> {
    /// `None` if something is wrong, which is told then.
    pub fn aggregation(
        &mut self,
        ast: &'a ast::Feature,
        clauses: &Clauses<'a>,
    ) -> Option<Aggregation> {
        let ExprKind::Call(name, arguments) = &ast.body.kind else { return None };
        let call = self.function(name, arguments, ast.body.span);
        let condition = clauses
            .condition
            .map(|(e, _)| self.over_event(|c| c.checked(e, &Type::Bool, "a condition")));
        let windows = self.windows(clauses);
        let runs = self.runs(name, clauses, ast.body.span);
        let (function, argument) = call?;
        let condition = match condition {
            Some(condition) => Some(condition?),
            None => None,
        };
        let (windows, ()) = (windows?, runs?);
        let (ty, nullable) = self.result(function, argument.as_ref(), name, arguments)?;
        let default = match clauses.default {
            Some((e, _)) => Some(self.default(e, &ty)?),
            None => None,
        };
        let input = match argument {
            Some(expr) => Some(self.input(expr, ast.body.span)?),
            None => None,
        };
        let filter = match (condition, clauses.condition) {
            (Some(expr), Some((_, span))) => Some(self.filter(expr, span)?),
            (_, _) => None,
        };
        let (input_hash, filter_hash) = self.layout.hashes(input, filter);
        let family = Family::aggregate(&self.events, function, input_hash, filter_hash);
        Some(Aggregation { function, input, filter, windows, ty, nullable, default, family })
    }

    fn function(
        &mut self,
        name: &Name,
        arguments: &'a [ast::Expr],
        span: SourceSpan,
    ) -> Option<(Function, Option<Expr>)> {
        let function = match &*name.text {
            "count" => Function::Count,
            "sum" => Function::Sum,
            "mean" => Function::Mean,
            "min" => Function::Min,
            "max" => Function::Max,
            "stddev" => Function::Stddev,
            "variance" => Function::Variance,
            "distinct" => Function::Distinct,
            "first" => Function::First,
            "last" if arguments.len() == 2 => Function::LastN(self.last_n(&arguments[1])?),
            "last" => Function::Last,
            // `quantile(e, p)`: its second argument is looked at when it is run.
            _ => Function::Mean,
        };
        let (least, most) = match &*name.text {
            "count" => (0, 1),
            "last" => (1, 2),
            "quantile" => (2, 2),
            _ => (1, 1),
        };
        if arguments.len() < least || arguments.len() > most {
            // Of `min` and `max` with several arguments, `least` and `greatest` are meant.
            if matches!(&*name.text, "min" | "max") && arguments.len() > 1 {
                self.over_event(|c| c.infer(&self_call(name, arguments, span), None));
            } else {
                self.over_event(|c| {
                    c.wrong_count(name, span, least, most, arguments.len());
                    None::<()>
                });
            }
            return None;
        }
        let argument = match arguments.first() {
            Some(argument) => Some(self.over_event(|c| c.typed(argument))?),
            None => None,
        };
        Some((function, argument))
    }

    fn last_n(&mut self, n: &ast::Expr) -> Option<u32> {
        let given = match &n.kind {
            ExprKind::Literal(Literal::Number(number)) if number.scale == 0 => {
                u32::try_from(number.mantissa).ok()
            }
            _ => None,
        };
        let fits = given.filter(|n| (1..=Layout::LAST_N_MAX).contains(n));
        if fits.is_none() {
            let most = Layout::LAST_N_MAX;
            self.report.push(
                Diagnostic::error(
                    Code::LastLimit,
                    n.span,
                    format!("how many values `last` keeps is a literal from 1 to {most}"),
                )
                .hint("write `last(e, 5)`"),
            );
        }
        fits
    }

    /// The type of the result and whether it may be null.
    fn result(
        &mut self,
        function: Function,
        argument: Option<&Expr>,
        name: &Name,
        arguments: &[ast::Expr],
    ) -> Option<(Type, bool)> {
        let (Some(argument), Some(ast)) = (argument, arguments.first()) else {
            return Some((Type::Int, false));
        };
        let of = &argument.ty;
        let is_duration = *of == Type::Duration;
        let (wanted, fits, result) = match function {
            Function::Count => ("anything", true, (Type::Int, false)),
            Function::Sum => {
                ("a number or a duration", types::is_number(of) || is_duration, (of.clone(), false))
            }
            Function::Mean | Function::Stddev | Function::Variance => {
                ("a number", types::is_number(of), (Type::Float, true))
            }
            Function::Min | Function::Max => (
                "a number, a timestamp or a duration",
                types::is_number(of) || is_duration || *of == Type::Timestamp,
                (of.clone(), true),
            ),
            Function::Distinct => (
                "a value that is neither a float nor a list",
                types::is_scalar(of) && *of != Type::Float,
                (Type::Int, false),
            ),
            Function::First | Function::Last => {
                ("a value that is no list", types::is_scalar(of), (of.clone(), true))
            }
            Function::LastN(_) => (
                "a value that is no list",
                types::is_scalar(of),
                (Type::List(Box::new(of.clone())), true),
            ),
        };
        if !fits {
            let message = format!("`{}` takes {wanted}, and this is {}", name.text, described(of));
            let hint = match (function, of) {
                (Function::Distinct, Type::Float) => {
                    Some("floats are rarely equal; round first: `decimal(x, 2)`".to_owned())
                }
                (Function::Mean | Function::Stddev | Function::Variance, Type::Duration) => {
                    Some("divide by a unit first: `x / 1s`".to_owned())
                }
                (_, _) => None,
            };
            self.report
                .push(Diagnostic::error(Code::TypeMismatch, ast.span, message).hint_if(hint));
            return None;
        }
        Some(result)
    }

    /// The windows in the order written; the lifetime if none is.
    fn windows(&mut self, clauses: &Clauses<'_>) -> Option<Windows> {
        let Some((written, _)) = clauses.windows else {
            if let Some(every) = clauses.every {
                self.report.push(
                    Diagnostic::error(
                        Code::MisplacedClause,
                        every.span,
                        "`every` without a window",
                    )
                    .hint("name the window: `over 30d every 1h`"),
                );
                return None;
            }
            return Some(vec![(Window::Lifetime, None)]);
        };
        let mut windows: Windows = Vec::with_capacity(written.len());
        let mut seen = HashSet::new();
        let mut failed = written.is_empty();
        for window in written {
            if !seen.insert(window.width) {
                let message = format!("the window {} stands twice", window.text);
                self.report.error(Code::DuplicateName, window.span, message);
                failed = true;
            }
            failed |= !self.window_fits(window, clauses);
            let every = clauses.every.map(|e| e.value);
            let sliding = Window::Sliding { width: window.width, every };
            windows.push((sliding, Some(Arc::clone(&window.text))));
        }
        (!failed).then_some(windows)
    }

    fn window_fits(&mut self, window: &ast::Window, clauses: &Clauses<'_>) -> bool {
        if window.width < WINDOW_MIN {
            self.report.push(
                Diagnostic::error(
                    Code::WindowTooShort,
                    window.span,
                    format!("a window of {} is shorter than a millisecond", window.text),
                )
                .hint("write at least `1ms`"),
            );
            return false;
        }
        let Some(every) = clauses.every else { return true };
        if every.value < WINDOW_MIN || every.value > window.width {
            let message =
                format!("`every` is at least 1ms and at most the window, {}", window.text);
            self.report.push(
                Diagnostic::error(Code::BadEvery, every.span, message)
                    .label(window.span, "this window"),
            );
            return false;
        }
        let tiles = window.width.0.div_euclid(every.value.0);
        if tiles > Layout::TILES_MAX {
            let most = Layout::TILES_MAX;
            self.report.push(
                Diagnostic::error(
                    Code::GroupLimit,
                    every.span,
                    format!("{tiles} steps in a window of {}; at most {most}", window.text),
                )
                .hint("take longer steps, or a shorter window"),
            );
            return false;
        }
        true
    }

    /// What parses and is not run yet, and bounds that are missing.
    fn runs(&mut self, name: &Name, clauses: &Clauses<'_>, span: SourceSpan) -> Option<()> {
        let before = self.report.sink.diagnostics.len();
        let is_quantile = &*name.text == "quantile";
        let missing =
            |what: &str, hint: &str| Diagnostic::error(Code::MissingLimit, span, what).hint(hint);
        if is_quantile && clauses.within.is_none() {
            self.report.push(missing("`quantile` says how far it may be off", "add `within 1%`"));
        }
        if let (Some(per), None) = (clauses.per, clauses.top) {
            self.report.push(
                Diagnostic::error(Code::MissingLimit, per, "`per` has no bound on its categories")
                    .hint("add `top 8`"),
            );
        }
        if let (Some(top), None) = (clauses.top, clauses.per) {
            self.report.push(
                Diagnostic::error(Code::MisplacedClause, top, "`top` without `per`")
                    .hint("write `count() per country top 8`"),
            );
        }
        let later = [
            (is_quantile.then_some(span), "quantile"),
            (clauses.decay, "decay"),
            (clauses.per, "per"),
            (clauses.within.filter(|_| !is_quantile), "within"),
        ];
        for (at, what) in later {
            if let Some(at) = at {
                let message = format!("`{what}` parses, but this engine does not run it yet");
                self.report.error(Code::NotYetRun, at, message);
            }
        }
        (self.report.sink.diagnostics.len() == before).then_some(())
    }

    fn input(&mut self, expr: Expr, span: SourceSpan) -> Option<usize> {
        let input = self.layout.input(expr, &self.columns).ok();
        if input.is_none() {
            self.full(Layout::INPUTS_MAX, "arguments of aggregates", span);
        }
        input
    }

    fn filter(&mut self, expr: Expr, span: SourceSpan) -> Option<usize> {
        let filter = self.layout.filter(expr, &self.columns).ok();
        if filter.is_none() {
            self.full(Layout::FILTERS_MAX, "conditions", span);
        }
        filter
    }

    fn full(&mut self, most: usize, what: &str, span: SourceSpan) {
        let message = format!("a group has at most {most} different {what}");
        self.report.push(
            Diagnostic::error(Code::GroupLimit, span, message)
                .hint("put some of the features into a second group by the same key"),
        );
    }
}

/// The call as an expression again.
fn self_call(name: &Name, arguments: &[ast::Expr], span: SourceSpan) -> ast::Expr {
    ast::Expr { kind: ExprKind::Call(name.clone(), arguments.to_vec()), span }
}
