//! `millrace dead-letters`: look at the records that could not be read, and take them out to mend them.

mod remote;
mod resubmit;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use millrace_api::{Chosen, LetterLog, did_you_mean, letter_reasons};
use millrace_stream::live::DeadEvent;
use serde_json::json;
use serde_json::value::RawValue;

use crate::console::{self, counted, note, say};
use crate::exit::Failure;
use crate::project::{DataPlace, stream_names};
use crate::remote::Remote;

/// Shows, exports and hands over again the records that could not be read
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace dead-letters list
  millrace dead-letters show 17
  millrace dead-letters export --stream payments -o mend.ndjson
  millrace dead-letters resubmit --url http://127.0.0.1:7878 --reason missing-field")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Lists dead letters, a line for each
    #[command(after_help = "Examples:
  millrace dead-letters list
  millrace dead-letters list --stream payments --reason wrong-type
  millrace dead-letters list --json | jq .message
  millrace dead-letters list --url http://127.0.0.1:7878

Which letters were handed over again is known to the server that took them: with --url each of them
is marked. The key is taken from MILLRACE_KEY.")]
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        place: DataPlace,
        /// Print a line of JSON for each
        #[arg(long)]
        json: bool,
        /// Ask this server, which knows what was handed over again
        #[arg(long, value_name = "URL", conflicts_with_all = ["project", "data"])]
        url: Option<String>,
    },
    /// Shows one dead letter with the record as it came
    #[command(after_help = "Example:
  millrace dead-letters show 17")]
    Show {
        /// Its number in the list
        number: u64,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Writes the records as they came, a line for each, to be mended
    #[command(after_help = "Examples:
  millrace dead-letters export --stream payments -o mend.ndjson
  millrace dead-letters export --numbered -o mend.ndjson     to be handed over with `resubmit --file`")]
    Export {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        place: DataPlace,
        /// Write each as {\"number\": …, \"record\": …}
        #[arg(long)]
        numbered: bool,
        /// Where to write; standard output, if not given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Asks a running server to read letters again, as they came or mended
    #[command(after_help = "Examples:
  millrace dead-letters resubmit --url http://127.0.0.1:7878 --reason missing-field
  millrace dead-letters resubmit --url http://127.0.0.1:7878 --file mend.ndjson

Without --file every letter is read as it came: for when the definitions were at fault. With it, those
in the file are read as they stand there, a line of {\"number\": …, \"record\": …} each. A letter that
was read is marked, and not handed over a second time. The key is taken from MILLRACE_KEY.")]
    Resubmit(resubmit::Args),
}

/// Which letters.
#[derive(clap::Args, Clone, Debug)]
pub struct Which {
    /// Only of this stream
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Only for this reason, such as bad-json
    #[arg(long, value_name = "NAME")]
    reason: Option<String>,
    /// Only from this number on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,
}

pub fn dead_letters(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List { which, json, url: Some(url), .. } => {
            check_reason(which)?;
            remote::list(&Remote::new(url)?, which, *json)
        }
        Command::List { which, place, json, url: None } => list(which, place, *json),
        Command::Show { number, place } => show(*number, place),
        Command::Export { which, place, numbered, output } => {
            export(which, place, *numbered, output.as_deref())
        }
        Command::Resubmit(args) => resubmit::resubmit(args),
    }
}

fn list(which: &Which, place: &DataPlace, json: bool) -> Result<(), Failure> {
    let mut count = 0;
    for_each(place, which, |number, letter| {
        count += 1;
        if json {
            return say!("{}", as_json(number, letter));
        }
        let stream = letter.stream.as_deref().unwrap_or("-");
        let DeadEvent { origin, position, reason, message, .. } = letter;
        say!("{number:>6}  {stream}  {reason}  {origin}, {position}: {message}")
    })?;
    if !json {
        let marked = "which of them were handed over again, a running server knows: add --url";
        let remark = if count > 0 { format!("; {marked}") } else { String::new() };
        note!("{}{remark}", counted(count, "dead letter"));
    }
    Ok(())
}

fn show(number: u64, place: &DataPlace) -> Result<(), Failure> {
    let which = Which { stream: None, reason: None, from: number };
    let mut found = None;
    for_each(place, &which, |at, letter| {
        if at == number {
            found = Some(letter.clone());
        }
        Ok(())
    })?;
    let Some(letter) = found else {
        return Err(Failure::user(format!("there is no dead letter {number}; see `list`")));
    };
    say!("number:   {number}")?;
    say!("stream:   {}", letter.stream.as_deref().unwrap_or("-"))?;
    say!("reason:   {}", letter.reason)?;
    say!("origin:   {}, {}", letter.origin, letter.position)?;
    say!("message:  {}", letter.message)?;
    say!("record:   {}", String::from_utf8_lossy(&letter.bytes))
}

fn export(
    which: &Which,
    place: &DataPlace,
    numbered: bool,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut streams: Vec<Option<String>> = Vec::new();
    let mut count = 0;
    for_each(place, which, |number, letter| {
        count += 1;
        if !streams.contains(&letter.stream) {
            streams.push(letter.stream.clone());
        }
        if numbered {
            push_numbered(&mut lines, number, letter);
        } else {
            push_line(&mut lines, &letter.bytes);
        }
        Ok(())
    })?;
    if streams.len() > 1 && !numbered {
        let named: Vec<&str> = streams.iter().map(|s| s.as_deref().unwrap_or("-")).collect();
        let named = named.join(", ");
        let fix = "choose one with --stream, since each stream is mended by itself";
        return Err(Failure::usage(format!("these are records of {named}; {fix}")));
    }
    match output {
        None => console::bytes(&lines)?,
        Some(path) => {
            let written = std::fs::File::create_new(path).and_then(|mut f| f.write_all(&lines));
            written.map_err(Failure::io(path))?;
        }
    }
    note!("{}", counted(count, "record"));
    Ok(())
}

/// The record on a line of its own. A line end inside of it can only be one between the tokens of
/// a JSON text, or part of what is wrong with it: a blank does as well.
fn push_line(lines: &mut Vec<u8>, record: &[u8]) {
    lines.extend(record.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }));
    lines.push(b'\n');
}

/// The record as JSON where it is some, else as a string, to be mended where it stands.
fn push_numbered(lines: &mut Vec<u8>, number: u64, letter: &DeadEvent) {
    let text = String::from_utf8_lossy(&letter.bytes);
    let record = match serde_json::from_slice::<&RawValue>(&letter.bytes) {
        Ok(raw) => raw.get().to_owned(),
        Err(_) => serde_json::Value::from(text).to_string(),
    };
    let stream = serde_json::Value::from(letter.stream.clone());
    let message = serde_json::Value::from(letter.message.clone());
    let line = format!(
        "{{\"number\":{number},\"stream\":{stream},\"message\":{message},\"record\":{record}}}"
    );
    push_line(lines, line.as_bytes());
}

fn as_json(number: u64, letter: &DeadEvent) -> serde_json::Value {
    let DeadEvent { stream, origin, position, reason, message, bytes } = letter;
    json!({
        "number": number,
        "stream": stream,
        "origin": origin,
        "position": position,
        "reason": reason,
        "message": message,
        "record": String::from_utf8_lossy(bytes),
    })
}

/// Calls `f` with each letter and its number, oldest first. A running server is not disturbed.
fn for_each(
    place: &DataPlace,
    which: &Which,
    mut f: impl FnMut(u64, &DeadEvent) -> Result<(), Failure>,
) -> Result<(), Failure> {
    check_reason(which)?;
    let Which { stream, reason, from } = which.clone();
    let mut log = LetterLog::open(&place.existing()?, Chosen { stream, reason, from })?;
    let mut is_met = false;
    while let Some((number, letter)) = log.next_letter()? {
        is_met = true;
        f(number, &letter)?;
    }
    // Letters outlive their definitions: a name that nothing has is wrong only where it has none.
    match &which.stream {
        Some(stream) if !is_met => check_stream(stream, place),
        Some(_) | None => Ok(()),
    }
}

/// A misspelt reason would look like one that no letter has.
pub fn check_reason(which: &Which) -> Result<(), Failure> {
    let reasons = letter_reasons();
    match &which.reason {
        Some(reason) if !reasons.clone().any(|known| known == reason) => {
            let hint = did_you_mean(reason, reasons);
            Err(Failure::usage(format!("--reason: no letter has the reason `{reason}`; {hint}")))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_stream(stream: &str, place: &DataPlace) -> Result<(), Failure> {
    // Of definitions that are not right nothing is known.
    let Some(names) = stream_names(&place.project) else { return Ok(()) };
    if names.iter().any(|known| known == stream) {
        return Ok(());
    }
    let hint = did_you_mean(stream, names.iter().map(String::as_str));
    Err(Failure::usage(format!("--stream: no stream is named `{stream}`; {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_on_one_line() {
        let mut lines = Vec::new();
        push_line(&mut lines, b"{\n \"a\": 1\r\n}");
        assert_eq!(lines, b"{  \"a\": 1  }\n");
    }

    #[test]
    fn a_numbered_record_keeps_its_digits_or_is_a_string() {
        let mut letter = DeadEvent {
            stream: Some("s".into()),
            origin: "http".into(),
            position: "line 1 (byte 0)".into(),
            reason: "bad-json".into(),
            message: "m".into(),
            bytes: b"{\"a\": 1.00}".to_vec(),
        };
        let mut lines = Vec::new();
        push_numbered(&mut lines, 4, &letter);
        letter.bytes = b"{\"a\"".to_vec();
        push_numbered(&mut lines, 5, &letter);
        let expected = "{\"number\":4,\"stream\":\"s\",\"message\":\"m\",\"record\":{\"a\": 1.00}}\n\
                        {\"number\":5,\"stream\":\"s\",\"message\":\"m\",\"record\":\"{\\\"a\\\"\"}\n";
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
    }
}
