//! Lines of text whose parts stand below each other.

use crate::tree::NodeKind;

use super::leaf::Leaf;

/// A part wider than this does not push the parts of other lines to the right.
const PART_WIDTH_MAX: usize = 40;

/// How many parts an item can have.
const PARTS_MAX: usize = 6;

/// One line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub indent: usize,
    /// By the number of the part, ascending.
    pub parts: Vec<(usize, String)>,
    pub comment: Option<String>,
    pub empty_before: bool,
    /// The item that begins here, if its parts stand below others'.
    pub item: Option<NodeKind>,
    pub closes_block: bool,
}

impl Line {
    pub fn add(&mut self, leaf: &Leaf<'_>, space: bool) {
        let is_next = |part: &usize| self.parts.last().is_none_or(|last| last.0 < *part);
        match (leaf.part.filter(is_next), self.parts.last_mut()) {
            (Some(part), Some(_)) => self.parts.push((part, leaf.text.to_owned())),
            (None, Some((_, text))) => {
                if space {
                    text.push(' ');
                }
                text.push_str(leaf.text);
            }
            (_, None) => self.parts.push((0, leaf.text.to_owned())),
        }
        self.closes_block |= leaf.closes_block();
    }
}

/// The lines as text, each with its end.
pub(super) fn print(lines: &[Line]) -> String {
    let mut out = String::new();
    let mut start = 0;
    while start < lines.len() {
        let end = start + run(&lines[start..]);
        let widths = widths(&lines[start..end]);
        for line in &lines[start..end] {
            print_line(line, &widths, &mut out);
        }
        start = end;
    }
    out
}

/// How many lines, one at least, stand together: up to an empty line or another kind of item.
/// Comments and lines that go on from the one above do not part them.
fn run(lines: &[Line]) -> usize {
    let item = lines[0].item;
    let goes_on = |line: &&Line| !line.empty_before && (line.item == item || line.item.is_none());
    match item {
        None => 1,
        Some(_) => 1 + lines[1..].iter().take_while(goes_on).count(),
    }
}

/// The width of each part that has another one behind it.
fn widths(lines: &[Line]) -> [usize; PARTS_MAX] {
    let mut widths = [0; PARTS_MAX];
    for line in lines.iter().filter(|line| line.item.is_some()) {
        for (part, text) in line.parts.iter().rev().skip(1) {
            let width = text.chars().count();
            if width <= PART_WIDTH_MAX {
                widths[*part] = widths[*part].max(width);
            }
        }
    }
    widths
}

fn print_line(line: &Line, widths: &[usize; PARTS_MAX], out: &mut String) {
    if line.empty_before {
        out.push('\n');
    }
    let mut text = String::new();
    for (part, piece) in &line.parts {
        // Where the part begins if every part before it is as wide as the widest.
        let place: usize =
            widths[..*part].iter().filter(|width| **width > 0).map(|width| width + 1).sum();
        let width = text.chars().count();
        let blanks = if width == 0 { 0 } else { place.saturating_sub(width).max(1) };
        text.extend(std::iter::repeat_n(' ', blanks));
        text.push_str(piece);
    }
    if let Some(comment) = &line.comment {
        text.push_str(if text.is_empty() { "" } else { "  " });
        text.push_str(comment);
    }
    out.extend(std::iter::repeat_n(' ', line.indent));
    out.push_str(&text);
    out.push('\n');
}
