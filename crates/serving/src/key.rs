//! A key as people write it, parsed once into the key that an engine knows.

use std::borrow::Cow;

use millrace_event::{Key, KeyKind};
use millrace_feature::plan::Plan;

/// One column of a key as it was given: a part of a path, or a JSON string or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart<'a> {
    Text(Cow<'a, str>),
    Int(i64),
}

impl<'a> KeyPart<'a> {
    pub fn text(text: impl Into<Cow<'a, str>>) -> KeyPart<'a> {
        KeyPart::Text(text.into())
    }
}

/// Why a key is not one of the group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("group `{group}` has the key {columns}: {expected} to give, and {given} given")]
    Parts { group: String, columns: String, expected: usize, given: usize },
    #[error(
        "`{given}` is no key of `{column}`, whose keys are whole numbers; write its digits alone, \
         such as 7 or -7"
    )]
    NotAnInteger { column: String, given: String },
    #[error("the number {given} is no key of `{column}`, whose keys are strings; put it in quotes")]
    NotText { column: String, given: i64 },
}

/// The longest part of a key that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// Reads one part per key column of the group, in the order of its definition. Text is taken as it
/// is, without trimming; text for an integer key is its decimal digits, with `-` where negative.
///
/// # Errors
/// When the count or a kind is not that of the group's key.
pub fn parse_key(plan: &Plan, group: usize, parts: &[KeyPart<'_>]) -> Result<Key, KeyError> {
    let definition = &plan.groups[group];
    let fields = &plan.streams[definition.stream].schema.fields;
    let column = |at: usize| fields[definition.keys[at]].name.to_string();
    let expected = definition.key_kinds.len();
    if parts.len() != expected {
        let columns: Vec<String> = (0..expected).map(|at| format!("`{}`", column(at))).collect();
        return Err(KeyError::Parts {
            group: definition.name.to_string(),
            columns: columns.join(", "),
            expected,
            given: parts.len(),
        });
    }
    let mut key = Key::default();
    for (at, (part, kind)) in parts.iter().zip(&definition.key_kinds).enumerate() {
        match (kind, part) {
            (KeyKind::Text, KeyPart::Text(text)) => key.push_text(text),
            (KeyKind::Int, KeyPart::Int(n)) => key.push_int(*n),
            (KeyKind::Int, KeyPart::Text(text)) => match integer(text) {
                Some(n) => key.push_int(n),
                None => {
                    let given = text.chars().take(SHOWN_CHARS_MAX).collect();
                    return Err(KeyError::NotAnInteger { column: column(at), given });
                }
            },
            (KeyKind::Text, KeyPart::Int(n)) => {
                return Err(KeyError::NotText { column: column(at), given: *n });
            }
        }
    }
    Ok(key)
}

/// Digits with an optional minus, as the number is written; nothing else, so that a key has one
/// spelling.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|n: &i64| n.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::tests::{CARD, DEVICE_CARD, plan};

    #[test]
    fn text_keys_are_taken_as_they_are() {
        let plan = plan();
        for text in ["card_1", "", " a ", "é/%2F", "42"] {
            let key = parse_key(&plan, CARD, &[KeyPart::text(text)]).unwrap();
            let mut expected = Key::default();
            expected.push_text(text);
            assert_eq!(key, expected);
        }
    }

    #[test]
    fn integers_come_as_numbers_or_digits() {
        let plan = plan();
        let device = |part| parse_key(&plan, DEVICE_CARD, &[part, KeyPart::text("c")]);
        let mut expected = Key::default();
        expected.push_int(-42);
        expected.push_text("c");
        assert_eq!(device(KeyPart::Int(-42)).unwrap(), expected);
        assert_eq!(device(KeyPart::text("-42")).unwrap(), expected);
        for wrong in ["", "x", "+42", "042", "-0", "4.0", " 42", "9223372036854775808"] {
            let error = device(KeyPart::text(wrong)).unwrap_err();
            let given = wrong.to_owned();
            assert_eq!(error, KeyError::NotAnInteger { column: "device".to_owned(), given });
        }
    }

    #[test]
    fn the_count_and_kind_of_parts_must_fit() {
        let plan = plan();
        assert_eq!(
            parse_key(&plan, DEVICE_CARD, &[KeyPart::Int(1)]).unwrap_err().to_string(),
            "group `device_card` has the key `device`, `card`: 2 to give, and 1 given"
        );
        assert!(matches!(parse_key(&plan, CARD, &[]), Err(KeyError::Parts { given: 0, .. })));
        assert_eq!(
            parse_key(&plan, CARD, &[KeyPart::Int(7)]),
            Err(KeyError::NotText { column: "card".to_owned(), given: 7 })
        );
    }
}
