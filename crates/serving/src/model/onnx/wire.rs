//! How many things a file holds, before memory is taken for them.
//!
//! A part of two bytes becomes a structure of some hundred when it is decoded. So parts are counted
//! in the bytes first: the fields of the model, of its graph, its nodes, their attributes and the
//! tensors. What else there is, such as names and types, is bounded by its bytes.

use crate::model::error::Fault;
use crate::model::limits;

/// Fields by number, as `onnx.proto` gives them.
const GRAPH: u64 = 7;
const NODE: u64 = 1;
const INITIALIZER: u64 = 5;
const ATTRIBUTE: u64 = 5;
const STRINGS: u64 = 9;
const TENSOR: u64 = 5;
/// Attributes with graphs, and lists of tensors and types, in which anything may be nested.
const NESTED: [u64; 6] = [6, 10, 11, 14, 15, 23];

#[derive(Debug, Default)]
struct Counts {
    parts: usize,
    strings: usize,
    other_bytes: usize,
}

/// `Ok` where decoding takes no more memory than the limits allow.
pub(super) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let mut counts = Counts::default();
    each(bytes, |number, part| match number {
        GRAPH => each(part, |number, part| counts.of_graph(number, part)),
        _ => counts.other(part),
    })
}

impl Counts {
    fn of_graph(&mut self, number: u64, part: &[u8]) -> Result<(), Fault> {
        self.part()?;
        match number {
            NODE => each(part, |number, part| {
                self.part()?;
                match number {
                    ATTRIBUTE => each(part, |number, part| self.of_attribute(number, part)),
                    _ => Ok(()),
                }
            }),
            // Their numbers are lists of numbers, which are as large as they are in the file.
            INITIALIZER => each(part, |_, _| self.part()),
            _ => self.other(part),
        }
    }

    fn of_attribute(&mut self, number: u64, part: &[u8]) -> Result<(), Fault> {
        match number {
            STRINGS => {
                self.strings += 1;
                Fault::limit("texts", self.strings, limits::ONNX_TEXTS_MAX)
            }
            TENSOR => each(part, |_, _| self.part()),
            _ if NESTED.contains(&number) => self.other(part),
            _ => self.part(),
        }
    }

    fn part(&mut self) -> Result<(), Fault> {
        self.parts += 1;
        Fault::limit("parts", self.parts, limits::ONNX_PARTS_MAX)
    }

    fn other(&mut self, part: &[u8]) -> Result<(), Fault> {
        self.other_bytes += part.len() + 1;
        Fault::limit("bytes of names and types", self.other_bytes, limits::ONNX_OTHER_BYTES_MAX)
    }
}

/// Calls with each field that has a length.
fn each(
    mut bytes: &[u8],
    mut field: impl FnMut(u64, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let cut = || Fault::Shape { message: "it is not ONNX, or is cut".to_owned() };
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or_else(cut)?;
        let length = match key & 7 {
            0 => {
                varint(&mut bytes).ok_or_else(cut)?;
                continue;
            }
            1 => 8,
            5 => 4,
            2 => varint(&mut bytes).ok_or_else(cut)?,
            _ => return Err(cut()),
        };
        let length = usize::try_from(length).map_err(|_| cut())?;
        let (part, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
        bytes = rest;
        if key & 7 == 2 {
            field(key >> 3, part)?;
        }
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
