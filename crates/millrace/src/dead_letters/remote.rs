//! `millrace dead-letters list --url`: the list of a running server, which knows what was handed
//! over again.

use serde_json::Value;

use super::Which;
use crate::console::{counted, note, say};
use crate::exit::Failure;
use crate::remote::Remote;

/// Letters asked for at once.
const TOGETHER: u64 = 1_000;

pub fn list(remote: &Remote, which: &Which, json: bool) -> Result<(), Failure> {
    let (mut count, mut resubmitted) = (0, 0);
    let mut from = Some(which.from);
    while let Some(first) = from {
        let answer = remote.get(&path(which, first))?;
        for letter in answer["dead_letters"].as_array().into_iter().flatten() {
            let is_resubmitted = letter["resubmitted"] == true;
            count += 1;
            resubmitted += usize::from(is_resubmitted);
            if json {
                say!("{letter}")?;
            } else {
                say!("{}", line(letter, is_resubmitted))?;
            }
        }
        from = answer["next"].as_u64();
        if from.is_some_and(|next| next <= first) {
            return Err(Failure::bug(format!("the server does not get past letter {first}")));
        }
    }
    if !json {
        note!("{}, {resubmitted} handed over again", counted(count, "dead letter"));
    }
    Ok(())
}

fn path(which: &Which, from: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &TOGETHER.to_string()).append_pair("from", &from.to_string());
    for (name, value) in [("stream", &which.stream), ("reason", &which.reason)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("/v1/dead-letters?{}", query.finish())
}

fn line(letter: &Value, is_resubmitted: bool) -> String {
    let text = |name: &str| letter[name].as_str().unwrap_or("-");
    let number = letter["number"].as_u64().unwrap_or(0);
    let mark = if is_resubmitted { "  (handed over again)" } else { "" };
    let (stream, reason, message) = (text("stream"), text("reason"), text("message"));
    let (origin, position) = (text("origin"), text("position"));
    format!("{number:>6}  {stream}  {reason}  {origin}, {position}: {message}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_encoded() {
        let which =
            Which { stream: Some("a&b c".into()), reason: Some("bad-json".into()), from: 0 };
        let expected = "/v1/dead-letters?limit=1000&from=7&stream=a%26b+c&reason=bad-json";
        assert_eq!(path(&which, 7), expected);
    }
}
