//! Releases before 3.0 write `NaN` for the threshold that a split by categories does not have, which
//! is no JSON.

use std::borrow::Cow;

/// What stands for `NaN`: JSON, and as long, so that the columns that an error tells stay right.
pub(super) const QUOTED: &str = "\"N\"";
const NAN: &str = "NaN";

/// The text with every `NaN` outside of strings replaced; copied only where there is one.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    if !text.contains(NAN) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    // Every second part is inside quotes; a quote after a backslash ends none.
    let mut is_string = false;
    for part in text.split_inclusive('"') {
        if is_string {
            out.push_str(part);
        } else {
            out.push_str(&part.replace(NAN, QUOTED));
        }
        let is_escaped = is_string && backslashes_before_quote(part) % 2 == 1;
        is_string = is_string == is_escaped;
    }
    Cow::Owned(out)
}

fn backslashes_before_quote(part: &str) -> usize {
    let inside = part.strip_suffix('"').unwrap_or(part);
    inside.bytes().rev().take_while(|byte| *byte == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn only_bare_ones_are_replaced() {
        assert_eq!(quoted(r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(
            quoted(r#"{"NaN \\\" NaN":[NaN,NaN],"b\\":NaN}"#),
            r#"{"NaN \\\" NaN":["N","N"],"b\\":"N"}"#
        );
    }
}
