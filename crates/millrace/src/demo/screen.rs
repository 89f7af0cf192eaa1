//! The live part on a terminal and elsewhere.

use std::io::Write as _;

use crate::console::is_terminal;
use crate::exit::Failure;

/// Redraws a table in place on a terminal, under lines that stay; appends elsewhere.
pub struct Screen {
    is_terminal: bool,
    /// Lines of the table that was drawn last.
    drawn: usize,
}

impl Screen {
    pub fn new() -> Screen {
        Screen { is_terminal: is_terminal(), drawn: 0 }
    }

    /// Shows lines that stay, and the table under them.
    pub fn draw(&mut self, lines: &[String], table: &[String]) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let mut text = String::new();
        if self.is_terminal && self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        // A line that stays may wrap; one of the table must not, or it would not be where it was.
        let [cleared, cut, uncut] =
            if self.is_terminal { ["\x1b[2K", "\x1b[?7l", "\x1b[?7h"] } else { [""; 3] };
        lines.iter().for_each(|line| text.push_str(&format!("{cleared}{line}\n")));
        table.iter().for_each(|line| text.push_str(&format!("{cleared}{cut}{line}{uncut}\n")));
        self.drawn = table.len();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
    }
}
