//! What people write who know SQL or pandas: understood in order to say what to write.

use crate::diagnostic::{Code, Diagnostic};
use crate::foreign::{self, Instead};
use crate::lexer::TokenKind;
use crate::source::SourceSpan;

use super::Parser;

/// What to do about an item that does not parse.
pub(super) struct Advice {
    hint: String,
    fix: Option<(SourceSpan, String)>,
}

impl Advice {
    pub fn hint(hint: impl Into<String>) -> Advice {
        Advice { hint: hint.into(), fix: None }
    }

    fn write(span: SourceSpan, text: &str) -> Advice {
        Advice { hint: format!("write `{text}`"), fix: Some((span, text.to_owned())) }
    }

    pub fn on(self, diagnostic: Diagnostic) -> Diagnostic {
        let diagnostic = diagnostic.hint(self.hint);
        match self.fix {
            Some((span, text)) => diagnostic.fix(span, text),
            None => diagnostic,
        }
    }
}

impl Parser<'_, '_> {
    fn instead(&self, instead: Instead) -> Advice {
        match instead {
            Instead::Word(word) => Advice::write(self.here(), word),
            Instead::Hint(hint) => Advice::hint(hint),
        }
    }

    /// Where a token of this kind is missing.
    pub(super) fn advice(&self, wanted: TokenKind) -> Option<Advice> {
        if wanted == TokenKind::Duration {
            return self.for_duration();
        }
        let is_foreign = matches!(self.kind(0), Some(TokenKind::DoubleEqual | TokenKind::Colon));
        if wanted == TokenKind::Equal && is_foreign {
            return Some(Advice::write(self.here(), "="));
        }
        if wanted == TokenKind::Colon && self.is(TokenKind::Equal) {
            return Some(Advice::write(self.here(), ":"));
        }
        self.for_comment()
    }

    /// `24 h`, `10`, `10 minutes`, and a feature behind a comma.
    fn for_duration(&self) -> Option<Advice> {
        if self.is(TokenKind::Word) && self.kind(1) == Some(TokenKind::Equal) {
            return Some(Advice::hint("features stand without a comma between them"));
        }
        if !self.is(TokenKind::Number) {
            return None;
        }
        let number = self.shown(0);
        match foreign::duration(number, self.word(1)) {
            Some((text, true)) => {
                let end = self.token(1).map_or(self.here(), |unit| self.span(unit));
                Some(Advice::write(self.here().to(end), &text))
            }
            Some((text, false)) => Some(Advice::hint(format!("write a fixed length: `{text}`"))),
            None => Some(Advice::hint(format!("write it with its unit, such as `{number}m`"))),
        }
    }

    /// Where a word stands that begins no clause of a feature.
    pub(super) fn for_clause(&self) -> Option<Advice> {
        // A `NOT` or `CASE` before it was taken for a name.
        let before = self.at.checked_sub(1).map_or("", |at| self.text_of(at));
        let lower = foreign::lower_case(before).or_else(|| foreign::lower_case(self.word(0)));
        if let Some(ours) = lower {
            return Some(Advice::hint(format!("write `{ours}`, in lower case")));
        }
        if before.eq_ignore_ascii_case("case") {
            return Some(Advice::hint("write `if condition then a else b`"));
        }
        foreign::clause(self.word(0)).map(|instead| self.instead(instead))
    }

    /// Where a word stands that no modifier of a field is.
    pub(super) fn for_modifier(&self) -> Option<Advice> {
        if self.kind(1) == Some(TokenKind::Colon) {
            return Some(Advice::hint("fields stand without a comma between them"));
        }
        let hint = match self.word(0).to_ascii_lowercase().as_str() {
            "primary" | "key" | "unique" => "write `id` on the field that tells events apart",
            "not" | "required" => "a field is never null unless its type ends in `?`: `string?`",
            "null" | "nullable" | "optional" => "write `?` behind the type: `string?`",
            "default" => "a missing value is null where the type ends in `?`: `string?`",
            _ => return None,
        };
        Some(Advice::hint(hint))
    }

    /// Behind `in` without a list.
    pub(super) fn for_list(&self) -> Option<Advice> {
        if self.is(TokenKind::OpenParen) {
            return Some(Advice::hint("write the list in square brackets: `in [\"a\", \"b\"]`"));
        }
        let hint = "for the events of a length of time, write `over 7d`";
        (self.word(0) == "last").then(|| Advice::hint(hint))
    }

    /// Inside of a call: `count(distinct x)`.
    pub(super) fn for_arguments(&self) -> Option<Advice> {
        let before = self.at.checked_sub(1).map_or("", |at| self.text_of(at));
        let is_distinct = before.eq_ignore_ascii_case("distinct");
        is_distinct.then(|| Advice::hint(format!("write `distinct({})`", self.word(0))))
    }

    /// `by` behind other words.
    pub(super) fn for_word(&self, wanted: &str) -> Option<Advice> {
        if wanted == "by" && self.word(0).eq_ignore_ascii_case("group") {
            let text = "by";
            let end = self.token(1).map_or(self.here(), |by| self.span(by));
            return Some(Advice::write(self.here().to(end), text));
        }
        if wanted == "when" && matches!(self.word(0), "if" | "where" | "on") {
            return Some(Advice::write(self.here(), wanted));
        }
        self.for_comment()
    }

    /// Where a word stands that no outcome is.
    pub(super) fn for_outcome(&self) -> Option<Advice> {
        let instead = foreign::outcome(self.word(0)).map(|instead| self.instead(instead));
        instead.or_else(|| self.for_comment())
    }

    /// Comments of other languages.
    pub(super) fn for_comment(&self) -> Option<Advice> {
        let is_twice = |kind| self.is(kind) && self.kind(1) == Some(kind);
        let begins = is_twice(TokenKind::Slash)
            || is_twice(TokenKind::Minus)
            || (self.is(TokenKind::Slash) && self.kind(1) == Some(TokenKind::Star));
        begins.then(|| Advice::hint("a comment begins with `#`"))
    }

    /// `count(*)`: told and then read as `count()`.
    pub(super) fn star_argument(&mut self) {
        if self.is(TokenKind::Star) && self.kind(1) == Some(TokenKind::CloseParen) {
            let span = self.here();
            self.sink.push(
                Diagnostic::error(Code::Syntax, span, "`*` is no argument")
                    .hint("write `count()`, which counts events")
                    .fix(span, ""),
            );
            self.leaf(crate::tree::NodeKind::Error);
        }
    }

    /// A comma between the items of a block: told and passed over.
    pub(super) fn comma_between_items(&mut self) -> bool {
        if !self.is(TokenKind::Comma) {
            return false;
        }
        let span = self.here();
        self.sink.push(
            Diagnostic::error(Code::Syntax, span, "items stand without commas between them")
                .hint("leave the comma out")
                .fix(span, ""),
        );
        self.bump();
        true
    }

    /// Operators of other languages are understood, with the word to write instead.
    pub(super) fn foreign_operator(&mut self) {
        let Some(token) = self.token(0) else { return };
        let (given, ours) = match (token.kind, self.word(0)) {
            (TokenKind::DoubleEqual, _) => ("==", "="),
            (TokenKind::LessGreater, _) => ("<>", "!="),
            (TokenKind::DoubleAmpersand, _) => ("&&", "and"),
            (TokenKind::DoubleBar, _) => ("||", "or"),
            (TokenKind::Exclamation, _) => ("!", "not "),
            (TokenKind::Word, "AND" | "And") => ("AND", "and"),
            (TokenKind::Word, "OR" | "Or") => ("OR", "or"),
            (_, _) => return,
        };
        let span = self.span(token);
        let ours_shown = ours.trim_end();
        self.sink.push(
            Diagnostic::error(Code::Syntax, span, format!("`{given}` is no operator here"))
                .hint(format!("write `{ours_shown}`"))
                .fix(span, ours),
        );
    }
}

/// What to do about a character that the language does not use.
pub(super) fn about_character(text: &str) -> Advice {
    let quoted = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    if let Some(inner) = quoted {
        return Advice::hint(format!("strings stand in double quotes: write `\"{inner}\"`"));
    }
    Advice::hint(match text {
        ";" => "leave it out: the next item stands on a line of its own",
        "`" => "names stand without quotes",
        "&" => "write `and`",
        "|" => "write `or`",
        "“" | "”" | "„" | "'" => "strings stand in straight double quotes",
        _ => "names are made of ASCII letters, digits and `_`",
    })
}
