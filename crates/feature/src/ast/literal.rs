//! Tree to AST: literals.

use std::sync::Arc;

use millrace_event::EventTime;

use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::{Token, TokenKind};
use crate::source::SourceSpan;
use crate::tree::NodeId;

use super::lower::Lower;
use super::{ExprKind, Literal, Number};

/// Digits that an exact literal may have.
const DIGITS_MAX: usize = 36;

impl Lower<'_> {
    /// `None` when it cannot be read, which has been told then.
    pub fn literal(&mut self, id: NodeId) -> Option<ExprKind> {
        let token = self.tree.signs(id).next()?;
        let literal = match token.kind {
            TokenKind::Number => Literal::Number(self.number(token)?),
            TokenKind::Duration => Literal::Duration(self.duration_of(token)?.value),
            TokenKind::Time => Literal::Time(self.time(token)?),
            TokenKind::String => Literal::Text(self.string(token)?),
            TokenKind::Word => match self.token_text(token) {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                _ => Literal::Null,
            },
            _ => return None,
        };
        Some(ExprKind::Literal(literal))
    }

    fn number(&mut self, token: Token) -> Option<Number> {
        let text = self.token_text(token).replace('_', "");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}");
        if digits.len() > DIGITS_MAX {
            let message = format!("a number of {} digits; at most {DIGITS_MAX}", digits.len());
            self.sink.error(Code::BadNumber, self.token_span(token), message);
            return None;
        }
        let mantissa = digits.parse().ok()?;
        let scale = u8::try_from(fraction.len()).ok()?;
        Some(Number { mantissa, scale, text: text.as_str().into() })
    }

    /// `12:00`, `9:05:30.25`: that time on 2026-01-01, UTC.
    fn time(&mut self, token: Token) -> Option<EventTime> {
        let text = self.token_text(token);
        let hour_digits = text.find(':').unwrap_or(0);
        let pad = "0".repeat(2usize.saturating_sub(hour_digits));
        let seconds = if text.matches(':').count() == 1 { ":00" } else { "" };
        let time = format!("2026-01-01T{pad}{text}{seconds}Z").parse::<EventTime>();
        if time.is_err() {
            let message = format!("`{text}` is no time of a day");
            self.sink.push(
                Diagnostic::error(Code::BadTime, self.token_span(token), message)
                    .hint("write `HH:MM` or `HH:MM:SS`, with at most six digits behind a point"),
            );
        }
        time.ok()
    }

    /// The text between the quotes, with escapes put in.
    pub fn string(&mut self, token: Token) -> Option<Arc<str>> {
        let text = self.token_text(token);
        let inner = text.get(1..text.len().saturating_sub(1))?;
        if !inner.contains('\\') {
            return Some(inner.into());
        }
        let mut out = String::with_capacity(inner.len());
        let mut rest = inner.char_indices();
        while let Some((at, c)) = rest.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match rest.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                other => {
                    let end = other.map_or(inner.len(), |(at, c)| at + c.len_utf8());
                    self.bad_escape(token, at, end);
                    return None;
                }
            }
        }
        Some(out.as_str().into())
    }

    /// Byte positions count from behind the opening quote.
    fn bad_escape(&mut self, token: Token, start: usize, end: usize) {
        let whole = self.token_span(token);
        let offset = |at: usize| whole.start + 1 + u32::try_from(at).unwrap_or(0);
        let span = SourceSpan { start: offset(start), end: offset(end), ..whole };
        self.sink.push(
            Diagnostic::error(Code::BadEscape, span, "an escape that strings do not have")
                .hint("escapes are `\\\"`, `\\\\`, `\\n`, `\\r` and `\\t`"),
        );
    }
}
