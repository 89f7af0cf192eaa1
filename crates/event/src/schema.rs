use std::sync::Arc;

use crate::{Span, Type};

/// One field of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: Arc<str>,
    pub ty: Type,
    /// Whether an event may leave it out or send null.
    pub nullable: bool,
}

/// What the events of one stream look like.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    pub stream: Arc<str>,
    pub fields: Vec<Field>,
    /// The field that holds the id: an int or a string, never null.
    pub id: usize,
    /// The field that holds the event time: a timestamp, never null.
    pub time: usize,
    /// How far behind the greatest event time of its partition an event may be.
    pub lateness: Span,
}

impl Schema {
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| &*f.name == name)
    }
}
