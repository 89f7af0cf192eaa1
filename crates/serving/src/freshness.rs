//! Whether a value of some age may be used, by its definition.

use millrace_event::{Span, State};
use millrace_feature::plan::{Freshness, Stale};
use millrace_stream::Answer;

/// What a group's freshness policy says about a value of some age.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Young enough, or the definition asks for nothing: the value as it is.
    Fresh,
    /// Too old to be fresh and young enough to be used, marked `stale`.
    LastGood,
    /// Too old to be used: the default takes its place.
    Default,
    /// Too old, and the definition wants no answer rather than an old one.
    Refuse {
        /// The greatest age at which there would have been an answer.
        bound: Span,
    },
}

/// A definition wants no answer rather than one this old.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("group `{group}` is {age} old, and its definition refuses an answer older than {bound}")]
pub struct TooOld {
    pub group: String,
    pub age: Span,
    pub bound: Span,
}

/// Judges a value of this age. Both bounds belong to what is still good: a value of exactly
/// `fresh 500ms` is fresh. A policy without `last good for` goes from fresh to what is `else`.
pub fn judge(policy: Option<Freshness>, age: Span) -> Verdict {
    let Some(policy) = policy else { return Verdict::Fresh };
    if age <= policy.within {
        return Verdict::Fresh;
    }
    let bound = policy.last_good_for.unwrap_or(policy.within);
    if age <= bound {
        return Verdict::LastGood;
    }
    match policy.otherwise {
        Stale::Default => Verdict::Default,
        Stale::Refuse => Verdict::Refuse { bound },
    }
}

/// The value as it was, marked `stale`. That a limit was passed or a sum overflowed stays said: it
/// is why there is no value, whatever its age.
pub(crate) fn last_good(answer: Answer) -> Answer {
    let state = match answer.state {
        State::Ok | State::Empty | State::Default | State::Stale => State::Stale,
        state @ (State::Limit | State::Overflow) => state,
    };
    Answer { state, ..answer }
}

#[cfg(test)]
mod tests {
    use millrace_event::Value;

    use super::*;

    const POLICY: Freshness = Freshness {
        within: Span::millis(500),
        last_good_for: Some(Span::minutes(5)),
        otherwise: Stale::Default,
    };

    #[test]
    fn ages_are_judged_at_both_bounds() {
        let cases = [
            (Span(0), Verdict::Fresh),
            (Span::millis(500), Verdict::Fresh),
            (Span(500_001), Verdict::LastGood),
            (Span::minutes(5), Verdict::LastGood),
            (Span(300_000_001), Verdict::Default),
            (Span(i64::MAX), Verdict::Default),
        ];
        for (age, verdict) in cases {
            assert_eq!(judge(Some(POLICY), age), verdict, "{age}");
        }
        assert_eq!(judge(None, Span(i64::MAX)), Verdict::Fresh);
    }

    #[test]
    fn without_last_good_the_first_bound_decides() {
        let policy = Freshness { last_good_for: None, otherwise: Stale::Refuse, ..POLICY };
        assert_eq!(judge(Some(policy), Span::millis(500)), Verdict::Fresh);
        let refused = Verdict::Refuse { bound: Span::millis(500) };
        assert_eq!(judge(Some(policy), Span(500_001)), refused);
    }

    #[test]
    fn the_reason_of_a_missing_value_outlives_its_age() {
        let states = [
            (State::Ok, State::Stale),
            (State::Empty, State::Stale),
            (State::Default, State::Stale),
            (State::Stale, State::Stale),
            (State::Limit, State::Limit),
            (State::Overflow, State::Overflow),
        ];
        for (before, after) in states {
            let answer = Answer { value: Value::Int(4), state: before };
            assert_eq!(last_good(answer), Answer { value: Value::Int(4), state: after });
        }
    }
}
