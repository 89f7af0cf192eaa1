//! Answers as JSON, written straight into bytes.

use millrace_connector::{TimeFormat, write_json};
use millrace_event::{Span, State};
use millrace_serving::{Served, ServedValue};

/// Writes the members of one JSON object.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, is_empty: true }
    }

    /// Begins a member; its value is to be appended to what is returned.
    pub fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        write_text(self.out, name);
        self.out.push(b':');
        self.out
    }

    pub fn text(&mut self, name: &str, text: &str) {
        write_text(self.member(name), text);
    }

    pub fn number(&mut self, name: &str, n: u64) {
        let out = self.member(name);
        write_number(out, n);
    }

    pub fn end(self) {
        self.out.push(b'}');
    }
}

pub fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing a string to memory cannot fail.
    serde_json::to_writer(out, text).expect("a string is JSON and memory takes it");
}

pub fn write_number(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Milliseconds with as many digits after the point as it takes.
pub fn write_millis(out: &mut Vec<u8>, span: Span) {
    let micros = u64::try_from(span.0).unwrap_or(0);
    write_number(out, micros / 1_000);
    let rest = micros % 1_000;
    if rest > 0 {
        out.extend_from_slice(format!(".{rest:03}").trim_end_matches('0').as_bytes());
    }
}

/// The values by name, each with its state and age.
pub fn write_values(out: &mut Vec<u8>, served: &Served<'_>) {
    let mut values = Object::new(out);
    for ServedValue { name, ty, value, state, age } in &served.values {
        let mut one = Object::new(values.member(name));
        write_json(one.member("value"), value, ty, TimeFormat::Text);
        one.text("state", state.name());
        write_millis(one.member("age_ms"), *age);
        one.end();
    }
    values.end();
}

/// What to do about values of the state `limit`, where there are any.
pub fn write_remedy(object: &mut Object<'_>, served: &Served<'_>) {
    if served.values.iter().any(|value| value.state == State::Limit) {
        object.text("hint", LIMIT_HINT);
    }
}

const LIMIT_HINT: &str = "a value of the state `limit` cannot be known: the time lies further back \
    than is kept, which [engine] history in millrace.toml says, or its function passed its limit, \
    such as 4,096 distinct members";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_ages_are_json() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.text("a\"", "\u{1}é");
        object.number("n", u64::MAX);
        for (name, micros) in [("x", 0), ("y", 1_500), ("z", 1), ("w", -4)] {
            write_millis(object.member(name), Span(micros));
        }
        object.end();
        let text = String::from_utf8(out).unwrap();
        let expected =
            r#"{"a\"":"\u0001é","n":18446744073709551615,"x":0,"y":1.5,"z":0.001,"w":0}"#;
        assert_eq!(text, expected);
    }
}
