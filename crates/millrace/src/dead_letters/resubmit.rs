//! `millrace dead-letters resubmit`: letters handed over again, by a running server.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Which;
use crate::console::{counted, note, say};
use crate::exit::Failure;
use crate::project;
use crate::remote::Remote;

/// Letters of a file sent together.
const TOGETHER: usize = 500;

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The server
    #[arg(long)]
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
    let remote = Remote::new(&args.url)?;
    let mut total = Total::default();
    match &args.file {
        Some(path) => {
            for letters in letters(path)?.chunks(TOGETHER) {
                let body = format!("{{\"letters\":[{}]}}", letters.join(","));
                total.add(&send(&remote, body)?);
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

/// The file's letters as JSON, with the digits that they have there.
fn letters(path: &Path) -> Result<Vec<String>, Failure> {
    let text = project::text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let wrong = |cause: String| {
                let place = format!("{}:{}", path.display(), at + 1);
                Failure::user(format!("{place}: {cause}; write {{\"number\": …, \"record\": …}}"))
            };
            let Line { number, record } =
                serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
            if !record.get().starts_with('{') {
                return Err(wrong(format!("the record of letter {number} is no JSON object")));
            }
            Ok(format!("{{\"number\":{number},\"record\":{record}}}"))
        })
        .collect()
}

/// What the server said, summed up.
#[derive(Debug, Default)]
struct Total {
    resubmitted: u64,
    already: u64,
    still_dead: u64,
    events: [u64; 3],
}

impl Total {
    fn add(&mut self, answer: &Value) {
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        self.resubmitted += count(&answer["resubmitted"]);
        self.already += count(&answer["already"]);
        self.still_dead += count(&answer["still_dead"]);
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
        Ok(())
    }
}
