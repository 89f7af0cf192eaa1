//! A schema's fields, prepared for looking up by name and for reading cell by cell.

use std::sync::Arc;

use millrace_event::{KeyKind, Schema, Type};

/// How a field's cells are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Bool,
    Int,
    Float,
    Decimal(u8),
    Text,
    Time,
    Duration,
    Nested,
}

impl Kind {
    pub fn of(ty: &Type) -> Kind {
        match ty {
            Type::Bool => Kind::Bool,
            Type::Int => Kind::Int,
            Type::Float => Kind::Float,
            Type::Decimal(scale) => Kind::Decimal(*scale),
            Type::String => Kind::Text,
            Type::Timestamp => Kind::Time,
            Type::Duration => Kind::Duration,
            Type::Key(entity) => match entity.kind {
                KeyKind::Int => Kind::Int,
                KeyKind::Text => Kind::Text,
            },
            Type::List(_) | Type::Map(_, _) => Kind::Nested,
        }
    }

    /// Whether it is of decimals with so many digits behind the point.
    pub fn is_decimal_of(self, scale: i8) -> bool {
        u8::try_from(scale).is_ok_and(|scale| self == Kind::Decimal(scale))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub schema: Arc<Schema>,
    pub kinds: Vec<Kind>,
    /// Whether a null is a fault: the id and the time are never null.
    pub required: Vec<bool>,
    /// Field indexes in the order of their names.
    by_name: Vec<usize>,
}

impl Fields {
    pub fn new(schema: Arc<Schema>) -> Fields {
        let kinds = schema.fields.iter().map(|f| Kind::of(&f.ty)).collect();
        let required = schema
            .fields
            .iter()
            .enumerate()
            .map(|(i, f)| !f.nullable || i == schema.id || i == schema.time)
            .collect();
        let mut by_name: Vec<usize> = (0..schema.fields.len()).collect();
        by_name.sort_by(|a, b| schema.fields[*a].name.cmp(&schema.fields[*b].name));
        Fields { schema, kinds, required, by_name }
    }

    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    pub fn name(&self, field: usize) -> &Arc<str> {
        &self.schema.fields[field].name
    }

    /// The field of this name. `guess` is looked at first: records of one stream tend to keep one
    /// order.
    pub fn find(&self, name: &str, guess: usize) -> Option<usize> {
        if self.schema.fields.get(guess).is_some_and(|f| &*f.name == name) {
            return Some(guess);
        }
        self.by_name
            .binary_search_by(|i| (*self.schema.fields[*i].name).cmp(name))
            .ok()
            .map(|at| self.by_name[at])
    }
}
