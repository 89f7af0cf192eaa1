//! What the server answered about one payment.

use millrace_feature::plan::Outcome;
use serde_json::Value;

use crate::exit::Failure;

/// Features that are told of a score.
const REASONS: usize = 2;

/// One decision, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    pub id: String,
    pub outcome: Outcome,
    pub score: f64,
    /// The rule that decided, as it is written, with its number.
    pub rule: String,
    /// What made the score.
    pub reasons: String,
}

impl Decided {
    /// Reads the answer of `POST /v1/decisions/{decision}`, of a decision with this model.
    pub fn of(answer: &Value, model: &str) -> Result<Decided, Failure> {
        let missing = |what: &str| Failure::bug(format!("an answer without `{what}`: {answer}"));
        let text = |name: &str| answer[name].as_str().ok_or_else(|| missing(name));
        let named = text("outcome")?;
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.name() == named);
        let reason = text("reason")?;
        let scored = &answer["scores"][model];
        Ok(Decided {
            id: text("id")?.to_owned(),
            outcome: outcome.ok_or_else(|| missing("outcome"))?,
            score: scored["score"].as_f64().ok_or_else(|| missing("score"))?,
            rule: match answer["rule"].as_u64() {
                Some(number) => format!("rule {number}, {reason}"),
                None => reason.to_owned(),
            },
            reasons: reasons(&scored["reasons"]),
        })
    }

    /// The rule and what made the score, on one line.
    pub fn why(&self) -> String {
        match self.reasons.as_str() {
            "" => self.rule.clone(),
            reasons => format!("{}: {reasons}", self.rule),
        }
    }
}

/// The features that add most to the score; those that take from it are no reason for it.
fn reasons(listed: &Value) -> String {
    let adds = |reason: &&Value| reason["contribution"].as_f64().is_some_and(|share| share > 0.0);
    let named = listed.as_array().into_iter().flatten().filter(adds).take(REASONS);
    let told = named.map(|reason| {
        format!("{} {}", reason["feature"].as_str().unwrap_or_default(), short(&reason["value"]))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A value of a feature in few signs.
fn short(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(number)) if number.fract() == 0.0 => format!("{number:.0}"),
        (_, Some(number)) => format!("{number:.1}"),
        (other, None) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_told_in_a_line() {
        let reason = |feature: &str, value: Value, contribution: f64| json!({ "feature": feature, "value": value, "contribution": contribution });
        let answer = json!({
            "id": "019a", "outcome": "block", "reason": "risk >= 0.2", "rule": 1,
            "scores": { "risk": { "score": 0.75, "reasons": [
                reason("share", json!(0.875), 2.0), reason("amount", json!(12.0), -1.5),
                reason("age", json!("5m"), 0.5), reason("cards", json!(9), 0.25),
            ] } },
        });
        let decided = Decided::of(&answer, "risk").unwrap();
        assert_eq!((decided.outcome, decided.score), (Outcome::Block, 0.75));
        assert_eq!(decided.why(), "rule 1, risk >= 0.2: share 0.9, age 5m");
        assert!(Decided::of(&answer, "risky").unwrap_err().message.contains("score"));
        let answer = json!({ "id": "019b", "outcome": "allow", "reason": "else", "rule": null,
            "scores": { "risk": { "score": 0.1, "reasons": [] } } });
        assert_eq!(Decided::of(&answer, "risk").unwrap().why(), "else");
    }
}
