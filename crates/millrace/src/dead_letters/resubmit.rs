//! `millrace dead-letters resubmit`: letters handed over again, by a running server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Which;
use crate::console::{counted, note, say};
use crate::exit::Failure;
use crate::project;
use crate::remote::Remote;

/// Letters of a file sent together, and their bytes: far below what a server takes.
const TOGETHER: usize = 500;
const TOGETHER_BYTES: usize = 1 << 20;

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The server, such as http://127.0.0.1:7878
    #[arg(long, value_name = "URL")]
    url: String,
    /// Mended letters, as `export --numbered` writes them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stream", "reason", "from"])]
    file: Option<PathBuf>,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
struct Line {
    number: u64,
    record: Box<RawValue>,
}

pub fn resubmit(args: &Args) -> Result<(), Failure> {
    super::check_reason(&args.which)?;
    let remote = Remote::new(&args.url)?;
    let mut total = Total::default();
    match &args.file {
        Some(path) => {
            for letters in parts(letters(path)?) {
                send_all(&remote, letters, &mut total)?;
            }
        }
        None => {
            let Which { stream, reason, from } = &args.which;
            let mut from = Some(*from);
            while let Some(first) = from {
                let body = json!({ "stream": stream, "reason": reason, "from": first });
                let answer = send(&remote, body.to_string())?;
                total.add(&answer);
                from = answer["next"].as_u64();
            }
        }
    }
    total.tell()
}

fn send(remote: &Remote, body: String) -> Result<Value, Failure> {
    remote.post("/v1/dead-letters/resubmit", body)
}

/// Sends these letters, and those again that the server did not get to.
fn send_all(remote: &Remote, mut letters: Vec<Letter>, total: &mut Total) -> Result<(), Failure> {
    while !letters.is_empty() {
        let texts: Vec<&str> = letters.iter().map(|letter| &*letter.json).collect();
        let answer = send(remote, format!("{{\"letters\":[{}]}}", texts.join(",")))?;
        total.add(&answer);
        let sent = letters.len();
        match answer["next"].as_u64() {
            Some(next) => letters.retain(|letter| letter.number >= next),
            None => letters.clear(),
        }
        if letters.len() == sent {
            let first = letters[0].number;
            return Err(Failure::bug(format!("the server does not get past letter {first}")));
        }
    }
    Ok(())
}

/// A letter of the file.
#[derive(Debug)]
struct Letter {
    number: u64,
    /// As the server takes it, with the digits of the file.
    json: String,
}

/// In parts that a server takes; a larger letter is a part of its own.
fn parts(letters: Vec<Letter>) -> Vec<Vec<Letter>> {
    let mut parts: Vec<Vec<Letter>> = Vec::new();
    let mut bytes = 0;
    for letter in letters {
        bytes += letter.json.len() + 1;
        match parts.last_mut() {
            Some(part) if part.len() < TOGETHER && bytes <= TOGETHER_BYTES => part.push(letter),
            Some(_) | None => {
                bytes = letter.json.len() + 1;
                parts.push(vec![letter]);
            }
        }
    }
    parts
}

/// The file's letters, each once.
fn letters(path: &Path) -> Result<Vec<Letter>, Failure> {
    let text = project::text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut seen = BTreeMap::new();
    lines
        .map(|(at, line)| {
            let place = format!("{}:{}", path.display(), at + 1);
            let wrong = |cause: String| {
                Failure::user(format!("{place}: {cause}; write {{\"number\": …, \"record\": …}}"))
            };
            let Line { number, record } =
                serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
            if !record.get().starts_with('{') {
                return Err(wrong(format!("the record of letter {number} is no JSON object")));
            }
            if let Some(before) = seen.insert(number, at + 1) {
                let cause = format!("letter {number} stands in line {before} already");
                return Err(Failure::user(format!("{place}: {cause}; remove one of them")));
            }
            Ok(Letter { number, json: format!("{{\"number\":{number},\"record\":{record}}}") })
        })
        .collect()
}

/// What the server said, summed up.
#[derive(Debug, Default)]
struct Total {
    resubmitted: u64,
    already: u64,
    still_dead: u64,
    unknown: u64,
    events: [u64; 3],
}

impl Total {
    fn add(&mut self, answer: &Value) {
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        self.resubmitted += count(&answer["resubmitted"]);
        self.already += count(&answer["already"]);
        self.still_dead += count(&answer["still_dead"]);
        self.unknown += count(&answer["unknown"]);
        for (sum, name) in self.events.iter_mut().zip(["accepted", "duplicate", "late"]) {
            *sum += count(&answer["events"][name]);
        }
        for letter in answer["letters"].as_array().into_iter().flatten() {
            let text = |name: &str| letter[name].as_str().unwrap_or_default();
            note!("{:>6}  {}: {}", letter["number"], text("reason"), text("message"));
        }
    }

    fn tell(&self) -> Result<(), Failure> {
        let [accepted, duplicate, late] = self.events;
        let sent = counted(self.resubmitted as usize, "letter");
        say!("{sent} handed over: {accepted} accepted, {duplicate} duplicate, {late} late")?;
        if self.already > 0 {
            say!("{} handed over before", counted(self.already as usize, "letter"))?;
        }
        if self.still_dead > 0 {
            say!("{} still dead", counted(self.still_dead as usize, "letter"))?;
        }
        if self.unknown > 0 {
            say!("{} not there", counted(self.unknown as usize, "letter"))?;
        }
        if self.still_dead + self.unknown > 0 {
            return Err(Failure::reported());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_bounded_in_letters_and_bytes() {
        let letter = |number, bytes| Letter { number, json: "x".repeat(bytes) };
        let sizes = |letters: Vec<Letter>| parts(letters).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes((0..501).map(|n| letter(n, 10)).collect()), [500, 1]);
        let half = TOGETHER_BYTES / 2 - 1;
        assert_eq!(sizes((0..5).map(|n| letter(n, half)).collect()), [2, 2, 1]);
        let large = vec![letter(0, 1), letter(1, 2 * TOGETHER_BYTES), letter(2, 1)];
        assert_eq!(sizes(large), [1, 1, 1]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }
}
