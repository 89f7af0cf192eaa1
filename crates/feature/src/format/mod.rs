//! The one way in which definitions are written.
//!
//! Words, signs and comments stay as they are and in their order; only blanks change. Line breaks
//! inside an item are the writer's choice and are kept. Items stand on lines of their own, and the
//! parts of fields, features and rules stand below each other, up to the next empty line.

mod leaf;
mod line;
mod space;

use crate::diagnostic::Sink;
use crate::lexer::TokenKind;
use crate::parser::text_to_tree;
use crate::tree::{NodeId, Tree};

use leaf::{Leaf, node_to_leaves, tree_to_leaves};
use line::{Line, print};
use space::needs_space;

/// Columns that one continuation or one pair of brackets moves a line to the right.
const INDENT: usize = 2;

/// The text as it is written: formatting it again changes nothing, and it parses to the same
/// definitions. A text that does not parse is given back as it is.
pub fn format(text: &str) -> String {
    let mut sink = Sink::default();
    let tree = text_to_tree(0, text, &mut sink);
    if !sink.diagnostics.is_empty() {
        return text.to_owned();
    }
    print(&leaves_to_lines(&tree_to_leaves(&tree, text)))
}

/// A piece of a text on one line, with the blanks that [`format`] sets and without comments.
pub(crate) fn one_line(tree: &Tree, text: &str, id: NodeId) -> String {
    let mut out = String::new();
    let leaves = node_to_leaves(tree, text, id);
    let mut before: Option<&Leaf<'_>> = None;
    for leaf in &leaves {
        if before.is_some_and(|before| needs_space(before, leaf)) {
            out.push(' ');
        }
        out.push_str(leaf.text);
        before = Some(leaf);
    }
    out
}

/// Where the writer of lines is.
#[derive(Default)]
struct Writer {
    lines: Vec<Line>,
    /// Brackets open inside the item at hand.
    depth: usize,
    /// Whether what comes next is the first in its block or file.
    is_first: bool,
}

fn leaves_to_lines(leaves: &[Leaf<'_>]) -> Vec<Line> {
    let mut writer = Writer { is_first: true, ..Writer::default() };
    let mut before = None;
    for leaf in leaves {
        if leaf.is_comment() {
            writer.comment(leaf, before);
        } else {
            writer.token(leaf, before);
        }
        before = Some(leaf);
    }
    writer.lines
}

impl Writer {
    /// On the line of the token before it, or on a line of its own.
    fn comment(&mut self, leaf: &Leaf<'_>, before: Option<&Leaf<'_>>) {
        let follows = leaf.breaks == 0 && before.is_some_and(|before| !before.is_comment());
        match self.lines.last_mut() {
            Some(line) if follows => line.comment = Some(leaf.text.to_owned()),
            _ => {
                let indent = match leaf.in_item {
                    true => self.indent(leaf),
                    false => leaf.level * INDENT,
                };
                let empty_before = self.is_empty_before(leaf);
                let comment = Some(leaf.text.to_owned());
                self.lines.push(Line { indent, comment, empty_before, ..Line::default() });
                self.is_first = false;
            }
        }
    }

    fn token(&mut self, leaf: &Leaf<'_>, before: Option<&Leaf<'_>>) {
        let after_comment = before.is_some_and(Leaf::is_comment);
        let breaks = leaf.breaks > 0 && !leaf.opens_block();
        if leaf.begins_line {
            self.depth = 0;
            let empty_before = self.is_empty_before(leaf);
            self.push(leaf, leaf.level * INDENT, empty_before);
        } else if after_comment || breaks {
            self.push(leaf, self.indent(leaf), false);
        } else if let Some(line) = self.lines.last_mut() {
            line.add(leaf, before.is_some_and(|before| needs_space(before, leaf)));
        }
        let is_block = leaf.opens_block() || leaf.closes_block();
        match leaf.kind {
            _ if is_block => self.depth = 0,
            TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenBrace => self.depth += 1,
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
        self.is_first = leaf.opens_block();
    }

    fn push(&mut self, leaf: &Leaf<'_>, indent: usize, empty_before: bool) {
        let item = leaf.item.filter(|_| leaf.begins_line);
        let mut line = Line { indent, empty_before, item, ..Line::default() };
        line.add(leaf, false);
        self.lines.push(line);
    }

    /// Of a line that goes on from the one above: by the brackets that are open, twice where none
    /// is. A closing bracket stands below the beginning of its item.
    fn indent(&self, leaf: &Leaf<'_>) -> usize {
        let closes = matches!(
            leaf.kind,
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace
        );
        let steps = match self.depth {
            0 => 2,
            depth if closes => depth - 1,
            depth => depth,
        };
        (leaf.level + steps) * INDENT
    }

    /// Where the writer left one, and behind every block; never at the edges of a block or file.
    fn is_empty_before(&self, leaf: &Leaf<'_>) -> bool {
        let after_block = self.lines.last().is_some_and(|line| line.closes_block);
        let is_edge = self.is_first || leaf.closes_block();
        !is_edge && (leaf.breaks > 1 || after_block)
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn blanks_are_set_right() {
        let text = "entity  card,device:int\nstream s{a:string id\n at:timestamp time,late 10m\n\n\n\
                    b : decimal( 2 ) ? # money\n}\nfeatures g by card,at from s {\n\n a=count( )over 5m,1h\n\
                    # own line\n long_name = sum( -b )where a=\"x\" and not b in [ 1,2 ]  over 1h every 1m default 0\n\
                    let z = a\n}\nview v on s including {use g.{ a [5m] , b }\n c=g.a [ 5m ]+1}";
        assert_eq!(
            format(text),
            r#"entity card, device : int
stream s {
  a  : string    id
  at : timestamp time, late 10m

  b : decimal(2)?  # money
}

features g by card, at from s {
  a         = count()                                   over 5m, 1h
  # own line
  long_name = sum(-b) where a = "x" and not b in [1, 2] over 1h every 1m default 0
  let z = a
}

view v on s including {
  use g.{a[5m], b}
  c = g.a[5m] + 1
}
"#
        );
    }

    #[test]
    fn line_breaks_inside_an_item_are_kept() {
        let text = "test \"t\" {\npayment {\ncard: \"A\" # who\n amount: 1\n} at 12:00\n\
                    at 12:00 expect g[\"A\"] { a = 1,\nb = 2 }\n}\n# end";
        assert_eq!(
            format(text),
            r#"test "t" {
  payment {
    card: "A"  # who
    amount: 1
  } at 12:00
  at 12:00 expect g["A"] { a = 1,
    b = 2 }
}

# end
"#
        );
    }

    #[test]
    fn what_does_not_parse_stays() {
        let text = "entity  card\nfeatures {";
        assert_eq!(format(text), text);
        assert_eq!(format(""), "");
        assert_eq!(format("\n\n"), "");
        assert_eq!(format("#x  "), "#x\n");
    }
}
