//! Random scenarios, as text in the language: definitions and a test with events.
//!
//! A draft is kept in removable pieces, so that a failing one can be made small before it is
//! shown; and since it is text, what is shown can become a case of the corpus as it stands.

mod definition;
mod event;
mod expression;

use std::fmt::Write;

use crate::prng::Prng;

/// A file of the language in pieces. Every line within a part, and every event, may be left out.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The header's directives.
    header: Vec<String>,
    parts: Vec<Part>,
    events: Vec<String>,
}

/// A declaration with a block.
#[derive(Clone, Debug)]
struct Part {
    head: String,
    lines: Vec<String>,
    /// Whether all of it may be left out.
    is_optional: bool,
}

/// Attempts at making a draft smaller.
const ATTEMPTS_MAX: usize = 600;

impl Draft {
    /// The draft of this seed.
    pub fn new(seed: u64) -> Draft {
        let mut random = Prng::new(seed);
        let setup = definition::Setup::new(&mut random);
        let parts = definition::parts(&setup, &mut random);
        let events = event::events(&setup, &mut random);
        Draft { header: setup.header(), parts, events }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.header {
            writeln!(text, "# {line}").expect("a string takes all that is written");
        }
        text.push_str("entity card, device\nentity shop : int\n");
        for part in &self.parts {
            write!(text, "\n{} {{\n", part.head).expect("a string takes all that is written");
            part.lines.iter().for_each(|line| text.extend(["  ", line, "\n"]));
            text.push_str("}\n");
        }
        text.push_str("\ntest \"random\" {\n");
        self.events.iter().for_each(|event| text.extend(["  ", event, "\n"]));
        text.push_str("}\n");
        text
    }

    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// A smaller draft that still fails, by leaving out ever smaller pieces.
    pub fn shrunk(mut self, fails: impl Fn(&Draft) -> bool) -> Draft {
        let mut attempts = 0;
        let mut keeps = |draft: Draft, smaller: Draft| {
            attempts += 1;
            if attempts <= ATTEMPTS_MAX && fails(&smaller) {
                (smaller, true)
            } else {
                (draft, false)
            }
        };
        loop {
            let before = self.pieces();
            for at in (0..self.parts.len())
                .rev()
                .filter(|at| self.parts[*at].is_optional)
                .collect::<Vec<_>>()
            {
                let mut smaller = self.clone();
                smaller.parts.remove(at);
                self = keeps(self, smaller).0;
            }
            let mut width = self.events.len().div_ceil(2);
            while width > 0 {
                let mut at = 0;
                while at < self.events.len() {
                    let mut smaller = self.clone();
                    smaller.events.drain(at..(at + width).min(self.events.len()));
                    let (draft, kept) = keeps(self, smaller);
                    self = draft;
                    at += if kept { 0 } else { width };
                }
                width /= 2;
            }
            for part in 0..self.parts.len() {
                for line in (0..self.parts[part].lines.len()).rev() {
                    let mut smaller = self.clone();
                    smaller.parts[part].lines.remove(line);
                    self = keeps(self, smaller).0;
                }
            }
            if self.pieces() == before {
                return self;
            }
        }
    }

    fn pieces(&self) -> usize {
        self.events.len() + self.parts.iter().map(|p| 1 + p.lines.len()).sum::<usize>()
    }
}
