//! Text to tokens. Every byte of the text is in exactly one token, and no text is refused.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Spaces, tabs and line breaks. Line breaks mean nothing.
    Blank,
    /// From `#` to the end of the line, without the line break.
    Comment,
    /// A name or a word of the language: which, its place tells.
    Word,
    /// `12`, `1_000`, `0.95`.
    Number,
    /// Digits with letters behind them: `10m`.
    Duration,
    /// `12:00`, `12:00:30`, `12:00:30.5`.
    Time,
    /// In double quotes.
    String,
    /// As `String`, but the line ends before the closing quote.
    UnterminatedString,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Comma,
    Dot,
    Colon,
    Question,
    /// Signs of other languages, understood in order to say what to write: `==`, `<>`.
    DoubleEqual,
    LessGreater,
    DoubleAmpersand,
    DoubleBar,
    Exclamation,
    /// Characters that the language does not use.
    Unknown,
}

/// A kind and how many bytes of the text it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
}

impl TokenKind {
    /// Blanks and comments, which no rule of the grammar mentions.
    pub fn is_trivia(self) -> bool {
        matches!(self, TokenKind::Blank | TokenKind::Comment)
    }
}

/// Splits a text. Texts of 4 GiB and more are cut; [`crate::compile`] refuses far smaller ones.
pub fn text_to_tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::with_capacity(bytes.len() / 3);
    let mut start = 0;
    while start < bytes.len() {
        let (kind, length) = next_token(&bytes[start..]);
        let end = start + length;
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        tokens.push(Token { kind, start: offset(start), end: offset(end) });
        start = end;
    }
    tokens
}

/// The kind and length of the token at the beginning of `rest`, which is not empty.
fn next_token(rest: &[u8]) -> (TokenKind, usize) {
    let run = |from: usize, belongs: fn(u8) -> bool| {
        from + rest[from..].iter().take_while(|b| belongs(**b)).count()
    };
    match rest[0] {
        b' ' | b'\t' | b'\n' | b'\r' => {
            (TokenKind::Blank, run(0, |b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')))
        }
        b'#' => (TokenKind::Comment, run(0, |b| !matches!(b, b'\n' | b'\r'))),
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => (TokenKind::Word, run(0, is_word)),
        b'0'..=b'9' => number(rest),
        b'"' => string(rest),
        // A byte-order mark is a blank at best.
        0xef if rest.starts_with(b"\xef\xbb\xbf") => (TokenKind::Blank, 3),
        _ => sign(rest),
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn number(rest: &[u8]) -> (TokenKind, usize) {
    let digits_from =
        |from: usize| from + rest[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    if let Some(length) = time(rest, digits_from(0)) {
        return (TokenKind::Time, length);
    }
    let after = rest.get(whole).copied();
    if after == Some(b'.') && rest.get(whole + 1).is_some_and(u8::is_ascii_digit) {
        return (TokenKind::Number, digits_from(whole + 1));
    }
    if after.is_some_and(|b| b.is_ascii_alphabetic()) {
        let tail = rest[whole..].iter().take_while(|b| is_word(**b)).count();
        return (TokenKind::Duration, whole + tail);
    }
    (TokenKind::Number, whole)
}

/// `:MM`, then perhaps `:SS`, then perhaps a fraction, behind an hour of one or two digits.
fn time(rest: &[u8], hour: usize) -> Option<usize> {
    let two_at = |at: usize| {
        rest.get(at) == Some(&b':')
            && rest.get(at + 1..at + 3).is_some_and(|d| d.iter().all(u8::is_ascii_digit))
    };
    if hour > 2 || !two_at(hour) {
        return None;
    }
    if !two_at(hour + 3) {
        return Some(hour + 3);
    }
    let seconds = hour + 6;
    let has_fraction =
        rest.get(seconds) == Some(&b'.') && rest.get(seconds + 1).is_some_and(u8::is_ascii_digit);
    if !has_fraction {
        return Some(seconds);
    }
    Some(seconds + 1 + rest[seconds + 1..].iter().take_while(|b| b.is_ascii_digit()).count())
}

fn string(rest: &[u8]) -> (TokenKind, usize) {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return (TokenKind::String, at + 1),
            b'\n' | b'\r' => break,
            b'\\' if rest.get(at + 1).is_some_and(|b| !matches!(b, b'\n' | b'\r')) => at += 2,
            _ => at += 1,
        }
    }
    (TokenKind::UnterminatedString, at)
}

fn sign(rest: &[u8]) -> (TokenKind, usize) {
    let kind = match rest {
        [b'=', b'=', ..] => (TokenKind::DoubleEqual, 2),
        [b'!', b'=', ..] => (TokenKind::NotEqual, 2),
        [b'<', b'=', ..] => (TokenKind::LessEqual, 2),
        [b'<', b'>', ..] => (TokenKind::LessGreater, 2),
        [b'>', b'=', ..] => (TokenKind::GreaterEqual, 2),
        [b'&', b'&', ..] => (TokenKind::DoubleAmpersand, 2),
        [b'|', b'|', ..] => (TokenKind::DoubleBar, 2),
        [b'+', ..] => (TokenKind::Plus, 1),
        [b'-', ..] => (TokenKind::Minus, 1),
        [b'*', ..] => (TokenKind::Star, 1),
        [b'/', ..] => (TokenKind::Slash, 1),
        [b'%', ..] => (TokenKind::Percent, 1),
        [b'=', ..] => (TokenKind::Equal, 1),
        [b'<', ..] => (TokenKind::Less, 1),
        [b'>', ..] => (TokenKind::Greater, 1),
        [b'!', ..] => (TokenKind::Exclamation, 1),
        [b'(', ..] => (TokenKind::OpenParen, 1),
        [b')', ..] => (TokenKind::CloseParen, 1),
        [b'[', ..] => (TokenKind::OpenBracket, 1),
        [b']', ..] => (TokenKind::CloseBracket, 1),
        [b'{', ..] => (TokenKind::OpenBrace, 1),
        [b'}', ..] => (TokenKind::CloseBrace, 1),
        [b',', ..] => (TokenKind::Comma, 1),
        [b'.', ..] => (TokenKind::Dot, 1),
        [b':', ..] => (TokenKind::Colon, 1),
        [b'?', ..] => (TokenKind::Question, 1),
        _ => (TokenKind::Unknown, unknown(rest)),
    };
    debug_assert!(kind.1 > 0);
    kind
}

/// A text in single quotes, a control character alone, or a run of characters beyond ASCII.
fn unknown(rest: &[u8]) -> usize {
    if let [b'\'', quoted @ ..] = rest {
        let inner = quoted.iter().take_while(|b| !matches!(b, b'\'' | b'\n' | b'\r')).count();
        return if quoted.get(inner) == Some(&b'\'') { inner + 2 } else { 1 };
    }
    rest.iter().take_while(|b| !b.is_ascii()).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        text_to_tokens(text)
            .into_iter()
            .map(|t| (t.kind, &text[t.start as usize..t.end as usize]))
            .filter(|(kind, _)| *kind != TokenKind::Blank)
            .collect()
    }

    #[test]
    fn numbers_durations_and_times_are_told_apart() {
        use TokenKind::{Colon, Comma, Dot, Duration, Number, Time, Word};
        assert_eq!(
            kinds("12 1_000 0.95 10m 5x 12:00 9:05:30.25 a:12 7."),
            [
                (Number, "12"),
                (Number, "1_000"),
                (Number, "0.95"),
                (Duration, "10m"),
                (Duration, "5x"),
                (Time, "12:00"),
                (Time, "9:05:30.25"),
                (Word, "a"),
                (Colon, ":"),
                (Number, "12"),
                (Number, "7"),
                (Dot, "."),
            ]
        );
        assert_eq!(kinds("12:0,"), [(Number, "12"), (Colon, ":"), (Number, "0"), (Comma, ",")]);
    }

    #[test]
    fn strings_end_at_their_quote_or_their_line() {
        use TokenKind::{String, UnterminatedString, Word};
        assert_eq!(kinds(r#""a\"b" c"#), [(String, r#""a\"b""#), (Word, "c")]);
        assert_eq!(kinds("\"a\nb"), [(UnterminatedString, "\"a"), (Word, "b")]);
        assert_eq!(kinds("\"a\\"), [(UnterminatedString, "\"a\\")]);
    }

    #[test]
    fn every_byte_is_in_one_token() {
        for text in ["", "é#x\r\n\u{feff}\u{0}$", "a<>b==c!=d&&e||!f", "\"é\\é"] {
            let mut at = 0;
            for token in text_to_tokens(text) {
                assert_eq!(token.start, at, "{text:?}");
                assert!(text.is_char_boundary(token.end as usize), "{text:?}");
                at = token.end;
            }
            assert_eq!(at as usize, text.len());
        }
    }
}
