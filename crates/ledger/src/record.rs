//! One decision as bytes.
//!
//! ```text
//!   version  u8 = 1
//!   run      u64: which start of the server made it; its form says what follows
//!   decision u16: index into the decisions of the run
//!   id       16 bytes, the most significant first
//!   at       i64: when it was decided, by the receiving clock
//!   frontier u64: records of the event log that it counts
//!   outcome  u8: 0 allow │ 1 review │ 2 block
//!   rule     u16: index of the rule; 65,535 for `else`
//!   ages     u16 count, then i64 each: of the groups that the view reads, in microseconds
//!   scores   u16 count, then two f64 each: raw and value; then the same of the shadows
//!   event    u32 length, then a column of one cell for each field; null where it was left out
//!   vector   u32 length, then a column of one cell for each column of the view, as served
//! ```
//!
//! Integers are little-endian but the id; columns are as in a batch (see `docs/reference/formats.md`).

use millrace_event::{CodecError, Column, EventTime, Physical, Span, Type};
use millrace_feature::plan::{Decision, Outcome};
use millrace_serving::model::Score;
use thiserror::Error;

use crate::forms::{DecisionForm, FieldForm, outcome_code, outcome_of};
use crate::id::DecisionId;

const VERSION: u8 = 1;
const NO_RULE: u16 = u16::MAX;

/// A decision, with all that it was made of.
#[derive(Clone, Debug)]
pub struct Record {
    pub run: u64,
    /// Index into the decisions of the run.
    pub decision: usize,
    pub id: DecisionId,
    pub decided_at: EventTime,
    pub frontier: u64,
    pub outcome: Outcome,
    /// Index into the decision's rules; `None` for its `else`.
    pub rule: Option<usize>,
    /// Of the groups that the view reads.
    pub ages: Vec<Span>,
    pub scores: Vec<Score>,
    pub shadows: Vec<Score>,
    /// As the request gave it, one cell each; null where a field was left out.
    pub event: Vec<Column>,
    /// As served, one cell each.
    pub vector: Vec<Column>,
}

/// Why bytes are no decision.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    #[error("it is of version {0}, and this program reads version 1")]
    Version(u8),
    #[error("it is cut off")]
    Cut,
    #[error("its {0} is none of ours")]
    Value(&'static str),
    #[error("it is of a decision that its start does not have")]
    Decision,
    #[error(transparent)]
    Columns(#[from] CodecError),
}

/// What can be told of a record without the form of its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub run: u64,
    pub decision: usize,
    pub id: DecisionId,
    pub decided_at: EventTime,
    pub frontier: u64,
}

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + 32 * (self.event.len() + self.vector.len()));
        out.push(VERSION);
        out.extend_from_slice(&self.run.to_le_bytes());
        out.extend_from_slice(&index(self.decision).to_le_bytes());
        out.extend_from_slice(&self.id.0.to_be_bytes());
        out.extend_from_slice(&self.decided_at.0.to_le_bytes());
        out.extend_from_slice(&self.frontier.to_le_bytes());
        out.push(outcome_code(self.outcome));
        out.extend_from_slice(&self.rule.map_or(NO_RULE, index).to_le_bytes());
        put_count(&mut out, self.ages.len());
        self.ages.iter().for_each(|age| out.extend_from_slice(&age.0.to_le_bytes()));
        for scores in [&self.scores, &self.shadows] {
            put_count(&mut out, scores.len());
            for score in scores {
                out.extend_from_slice(&score.raw.to_le_bytes());
                out.extend_from_slice(&score.value.to_le_bytes());
            }
        }
        for columns in [&self.event, &self.vector] {
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            columns.iter().for_each(|column| column.encode(&mut out));
            let length = u32::try_from(out.len() - at - 4);
            let length = length.expect("a body is far smaller, and so is what a view computes");
            if let Some(place) = out.get_mut(at..at + 4) {
                place.copy_from_slice(&length.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`Record::encode`] wrote, given the decisions of its run.
    pub(crate) fn decode(forms: &[DecisionForm], bytes: &[u8]) -> Result<Record, RecordError> {
        let (head, mut input) = Head::read(bytes)?;
        let form = forms.get(head.decision).ok_or(RecordError::Decision)?;
        let [outcome] = input.array()?;
        let outcome = outcome_of(outcome).ok_or(RecordError::Value("outcome"))?;
        let rule = match u16::from_le_bytes(input.array()?) {
            NO_RULE => None,
            rule if usize::from(rule) < form.rules.len() => Some(usize::from(rule)),
            _ => return Err(RecordError::Value("rule")),
        };
        let ages = input.list(|input| Ok(Span(i64::from_le_bytes(input.array()?))))?;
        let score = |input: &mut Reader<'_>| {
            let raw = f64::from_le_bytes(input.array()?);
            Ok(Score { raw, value: f64::from_le_bytes(input.array()?) })
        };
        let (scores, shadows) = (input.list(score)?, input.list(score)?);
        let counts = (ages.len(), scores.len(), shadows.len());
        if counts != (form.groups.len(), form.scores.len(), form.shadows.len()) {
            return Err(RecordError::Value("count of ages or scores"));
        }
        let event = input.columns(&form.fields)?;
        let vector = input.columns(&form.columns)?;
        if !input.0.is_empty() {
            return Err(RecordError::Value("end"));
        }
        let Head { run, decision, id, decided_at, frontier } = head;
        Ok(Record {
            run,
            decision,
            id,
            decided_at,
            frontier,
            outcome,
            rule,
            ages,
            scores,
            shadows,
            event,
            vector,
        })
    }
}

impl Head {
    pub fn of(bytes: &[u8]) -> Result<Head, RecordError> {
        Ok(Head::read(bytes)?.0)
    }

    fn read(bytes: &[u8]) -> Result<(Head, Reader<'_>), RecordError> {
        let mut input = Reader(bytes);
        let [version] = input.array()?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let head = Head {
            run: u64::from_le_bytes(input.array()?),
            decision: usize::from(u16::from_le_bytes(input.array()?)),
            id: DecisionId(u128::from_be_bytes(input.array()?)),
            decided_at: EventTime(i64::from_le_bytes(input.array()?)),
            frontier: u64::from_le_bytes(input.array()?),
        };
        Ok((head, input))
    }
}

/// Of a decision or a rule; never [`NO_RULE`].
fn index(of: usize) -> u16 {
    u16::try_from(of).expect("a project has at most 4,096 decisions, of as many rules")
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u16::try_from(count);
    let count = count.expect("a decision has at most 64 models, on a view of at most 4,096 groups");
    out.extend_from_slice(&count.to_le_bytes());
}

/// The limits of the language are what makes the casts above safe.
const _: () = {
    let most = NO_RULE as usize;
    assert!(Decision::DECISIONS_MAX < most);
    assert!(Decision::RULES_MAX < most);
    assert!(Decision::MODELS_MAX < most);
    assert!(Decision::GROUPS_MAX < most);
};

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(RecordError::Cut)?;
        self.0 = rest;
        Ok(*first)
    }

    fn list<T>(
        &mut self,
        one: impl Fn(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let count = u16::from_le_bytes(self.array()?);
        (0..count).map(|_| one(self)).collect()
    }

    fn columns(&mut self, fields: &[FieldForm]) -> Result<Vec<Column>, RecordError> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(RecordError::Cut)?;
        self.0 = rest;
        let kinds: Vec<Physical> = fields.iter().map(|field| Type::physical(&field.ty)).collect();
        Ok(Column::decode_all(&kinds, 1, bytes)?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use millrace_event::{State, Value};

    use super::*;
    use crate::forms::{ModelForm, RuleForm};

    pub(crate) fn form() -> DecisionForm {
        let field = |name: &str, ty| FieldForm { name: name.to_owned(), ty };
        let model = |name: &str| ModelForm { name: name.to_owned(), hash: "ab".repeat(32) };
        let rule = |outcome: &str, reason: &str| RuleForm {
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
        };
        DecisionForm {
            name: "authorise".to_owned(),
            hash: "cd".repeat(32),
            view: "checkout".to_owned(),
            view_hash: "ef".repeat(32),
            stream: "payments".to_owned(),
            fields: vec![
                field("id", Type::String),
                field("at", Type::Timestamp),
                field("amount", Type::Decimal(2)),
            ],
            columns: vec![
                field("n", Type::Int),
                field("mean", Type::Float),
                field("tags", Type::List(Box::new(Type::Int))),
            ],
            groups: vec!["velocity".to_owned()],
            scores: vec![model("risk")],
            shadows: vec![model("next")],
            rules: vec![rule("block", "risk >= 0.9")],
            otherwise: "allow".to_owned(),
        }
    }

    pub(crate) fn column(ty: &Type, value: &Value, state: State) -> Column {
        let mut column = Column::new(ty.physical());
        column.push(value, state);
        column
    }

    pub(crate) fn record() -> Record {
        let form = form();
        let event = [
            Value::text("p1"),
            Value::Timestamp(EventTime(5)),
            Value::Decimal { mantissa: 1_999, scale: 2 },
        ];
        let list = Value::List(vec![Value::Int(1), Value::Null]);
        let vector =
            [(Value::Int(4), State::Ok), (Value::Null, State::Stale), (list, State::Default)];
        Record {
            run: 3,
            decision: 0,
            id: DecisionId(0x0123_4567_89ab_cdef),
            decided_at: EventTime(1_800_000_000_000_000),
            frontier: 77,
            outcome: Outcome::Block,
            rule: Some(0),
            ages: vec![Span::millis(3)],
            scores: vec![Score { raw: 2.5, value: 0.924_141_819_978_756_6 }],
            shadows: vec![Score { raw: f64::NEG_INFINITY, value: 0.0 }],
            event: form
                .fields
                .iter()
                .zip(&event)
                .map(|(f, v)| column(&f.ty, v, State::Ok))
                .collect(),
            vector: form
                .columns
                .iter()
                .zip(&vector)
                .map(|(f, (v, s))| column(&f.ty, v, *s))
                .collect(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let (forms, record) = ([form()], record());
        let bytes = record.encode();
        let again = |bytes: &[u8]| Record::decode(&forms, bytes).map(|record| record.encode());
        assert_eq!(again(&bytes), Ok(bytes.clone()));
        assert_eq!(Head::of(&bytes).map(|head| (head.id, head.frontier)), Ok((record.id, 77)));
        let otherwise = Record { rule: None, outcome: Outcome::Allow, ..record }.encode();
        assert_eq!(again(&otherwise), Ok(otherwise.clone()));
        assert_ne!(otherwise, bytes);
        for cut in 0..bytes.len() {
            assert!(Record::decode(&forms, &bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert_eq!(again(&[&bytes[..], &[0]].concat()), Err(RecordError::Value("end")));
    }

    #[test]
    fn a_record_of_another_decision_is_refused() {
        let bytes = record().encode();
        let error =
            |forms: &[DecisionForm], bytes: &[u8]| Record::decode(forms, bytes).unwrap_err();
        assert_eq!(error(&[], &bytes), RecordError::Decision);
        let fewer = DecisionForm { shadows: Vec::new(), ..form() };
        assert!(matches!(error(&[fewer], &bytes), RecordError::Value(_)));
        let mut newer = bytes;
        newer[0] = 2;
        assert_eq!(error(&[form()], &newer), RecordError::Version(2));
    }
}
