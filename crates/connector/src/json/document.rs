//! A body that is one object, or a list of objects.
//!
//! The list is cut into its elements by counting brackets outside strings, before any of them is
//! parsed: an element that is not JSON then costs itself alone, as a bad line does.

use super::raw::skip_string;
use super::{bom_length, read_record};
use crate::Reason;
use crate::block::Block;
use crate::columns::Cell;
use crate::dead::Fault;
use crate::fields::Fields;

/// Objects of one list that may be dead letters: these are held until all of it is read.
pub(super) const DEAD_MAX: usize = 1 << 16;

/// Reads all of `body` into `block`, or up to where more than [`DEAD_MAX`] objects were dead
/// letters.
pub(super) fn decode(fields: &Fields, body: &[u8], block: &mut Block) {
    let mut cells = vec![Cell::Null; fields.len()];
    let mut text = Text { body, at: 0, block };
    text.go(bom_length(body));
    text.skip_space();
    if text.rest().first() != Some(&b'[') {
        let record = text.rest().trim_ascii_end();
        return read_record(fields, record, &mut cells, text.block);
    }
    text.go(1);
    let mut first = true;
    while text.block.dead_count() <= DEAD_MAX {
        text.skip_space();
        match text.rest().first() {
            Some(b']') if first => return text.end(),
            Some(_) => {}
            None => return text.broken("the list is not closed"),
        }
        first = false;
        let length = value_length(text.rest());
        if length == 0 {
            return text.broken("an object is missing");
        }
        let dead = text.block.dead_count();
        read_record(fields, &text.rest()[..length], &mut cells, text.block);
        text.go(length);
        text.skip_space();
        match text.rest().first() {
            Some(b',') => text.go(1),
            Some(b']') => return text.end(),
            Some(_) => return text.broken("two objects are not separated by a comma"),
            // An element that never ends has taken the rest with it, and is a letter already.
            None if text.block.dead_count() > dead => return,
            None => return text.broken("the list is not closed"),
        }
    }
}

/// The place reached in the body, and the block that keeps count of it.
struct Text<'t, 'a> {
    body: &'a [u8],
    at: usize,
    block: &'t mut Block,
}

impl<'a> Text<'_, 'a> {
    fn rest(&self) -> &'a [u8] {
        &self.body[self.at..]
    }

    fn go(&mut self, bytes: usize) {
        let passed = &self.rest()[..bytes];
        let lines = memchr::memchr_iter(b'\n', passed).count() as u64;
        self.block.advance(lines, bytes);
        self.at += bytes;
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.go(rest.len() - rest.trim_ascii_start().len());
    }

    /// The bracket that closes the list comes next.
    fn end(&mut self) {
        self.go(1);
        self.skip_space();
        if !self.rest().is_empty() {
            self.broken("something follows the list");
        }
    }

    /// The rest of the body cannot be cut into records, and so is one dead letter.
    fn broken(&mut self, cause: &str) {
        let message = format!("not a JSON list: {cause}; send [object, object, …]");
        self.block.bad(&Fault::of_record(Reason::BadJson, message), self.rest());
    }
}

/// The bytes of the value at the start; all there are where it does not end.
fn value_length(bytes: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => skip_string(&mut rest),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' if depth == 1 => return bytes.len() - rest.len(),
            b']' if depth == 1 => return bytes.len() - rest.len(),
            b',' | b']' if depth == 0 => return bytes.len() - rest.len() - 1,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_their_brackets_close() {
        for (text, length) in [
            (r#"{"a":"}]"},{}"#, 10),
            (r#"[1,[2]],3"#, 7),
            (r#"{"a":"\""} ]"#, 10),
            ("5,6", 1),
            ("]", 0),
            (",", 0),
            (r#"{"a":"open]}"#, 12),
            ("{]},", 2),
        ] {
            assert_eq!(value_length(text.as_bytes()), length, "{text}");
        }
    }
}
