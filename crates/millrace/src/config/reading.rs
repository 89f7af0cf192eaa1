//! What is wrong with a configuration, for people: the line, the key, and the key that was meant.

use millrace_api::did_you_mean;

/// The message for an error that reading `text`, of the file `name`, met.
pub fn explain(error: &toml::de::Error, text: &str, name: &str) -> String {
    let what = unknown_key(error.message()).unwrap_or_else(|| error.message().to_owned());
    let Some(span) = error.span() else { return format!("{name}: {what}") };
    let before = text.get(..span.start).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or("");
    format!("{name}:{number}: {}\n   {number} | {line}", what.trim_end())
}

/// The parser's message lists every key there is; the one that was meant is enough.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let given = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    Some(format!("unknown key `{given}`; {}", did_you_mean(given, known)))
}
