//! Entities and streams.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_event::{Entity, Field, KeyKind, Schema, Span, Type};

use crate::ast::{self, At, Modifier, Name, TypeRef};
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan;
use crate::source::SourceSpan;
use crate::types::DECIMAL_DIGITS_MAX;

use super::Resolver;

/// A stream and what later passes need to know of its text.
#[derive(Debug)]
pub(super) struct StreamInfo {
    pub stream: plan::Stream,
    /// Whether the type of each field is known; an unknown one has been told.
    pub known: Vec<bool>,
    /// Whether fields may be missing because something did not parse.
    pub broken: bool,
    pub index: HashMap<Arc<str>, usize>,
}

const TYPES: [&str; 9] =
    ["bool", "int", "float", "decimal", "string", "timestamp", "duration", "list", "map"];

impl Resolver<'_> {
    pub fn entities(&mut self) -> Vec<Arc<Entity>> {
        let project = self.project;
        let mut first: HashMap<&str, SourceSpan> = HashMap::new();
        let mut entities = Vec::new();
        for item in &project.entities {
            let name = &item.name;
            if let Some(span) = first.get(&*name.text) {
                self.report.duplicate(&name.text, name.span, *span);
                continue;
            }
            first.insert(&name.text, name.span);
            if TYPES.contains(&&*name.text) {
                let message = format!("`{}` is a built-in type", name.text);
                self.report.error(Code::ReservedName, name.span, message);
            }
            let kind = match item.kind.as_ref().map(|kind| (&*kind.name.text, kind)) {
                None | Some(("string", _)) => KeyKind::Text,
                Some(("int", _)) => KeyKind::Int,
                Some((_, kind)) => {
                    let message = format!("the keys of `{}` cannot be of this type", name.text);
                    self.report.push(
                        Diagnostic::error(Code::BadEntity, kind.span, message)
                            .hint("keys are strings, or ints: `entity card : int`"),
                    );
                    KeyKind::Text
                }
            };
            let entity = Arc::new(Entity { name: Arc::clone(&name.text), kind });
            self.entities.insert(Arc::clone(&name.text), Arc::clone(&entity));
            entities.push(entity);
        }
        entities
    }

    pub fn streams(&mut self) {
        let project = self.project;
        for stream in &project.streams {
            let info = self.stream(stream);
            self.streams.push(info);
        }
    }

    fn stream(&mut self, ast: &ast::Stream) -> StreamInfo {
        if let Some(span) = ast.retracts {
            self.report.error(
                Code::NotYetRun,
                span,
                "`retracts` parses, but this engine does not run it yet",
            );
        }
        let mut fields = Vec::new();
        let mut known = Vec::new();
        let mut index: HashMap<Arc<str>, usize> = HashMap::new();
        let mut roles = Roles::default();
        for (at, field) in ast.fields.iter().enumerate() {
            let name = &field.name;
            if let Some(first) = index.get(&name.text) {
                self.report.duplicate(&name.text, name.span, ast.fields[*first].name.span);
            } else {
                index.insert(Arc::clone(&name.text), at);
            }
            let ty = field.ty.as_ref().and_then(|ty| self.type_of(ty));
            known.push(ty.is_some());
            let nullable = field.ty.as_ref().is_some_and(|ty| ty.nullable.is_some());
            self.roles(field, ty.as_ref(), at, &mut roles);
            let ty = ty.unwrap_or(Type::Bool);
            fields.push(Field { name: Arc::clone(&name.text), ty, nullable });
        }
        self.missing_roles(ast, &roles);
        let schema = Schema {
            stream: Arc::clone(&ast.name.text),
            fields,
            id: roles.id.map_or(0, |r| r.0),
            time: roles.time.map_or(0, |r| r.0),
            lateness: roles.lateness.map_or(Span(0), |r| r.value),
        };
        let hash = canonical::stream(&schema);
        let stream = plan::Stream { schema: Arc::new(schema), hash };
        StreamInfo { stream, known, broken: ast.broken, index }
    }

    /// What the modifiers of a field make of it.
    fn roles(&mut self, field: &ast::Field, ty: Option<&Type>, at: usize, roles: &mut Roles) {
        let nullable = field.ty.as_ref().and_then(|ty| ty.nullable);
        for modifier in &field.modifiers {
            let twice = match modifier.value {
                Modifier::Id => roles.id.replace((at, modifier.span)).map(|r| r.1),
                Modifier::Time => roles.time.replace((at, modifier.span)).map(|r| r.1),
                Modifier::Late(value) => {
                    let late = At { value, span: modifier.span };
                    if !field.modifiers.iter().any(|m| matches!(m.value, Modifier::Time)) {
                        self.report.push(
                            Diagnostic::error(
                                Code::BadField,
                                modifier.span,
                                "`late` belongs to the field of the event time",
                            )
                            .hint("write `time, late 10m`"),
                        );
                    }
                    roles.lateness.replace(late).map(|r| r.span)
                }
            };
            if let Some(first) = twice {
                self.report.push(
                    Diagnostic::error(Code::DuplicateClause, modifier.span, "this stands twice")
                        .label(first, "first here"),
                );
            }
            let wanted = match (modifier.value, ty) {
                (Modifier::Id, Some(Type::String | Type::Int) | None) => None,
                (Modifier::Id, Some(_)) => Some("an id is a string or an int"),
                (Modifier::Time, Some(Type::Timestamp) | None) => None,
                (Modifier::Time, Some(_)) => Some("an event time is a timestamp"),
                (Modifier::Late(_), _) => None,
            };
            let span = field.ty.as_ref().map_or(field.name.span, |ty| ty.span);
            match (wanted, nullable) {
                (Some(wanted), _) => self.report.error(Code::BadField, span, wanted),
                (None, Some(span)) => self.report.push(
                    Diagnostic::error(
                        Code::BadField,
                        span,
                        "an id and an event time are never null",
                    )
                    .hint("leave the `?` out")
                    .fix(span, ""),
                ),
                (None, None) => {}
            }
        }
    }

    fn missing_roles(&mut self, ast: &ast::Stream, roles: &Roles) {
        if ast.broken || ast.roles_lost || ast.retracts.is_some() {
            return;
        }
        let name = &ast.name;
        if roles.id.is_none() {
            let message = format!("the stream `{}` has no id", name.text);
            self.report.push(
                Diagnostic::error(Code::MissingId, name.span, message)
                    .hint("mark the field that tells events apart: `payment_id : string id`"),
            );
        }
        if roles.time.is_none() {
            let message = format!("the stream `{}` has no event time", name.text);
            self.report.push(
                Diagnostic::error(Code::MissingTime, name.span, message)
                    .hint("mark the field that says when: `at : timestamp time, late 10m`"),
            );
        }
    }

    fn type_of(&mut self, ast: &TypeRef) -> Option<Type> {
        let arguments: Vec<Option<Type>> =
            ast.arguments.iter().map(|argument| self.type_of(argument)).collect();
        if !self.is_type(ast) {
            return None;
        }
        let wanted = match &*ast.name.text {
            "list" => 1,
            "map" => 2,
            _ => 0,
        };
        if arguments.len() != wanted {
            let message = format!("`{}` takes {wanted} types in `<>`", ast.name.text);
            self.report.error(Code::UnknownType, ast.span, message);
            return None;
        }
        if ast.digits.is_some() && &*ast.name.text != "decimal" {
            let message = format!("`{}` takes no digits", ast.name.text);
            self.report.error(Code::UnknownType, ast.span, message);
            return None;
        }
        Some(match (&*ast.name.text, &arguments[..]) {
            ("bool", _) => Type::Bool,
            ("int", _) => Type::Int,
            ("float", _) => Type::Float,
            ("string", _) => Type::String,
            ("timestamp", _) => Type::Timestamp,
            ("duration", _) => Type::Duration,
            ("decimal", _) => Type::Decimal(self.digits(ast)?),
            ("list", [of]) => Type::List(Box::new(of.clone()?)),
            ("map", [key, value]) => Type::Map(Box::new(key.clone()?), Box::new(value.clone()?)),
            (name, _) => Type::Key(Arc::clone(self.entities.get(name)?)),
        })
    }

    /// Whether a type or an entity has this name; tells it otherwise.
    fn is_type(&mut self, ast: &TypeRef) -> bool {
        let name = &ast.name;
        let is_known = TYPES.contains(&&*name.text) || self.entities.contains_key(&name.text);
        if !is_known {
            let entities = self.project.entities.iter().map(|e| &*e.name.text);
            let known = TYPES.into_iter().chain(entities);
            // With its digits, as in `varchar(20)`, so that a fix takes their place as well.
            let end = ast.nullable.map_or(ast.span.end, |question| question.start);
            let span =
                if ast.digits.is_some() { SourceSpan { end, ..ast.span } } else { name.span };
            let whole = Name { text: Arc::clone(&name.text), span };
            self.report.unknown(Code::UnknownType, "type or entity", &whole, "", known);
        }
        is_known
    }

    fn digits(&mut self, ast: &TypeRef) -> Option<u8> {
        match ast.digits {
            Some(At { value: Some(digits), .. }) if digits <= DECIMAL_DIGITS_MAX => Some(digits),
            Some(At { span, .. }) => {
                let message = format!("a decimal has 0 to {DECIMAL_DIGITS_MAX} digits");
                self.report.error(Code::BadDecimal, span, message);
                None
            }
            None => {
                self.report.push(
                    Diagnostic::error(
                        Code::BadDecimal,
                        ast.span,
                        "a decimal says how many digits stand behind its point",
                    )
                    .hint("write `decimal(2)`"),
                );
                None
            }
        }
    }
}

/// Fields with a role, and where the role is given.
#[derive(Default)]
struct Roles {
    id: Option<(usize, SourceSpan)>,
    time: Option<(usize, SourceSpan)>,
    lateness: Option<At<Span>>,
}
