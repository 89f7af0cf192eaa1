//! How an engine may disagree with the specification, told so that it can be found again.

use std::fmt;

use millrace_event::Value;
use millrace_stream::EngineError;

use crate::spec::{Answer, Fate, Position};
use crate::variation::Variation;

/// One disagreement.
#[derive(Debug)]
pub struct Failure {
    pub scenario: String,
    pub variation: Option<Variation>,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// A case's own expectation does not hold on the specification.
    Expectation {
        place: String,
        feature: String,
        expected: String,
        got: String,
    },
    /// The number of events of a fate is not what the header says.
    Count {
        fate: Fate,
        expected: usize,
        got: usize,
    },
    /// An event does not count, and the header says nothing about it.
    Uncounted,
    Fate {
        event: usize,
        expected: Fate,
        got: Fate,
    },
    Read {
        group: String,
        key: Vec<Value>,
        at: Position,
        feature: String,
        expected: Answer,
        got: Answer,
    },
    View {
        view: String,
        event: Vec<Value>,
        column: String,
        expected: Answer,
        got: Answer,
    },
    /// The in-order engine emits other events, or in another order.
    Rows {
        view: String,
        expected: usize,
        got: usize,
        event: Vec<Value>,
    },
    Engine(EngineError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scenario)?;
        if let Some(variation) = &self.variation {
            write!(f, " [{variation}]")?;
        }
        write!(f, ": ")?;
        match &self.what {
            What::Expectation { place, feature, expected, got } => {
                write!(f, "{place}: {feature}: expected {expected}, the specification says {got}")
            }
            What::Count { fate, expected, got } => {
                write!(f, "{expected} events should be {}, and {got} are", fate.name())
            }
            What::Uncounted => write!(f, "an event does not count; say so: `# counts: …`"),
            What::Fate { event, expected, got } => {
                write!(f, "event {event}: expected {}, got {}", expected.name(), got.name())
            }
            What::Read { group, key, at, feature, expected, got } => write!(
                f,
                "{group}{} at {at:?}: {feature}: expected {}, got {}",
                shown_all(key),
                shown_answer(expected),
                shown_answer(got)
            ),
            What::View { view, event, column, expected, got } => write!(
                f,
                "{view} for {}: {column}: expected {}, got {}",
                shown_all(event),
                shown_answer(expected),
                shown_answer(got)
            ),
            What::Rows { view, expected, got, event } => write!(
                f,
                "{view}: expected {expected} rows, got {got}; the first other one is {}",
                shown_all(event)
            ),
            What::Engine(error) => write!(f, "the engine failed: {error}"),
        }
    }
}

pub fn shown_answer(answer: &Answer) -> String {
    format!("{} ({})", shown(&answer.value), answer.state.name())
}

fn shown_all(values: &[Value]) -> String {
    let all: Vec<String> = values.iter().map(shown).collect();
    format!("[{}]", all.join(", "))
}

/// As in a test block, so that it can be copied into one.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => format!("{x}"),
        Value::Decimal { mantissa, scale } => decimal(*mantissa, *scale),
        Value::Text(s) => text(s),
        Value::Timestamp(t) => format!("\"{t}\""),
        Value::Duration(d) if d.0 < 0 => format!("-{}us", d.0.unsigned_abs()),
        Value::Duration(d) => d.to_string(),
        Value::List(all) => shown_all(all),
        Value::Map(all) => {
            let all: Vec<String> =
                all.iter().map(|(k, v)| format!("{}: {}", shown(k), shown(v))).collect();
            format!("{{{}}}", all.join(", "))
        }
    }
}

fn text(s: &str) -> String {
    let escaped = s.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"))
}

fn decimal(mantissa: i64, scale: u8) -> String {
    let sign = if mantissa < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
