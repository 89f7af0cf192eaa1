use std::ops::Range;
use std::sync::Arc;

use crate::{EventTime, Physical, Span, Type, Value};

/// Why a value is what it is. A value travels with its state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum State {
    #[default]
    Ok = 0,
    /// Nothing was there to compute it from.
    Empty = 1,
    /// Nothing was there, and the definition's `default` stands in.
    Default = 2,
    /// Older than its definition allows.
    Stale = 3,
    /// A named limit was passed (too many distinct members, history not kept).
    Limit = 4,
    /// Outside the range of exact sums.
    Overflow = 5,
}

impl State {
    pub const ALL: [State; 6] =
        [State::Ok, State::Empty, State::Default, State::Stale, State::Limit, State::Overflow];

    pub fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Empty => "empty",
            State::Default => "default",
            State::Stale => "stale",
            State::Limit => "limit",
            State::Overflow => "overflow",
        }
    }
}

/// A cell's state and whether the cell is null, in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark(u8);

impl Mark {
    /// A value that is there.
    pub const OK: Mark = Mark(0);
    /// A null that came with the event, or that follows from one.
    pub const NULL: Mark = Mark(0x80 | State::Empty as u8);

    pub fn value(state: State) -> Mark {
        Mark(state as u8)
    }
    pub fn null(state: State) -> Mark {
        Mark(0x80 | state as u8)
    }
    pub fn is_null(self) -> bool {
        self.0 & 0x80 != 0
    }
    pub fn state(self) -> State {
        State::ALL.get(usize::from(self.0 & 0x7f)).copied().unwrap_or(State::Empty)
    }
}

/// Strings end to end, with the end of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    bytes: String,
    ends: Vec<u32>,
}

impl Texts {
    pub fn push(&mut self, s: &str) {
        self.bytes.push_str(s);
        self.ends.push(u32::try_from(self.bytes.len()).expect("a batch holds less than 4 GiB"));
    }

    pub fn get(&self, row: usize) -> &str {
        &self.bytes[self.range(row)]
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Appends the strings at these rows.
    pub fn append_rows(&mut self, other: &Texts, rows: Range<usize>) {
        let start_of = |row: usize| if row == 0 { 0 } else { other.ends[row - 1] as usize };
        let bytes = start_of(rows.start)..start_of(rows.end);
        let before = self.bytes.len();
        self.bytes.push_str(&other.bytes[bytes.clone()]);
        u32::try_from(self.bytes.len()).expect("a batch holds less than 4 GiB");
        let ends = other.ends[rows].iter();
        self.ends.extend(ends.map(|end| (*end as usize - bytes.start + before) as u32));
    }

    /// Cuts off all but the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    /// All texts, end to end.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }

    /// Where a text lies among [`Texts::bytes`].
    pub fn range(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        start..self.ends[row] as usize
    }
}

/// What a list or a map is taken to need, in bytes.
const NESTED_BYTES: usize = 64;

/// The cells of a column. `Word` holds bools (0, 1), ints, decimal mantissas, timestamps and
/// durations (µs), and integer keys. The cell of a null is 0, 0.0, "" or `Value::Null`.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Word(Vec<i64>),
    Float(Vec<f64>),
    Text(Texts),
    Nested(Vec<Value>),
}

impl Data {
    fn kind(&self) -> &'static str {
        match self {
            Data::Word(_) => "a column of words",
            Data::Float(_) => "a column of floats",
            Data::Text(_) => "a column of texts",
            Data::Nested(_) => "a column of lists and maps",
        }
    }

    // What is of another kind than its column is a bug: going on would give wrong values unseen.

    /// No cells.
    pub fn new(physical: Physical) -> Data {
        match physical {
            Physical::Word => Data::Word(Vec::new()),
            Physical::Float => Data::Float(Vec::new()),
            Physical::Text => Data::Text(Texts::default()),
            Physical::Nested => Data::Nested(Vec::new()),
        }
    }

    pub fn physical(&self) -> Physical {
        match self {
            Data::Word(_) => Physical::Word,
            Data::Float(_) => Physical::Float,
            Data::Text(_) => Physical::Text,
            Data::Nested(_) => Physical::Nested,
        }
    }

    /// Bytes of the cells; of lists and maps, about.
    pub fn bytes(&self) -> usize {
        match self {
            Data::Word(v) => size_of_val(&v[..]),
            Data::Float(v) => size_of_val(&v[..]),
            Data::Text(v) => v.bytes.len() + size_of_val(&v.ends[..]),
            Data::Nested(v) => v.len() * NESTED_BYTES,
        }
    }

    /// Appends the cells at these rows of cells of the same kind.
    pub fn append_rows(&mut self, other: &Data, rows: Range<usize>) {
        match (self, other) {
            (Data::Word(a), Data::Word(b)) => a.extend_from_slice(&b[rows]),
            (Data::Float(a), Data::Float(b)) => a.extend_from_slice(&b[rows]),
            (Data::Text(a), Data::Text(b)) => a.append_rows(b, rows),
            (Data::Nested(a), Data::Nested(b)) => a.extend_from_slice(&b[rows]),
            (a, b) => unreachable!("{} gets the cells of {}", a.kind(), b.kind()),
        }
    }

    /// Appends the cells at these rows, in their order, of cells of the same kind.
    fn append_at(&mut self, other: &Data, rows: &[u32]) {
        let at = |row: &u32| *row as usize;
        match (self, other) {
            (Data::Word(a), Data::Word(b)) => a.extend(rows.iter().map(|row| b[at(row)])),
            (Data::Float(a), Data::Float(b)) => a.extend(rows.iter().map(|row| b[at(row)])),
            (Data::Text(a), Data::Text(b)) => rows.iter().for_each(|row| a.push(b.get(at(row)))),
            (Data::Nested(a), Data::Nested(b)) => {
                a.extend(rows.iter().map(|row| b[at(row)].clone()));
            }
            (a, b) => unreachable!("{} gets the cells of {}", a.kind(), b.kind()),
        }
    }

    fn words_mut(&mut self) -> &mut Vec<i64> {
        match self {
            Data::Word(v) => v,
            other @ (Data::Float(_) | Data::Text(_) | Data::Nested(_)) => {
                unreachable!("{} gets a word", other.kind())
            }
        }
    }

    fn floats_mut(&mut self) -> &mut Vec<f64> {
        match self {
            Data::Float(v) => v,
            other @ (Data::Word(_) | Data::Text(_) | Data::Nested(_)) => {
                unreachable!("{} gets a float", other.kind())
            }
        }
    }

    fn texts_mut(&mut self) -> &mut Texts {
        match self {
            Data::Text(v) => v,
            other @ (Data::Word(_) | Data::Float(_) | Data::Nested(_)) => {
                unreachable!("{} gets a text", other.kind())
            }
        }
    }
}

/// One column of a batch, or one computed over it.
#[derive(Clone, Debug)]
pub struct Column {
    pub data: Data,
    /// One mark per row, or none at all when every row is [`Mark::OK`].
    marks: Option<Vec<Mark>>,
}

impl Column {
    pub fn new(physical: Physical) -> Column {
        Column { data: Data::new(physical), marks: None }
    }

    pub fn words(words: Vec<i64>) -> Column {
        Column { data: Data::Word(words), marks: None }
    }

    pub fn floats(floats: Vec<f64>) -> Column {
        Column { data: Data::Float(floats), marks: None }
    }

    /// A column from its parts. `marks`, where given, has one mark per row.
    pub fn with_marks(data: Data, marks: Option<Vec<Mark>>) -> Column {
        let column = Column { data, marks: None };
        assert!(marks.as_ref().is_none_or(|m| m.len() == column.len()), "one mark for each row");
        let all_ok = marks.as_ref().is_none_or(|m| m.iter().all(|m| *m == Mark::OK));
        Column { marks: if all_ok { None } else { marks }, ..column }
    }

    /// The same cells, and of each only whether it is null.
    pub fn without_states(mut self) -> Column {
        self.marks = self.marks.filter(|marks| marks.iter().any(|mark| mark.is_null()));
        for mark in self.marks.iter_mut().flatten() {
            *mark = if mark.is_null() { Mark::NULL } else { Mark::OK };
        }
        self
    }

    /// What [`Column::with_marks`] takes.
    pub fn into_parts(self) -> (Data, Option<Vec<Mark>>) {
        (self.data, self.marks)
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Word(v) => v.len(),
            Data::Float(v) => v.len(),
            Data::Text(v) => v.len(),
            Data::Nested(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the cells and their marks.
    pub fn bytes(&self) -> usize {
        self.data.bytes() + self.marks.as_ref().map_or(0, Vec::len)
    }

    pub fn marks(&self) -> Option<&[Mark]> {
        self.marks.as_deref()
    }

    pub fn mark(&self, row: usize) -> Mark {
        self.marks.as_ref().map_or(Mark::OK, |m| m[row])
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.mark(row).is_null()
    }

    /// The words; empty for a column of another kind (the resolver has settled the kind).
    pub fn as_words(&self) -> &[i64] {
        match &self.data {
            Data::Word(v) => v,
            Data::Float(_) | Data::Text(_) | Data::Nested(_) => &[],
        }
    }

    pub fn as_floats(&self) -> &[f64] {
        match &self.data {
            Data::Float(v) => v,
            Data::Word(_) | Data::Text(_) | Data::Nested(_) => &[],
        }
    }

    pub fn as_texts(&self) -> Option<&Texts> {
        match &self.data {
            Data::Text(v) => Some(v),
            Data::Word(_) | Data::Float(_) | Data::Nested(_) => None,
        }
    }

    /// Makes room for so many more cells; the bytes of texts make their own.
    pub fn reserve(&mut self, rows: usize) {
        match &mut self.data {
            Data::Word(v) => v.reserve(rows),
            Data::Float(v) => v.reserve(rows),
            Data::Text(texts) => texts.ends.reserve(rows),
            Data::Nested(v) => v.reserve(rows),
        }
    }

    /// Removes all cells, and keeps their room.
    pub fn clear(&mut self) {
        match &mut self.data {
            Data::Word(v) => v.clear(),
            Data::Float(v) => v.clear(),
            Data::Text(texts) => texts.truncate(0),
            Data::Nested(v) => v.clear(),
        }
        self.marks = None;
    }

    pub fn push_word(&mut self, word: i64, mark: Mark) {
        self.data.words_mut().push(word);
        self.push_mark(mark);
    }

    pub fn push_float(&mut self, x: f64, mark: Mark) {
        self.data.floats_mut().push(x);
        self.push_mark(mark);
    }

    pub fn push_text(&mut self, s: &str, mark: Mark) {
        self.data.texts_mut().push(s);
        self.push_mark(mark);
    }

    pub fn push_null(&mut self, mark: Mark) {
        match &mut self.data {
            Data::Word(v) => v.push(0),
            Data::Float(v) => v.push(0.0),
            Data::Text(v) => v.push(""),
            Data::Nested(v) => v.push(Value::Null),
        }
        self.push_mark(mark);
    }

    /// Appends a value of this column's type, or null.
    ///
    /// # Panics
    /// For a value of another type, which is a bug.
    pub fn push(&mut self, value: &Value, state: State) {
        let mark = Mark::value(state);
        match (&mut self.data, value) {
            (Data::Word(v), Value::Bool(b)) => v.push(i64::from(*b)),
            (Data::Word(v), Value::Int(n)) => v.push(*n),
            (Data::Word(v), Value::Decimal { mantissa, .. }) => v.push(*mantissa),
            (Data::Word(v), Value::Timestamp(t)) => v.push(t.0),
            (Data::Word(v), Value::Duration(d)) => v.push(d.0),
            (Data::Float(v), Value::Float(x)) => v.push(*x),
            (Data::Text(v), Value::Text(s)) => v.push(s),
            (Data::Nested(v), Value::List(_) | Value::Map(_)) => v.push(value.clone()),
            (data, value) => {
                assert!(value.is_null(), "{} gets a value of another: {value:?}", data.kind());
                return self.push_null(Mark::null(if state == State::Ok {
                    State::Empty
                } else {
                    state
                }));
            }
        }
        self.push_mark(mark);
    }

    /// Appends words, each with its mark.
    pub fn extend_words(
        &mut self,
        words: impl Iterator<Item = i64>,
        marks: impl Iterator<Item = Mark> + Clone,
    ) {
        let before = self.len();
        self.data.words_mut().extend(words);
        self.extend_marks(before, marks);
    }

    /// Appends floats, each with its mark.
    pub fn extend_floats(
        &mut self,
        floats: impl Iterator<Item = f64>,
        marks: impl Iterator<Item = Mark> + Clone,
    ) {
        let before = self.len();
        self.data.floats_mut().extend(floats);
        self.extend_marks(before, marks);
    }

    fn extend_marks(&mut self, before: usize, marks: impl Iterator<Item = Mark> + Clone) {
        if self.marks.is_some() || marks.clone().any(|m| m != Mark::OK) {
            self.marks.get_or_insert_with(|| vec![Mark::OK; before]).extend(marks);
        }
    }

    fn push_mark(&mut self, mark: Mark) {
        let len = self.len();
        match &mut self.marks {
            Some(marks) => marks.push(mark),
            None if mark != Mark::OK => {
                let mut marks = vec![Mark::OK; len - 1];
                marks.push(mark);
                self.marks = Some(marks);
            }
            None => {}
        }
    }

    /// The cell as a value of the type `ty`.
    pub fn value(&self, row: usize, ty: &Type) -> Value {
        if self.is_null(row) {
            return Value::Null;
        }
        match &self.data {
            Data::Word(v) => match ty {
                Type::Bool => Value::Bool(v[row] != 0),
                Type::Decimal(scale) => Value::Decimal { mantissa: v[row], scale: *scale },
                Type::Timestamp => Value::Timestamp(EventTime(v[row])),
                Type::Duration => Value::Duration(Span(v[row])),
                Type::Int
                | Type::Key(_)
                | Type::Float
                | Type::String
                | Type::List(_)
                | Type::Map(_, _) => Value::Int(v[row]),
            },
            Data::Float(v) => Value::Float(v[row]),
            Data::Text(v) => Value::Text(Arc::from(v.get(row))),
            Data::Nested(v) => v[row].clone(),
        }
    }
}

impl Column {
    /// The cells at these rows, in this order.
    pub fn select(&self, rows: &[u32]) -> Column {
        let mut data = Data::new(self.data.physical());
        data.append_at(&self.data, rows);
        let marks = self.marks.as_ref().map(|m| rows.iter().map(|row| m[*row as usize]).collect());
        Column::with_marks(data, marks)
    }

    /// Appends one cell of a column of the same kind.
    pub fn push_from(&mut self, other: &Column, row: usize) {
        match (&mut self.data, &other.data) {
            (Data::Word(a), Data::Word(b)) => a.push(b[row]),
            (Data::Float(a), Data::Float(b)) => a.push(b[row]),
            (Data::Text(a), Data::Text(b)) => a.push(b.get(row)),
            (Data::Nested(a), Data::Nested(b)) => a.push(b[row].clone()),
            (a, b) => unreachable!("{} gets the cells of {}", a.kind(), b.kind()),
        }
        self.push_mark(other.mark(row));
    }

    /// Appends all cells of a column of the same kind.
    pub fn append(&mut self, other: &Column) {
        self.append_rows(other, 0..other.len());
    }

    /// Appends the cells at these rows, in their order, of a column of the same kind.
    pub fn append_at(&mut self, other: &Column, rows: &[u32]) {
        let before = self.len();
        self.data.append_at(&other.data, rows);
        if self.marks.is_some() || other.marks.is_some() {
            let marks = self.marks.get_or_insert_with(|| vec![Mark::OK; before]);
            match &other.marks {
                Some(more) => marks.extend(rows.iter().map(|row| more[*row as usize])),
                None => marks.resize(before + rows.len(), Mark::OK),
            }
        }
    }

    /// Appends the cells at these rows of a column of the same kind.
    pub fn append_rows(&mut self, other: &Column, rows: Range<usize>) {
        let before = self.len();
        self.data.append_rows(&other.data, rows.clone());
        if self.marks.is_some() || other.marks.is_some() {
            let marks = self.marks.get_or_insert_with(|| vec![Mark::OK; before]);
            match &other.marks {
                Some(more) => marks.extend_from_slice(&more[rows]),
                None => marks.resize(before + rows.len(), Mark::OK),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_states_only_nulls_are_marked() {
        let mut column = Column::words(vec![1]);
        column.push_word(0, Mark::value(State::Empty));
        assert_eq!(column.clone().without_states().marks(), None);
        column.push_null(Mark::null(State::Limit));
        let bare = column.clone().without_states();
        assert_eq!(bare.marks(), Some(&[Mark::OK, Mark::OK, Mark::NULL][..]));
        assert_eq!(bare.as_words(), column.as_words());
    }
}
