//! Tokens to a tree, by recursive descent. It never fails: what fits no rule lands in an `Error`
//! node, one diagnostic is given for each item that is broken, and parsing goes on with the next.
//!
//! Line breaks mean nothing to the grammar. They help recovery only: after an error, an item is
//! held to begin at the next word that is first on its line.

mod decision;
mod declaration;
mod expression;
mod foreign;
mod label;
mod test;

use crate::ast::NAME_BYTES_MAX;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::lexer::{Token, TokenKind, text_to_tokens};
use crate::source::SourceSpan;
use crate::tree::{Builder, NodeKind, Tree, is_reserved, kind_name};

use foreign::Advice;

/// Parentheses, calls, lists, `if`, `not` and `-` inside each other.
pub const NESTING_MAX: usize = 64;

/// The height of an expression's tree, chains such as `a + b + c` included.
pub const EXPRESSION_HEIGHT_MAX: usize = 128;

/// The tree of one file, and what is wrong with its syntax.
pub(crate) fn text_to_tree(file: u32, text: &str, sink: &mut Sink) -> Tree {
    let tokens = text_to_tokens(text);
    let indexes = 0..u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let significant = indexes.filter(|i| !tokens[*i as usize].kind.is_trivia()).collect();
    let mut parser = Parser {
        file,
        text,
        tokens,
        significant,
        at: 0,
        flushed: 0,
        nesting: 0,
        failed: false,
        builder: Builder::default(),
        sink,
    };
    parser.builder.start(NodeKind::File);
    parser.bad_tokens();
    parser.file();
    parser.flush_to(parser.tokens.len());
    parser.builder.finish(&parser.tokens);
    let Parser { builder, tokens, .. } = parser;
    builder.into_tree(tokens)
}

struct Parser<'t, 's> {
    file: u32,
    text: &'t str,
    tokens: Vec<Token>,
    /// Indexes of the tokens that are not trivia.
    significant: Vec<u32>,
    /// Index into `significant` of the next token.
    at: usize,
    /// How many tokens are in the tree.
    flushed: usize,
    nesting: usize,
    /// Whether the item at hand has got its diagnostic.
    failed: bool,
    builder: Builder,
    sink: &'s mut Sink,
}

/// Words that begin a declaration.
const DECLARATIONS: [&str; 8] =
    ["entity", "stream", "features", "view", "label", "model", "decision", "test"];

impl Parser<'_, '_> {
    fn file(&mut self) {
        while !self.is_at_end() {
            self.failed = false;
            let before = self.at;
            match self.word(0) {
                "entity" => self.entity(),
                "stream" => self.stream(),
                "features" => self.group(),
                "view" => self.view(),
                "label" => self.label(),
                "model" => self.model(),
                "decision" => self.decision(),
                "test" => self.test(),
                _ => self.expected(
                    "a declaration: entity, stream, features, view, label, model, decision or test",
                ),
            }
            if self.failed {
                self.skip(before, Parser::is_at_declaration);
            }
        }
    }

    /// Signs that no rule mentions.
    fn bad_tokens(&mut self) {
        for token in &self.tokens {
            let span = SourceSpan { file: self.file, start: token.start, end: token.end };
            match token.kind {
                TokenKind::UnterminatedString => self.sink.push(
                    Diagnostic::error(
                        Code::UnterminatedString,
                        span,
                        "a string without its closing quote",
                    )
                    .hint("end it with `\"` on the same line; write a line break as `\\n`"),
                ),
                TokenKind::Unknown => {
                    let text = &self.text[token.start as usize..token.end as usize];
                    let message = format!("unexpected {text:?}");
                    let told = Diagnostic::error(Code::UnexpectedCharacter, span, message);
                    self.sink.push(foreign::about_character(text).on(told));
                }
                _ => {}
            }
        }
    }

    // ---- looking ahead

    fn token(&self, ahead: usize) -> Option<Token> {
        self.significant.get(self.at + ahead).map(|i| self.tokens[*i as usize])
    }

    fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.token(ahead).map(|t| t.kind)
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.significant.len()
    }

    fn is(&self, kind: TokenKind) -> bool {
        self.kind(0) == Some(kind)
    }

    fn span(&self, token: Token) -> SourceSpan {
        SourceSpan { file: self.file, start: token.start, end: token.end }
    }

    /// The text of the token that is so far ahead; empty at the end.
    fn shown(&self, ahead: usize) -> &str {
        self.text_of(self.at + ahead)
    }

    /// The text of a token that is not trivia, by its number among them.
    fn text_of(&self, at: usize) -> &str {
        let token = self.significant.get(at).map(|i| self.tokens[*i as usize]);
        token.map_or("", |token| &self.text[token.start as usize..token.end as usize])
    }

    /// The word that is so far ahead; empty for a token of another kind.
    fn word(&self, ahead: usize) -> &str {
        match self.token(ahead) {
            Some(Token { kind: TokenKind::Word, start, end }) => {
                &self.text[start as usize..end as usize]
            }
            _ => "",
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.word(0) == word
    }

    fn is_first_on_line(&self) -> bool {
        let Some(index) = self.significant.get(self.at) else { return true };
        let before = self.tokens[..*index as usize].iter().rev();
        let mut trivia = before.take_while(|t| t.kind.is_trivia());
        self.at == 0 || trivia.any(|t| self.text[t.start as usize..t.end as usize].contains('\n'))
    }

    fn is_at_declaration(&self) -> bool {
        DECLARATIONS.contains(&self.word(0))
            && matches!(self.kind(1), Some(TokenKind::Word | TokenKind::String))
            && self.is_first_on_line()
    }

    // ---- building

    fn start(&mut self, kind: NodeKind) {
        self.flush_trivia();
        self.builder.start(kind);
    }

    fn checkpoint(&mut self) -> usize {
        self.flush_trivia();
        self.builder.checkpoint()
    }

    fn finish(&mut self) {
        self.builder.finish(&self.tokens);
    }

    fn flush_trivia(&mut self) {
        let next = self.significant.get(self.at).map_or(self.tokens.len(), |i| *i as usize);
        self.flush_to(next);
    }

    fn flush_to(&mut self, end: usize) {
        while self.flushed < end {
            self.builder.token(u32::try_from(self.flushed).unwrap_or(u32::MAX));
            self.flushed += 1;
        }
    }

    /// Takes the next token into the open node.
    fn bump(&mut self) {
        if let Some(index) = self.significant.get(self.at) {
            let end = *index as usize + 1;
            self.at += 1;
            self.flush_to(end);
        }
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let is_there = self.is(kind);
        if is_there {
            self.bump();
        }
        is_there
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        if is_there {
            self.bump();
        }
        is_there
    }

    /// A node around one token.
    fn leaf(&mut self, kind: NodeKind) {
        self.start(kind);
        self.bump();
        self.finish();
    }

    // ---- expecting

    fn expect(&mut self, kind: TokenKind) -> bool {
        let is_there = self.eat(kind);
        if !is_there {
            let advice = self.advice(kind);
            self.expected_but(kind_name(kind), advice);
        }
        is_there
    }

    fn expect_word(&mut self, word: &str) -> bool {
        let is_there = self.eat_word(word);
        if !is_there {
            let advice = self.for_word(word);
            self.expected_but(&format!("`{word}`"), advice);
        }
        is_there
    }

    /// A name, in a node of its own. Words of the language are taken, with a diagnostic.
    fn name(&mut self, what: &str) -> bool {
        self.name_as(NodeKind::Name, what)
    }

    fn name_as(&mut self, kind: NodeKind, what: &str) -> bool {
        if !self.is(TokenKind::Word) {
            self.expected(what);
            return false;
        }
        if is_reserved(self.word(0)) {
            let message =
                format!("`{}` is a word of the language and cannot be a name", self.word(0));
            self.report(Code::ReservedName, message);
        }
        self.check_name_length();
        self.leaf(kind);
        true
    }

    fn check_name_length(&mut self) {
        let length = self.word(0).len();
        if length > NAME_BYTES_MAX {
            let message = format!("a name of {length} bytes; at most {NAME_BYTES_MAX}");
            self.report(Code::NameLimit, message);
        }
    }

    /// `item, item, …`, at least one.
    fn comma_list(&mut self, mut item: impl FnMut(&mut Self)) {
        item(self);
        while !self.failed && self.eat(TokenKind::Comma) {
            item(self);
        }
    }

    /// `{ item … }`. A broken item is skipped; a block that is never closed ends at the next
    /// declaration.
    fn block(&mut self, mut item: impl FnMut(&mut Self)) {
        if !self.expect(TokenKind::OpenBrace) {
            return;
        }
        loop {
            self.failed = false;
            if self.eat(TokenKind::CloseBrace) {
                return;
            }
            if self.is_at_end() || self.is_at_declaration() {
                self.expected("`}`");
                self.failed = false;
                return;
            }
            if self.comma_between_items() {
                continue;
            }
            let before = self.at;
            item(self);
            if self.failed || self.at == before {
                self.skip(before, |p| p.is(TokenKind::Word) && p.is_first_on_line());
            }
        }
    }

    /// Skips into an `Error` node up to where `stop` holds, or to the brace that closes the block
    /// at hand. Takes at least one token if nothing was taken since `before`.
    fn skip(&mut self, before: usize, stop: impl Fn(&Self) -> bool) {
        let taken = self.significant[before..self.at].iter().map(|i| self.tokens[*i as usize].kind);
        let mut depth = taken.fold(0usize, nest);
        self.start(NodeKind::Error);
        while !self.is_at_end() {
            let moved = self.at > before;
            if moved && self.is_at_declaration() {
                break;
            }
            if moved && depth == 0 && (stop(self) || self.is(TokenKind::CloseBrace)) {
                break;
            }
            depth = self.kind(0).map_or(depth, |kind| nest(depth, kind));
            self.bump();
        }
        self.finish();
    }

    /// "expected …, found …", unless the item has its diagnostic already.
    fn expected(&mut self, what: &str) {
        let advice = self.for_comment();
        self.expected_but(what, advice);
    }

    /// As [`Parser::expected`], with what to do about it.
    fn expected_but(&mut self, what: &str, advice: Option<Advice>) {
        if matches!(self.kind(0), Some(TokenKind::UnterminatedString | TokenKind::Unknown)) {
            // The token has a diagnostic of its own.
            self.failed = true;
            return;
        }
        let found = match self.token(0) {
            None => "the end of the file".to_owned(),
            Some(token) => {
                let text = &self.text[token.start as usize..token.end as usize];
                match token.kind {
                    TokenKind::Word | TokenKind::Number | TokenKind::Duration => {
                        format!("`{text}`")
                    }
                    TokenKind::Time => format!("`{text}`"),
                    kind => kind_name(kind).to_owned(),
                }
            }
        };
        let message = format!("expected {what}, found {found}");
        let told = Diagnostic::error(Code::Syntax, self.here(), message);
        self.tell(match advice {
            Some(advice) => advice.on(told),
            None => told,
        });
    }

    fn report(&mut self, code: Code, message: String) {
        self.tell(Diagnostic::error(code, self.here(), message));
    }

    /// Tells what is wrong with the item at hand, unless it has its diagnostic already.
    fn tell(&mut self, diagnostic: Diagnostic) {
        if !self.failed {
            self.failed = true;
            self.sink.push(diagnostic);
        }
    }

    /// The next token; behind the last one where there is no next.
    fn here(&self) -> SourceSpan {
        let before = self.at.checked_sub(1).and_then(|i| self.significant.get(i));
        match (self.token(0), before.map(|i| self.tokens[*i as usize])) {
            (Some(next), _) => self.span(next),
            (None, Some(last)) => self.span(last).end_point(),
            (None, None) => SourceSpan { file: self.file, start: 0, end: 0 },
        }
    }
}

/// How many braces are open behind a token.
fn nest(depth: usize, kind: TokenKind) -> usize {
    match kind {
        TokenKind::OpenBrace => depth + 1,
        TokenKind::CloseBrace => depth.saturating_sub(1),
        _ => depth,
    }
}
