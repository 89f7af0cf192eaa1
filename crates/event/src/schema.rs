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
    /// What the columns of a batch are: the names and types of the fields in their order, and which
    /// are the id and the time. A field may become nullable without the columns being others.
    pub fn fields_hash(&self) -> u64 {
        // FNV-1a: it must stay the same from release to release, and keeps no secret.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |text: &str| {
            for byte in text.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        for field in &self.fields {
            add(&field.name);
            add(&field.ty.to_string());
        }
        add(&format!("{} {}", self.id, self.time));
        hash
    }

    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| &*f.name == name)
    }
}
