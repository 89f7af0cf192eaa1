use millrace_event::{Span, State, Type, Value};
use millrace_feature::plan::DefinitionHash;

/// What a group or a view answers, as its reader gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Served<'p> {
    /// Of the group or view that was asked.
    pub definition: DefinitionHash,
    /// Records of the event log that the answer includes.
    pub frontier: u64,
    /// In the order of the definition.
    pub values: Vec<ServedValue<'p>>,
}

/// One value with its name, its state and its age.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedValue<'p> {
    /// As in tables: `attempts_5m`.
    pub name: &'p str,
    pub ty: &'p Type,
    pub value: Value,
    pub state: State,
    /// How long ago everything that the streams behind the value had was known to be applied.
    pub age: Span,
}
