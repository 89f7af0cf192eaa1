//! What a decision was made of, as it is written down: definitions by name, type and hash.

use std::sync::Arc;

use millrace_event::{Entity, KeyKind, Type};
use millrace_feature::plan::{DefinitionHash, Outcome, Plan};
use millrace_serving::Models;
use serde::{Deserialize, Serialize};

/// A decision as one start of a server took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionForm {
    pub name: String,
    /// SHA-256 of the definition, in base16; so are all hashes here.
    pub hash: String,
    pub view: String,
    pub view_hash: String,
    pub stream: String,
    /// Of the event that asks.
    pub fields: Vec<FieldForm>,
    /// Of the vector.
    pub columns: Vec<FieldForm>,
    /// The groups that the view reads: each has an age.
    pub groups: Vec<String>,
    pub scores: Vec<ModelForm>,
    pub shadows: Vec<ModelForm>,
    pub rules: Vec<RuleForm>,
    /// The outcome where no rule is true.
    pub otherwise: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldForm {
    pub name: String,
    #[serde(with = "type_form")]
    pub ty: Type,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelForm {
    pub name: String,
    /// Of the model file's bytes.
    pub hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleForm {
    pub outcome: String,
    pub reason: String,
}

impl DecisionForm {
    pub fn of(plan: &Plan, models: &Models, decision: usize) -> DecisionForm {
        let decision = &plan.decisions[decision];
        let view = &plan.views[decision.view];
        let schema = &plan.streams[view.stream].schema;
        let field =
            |name: &Arc<str>, ty: &Type| FieldForm { name: name.to_string(), ty: ty.clone() };
        let model = |index: &usize| ModelForm {
            name: plan.models[*index].name.to_string(),
            hash: models.get(*index).map_or_else(String::new, |m| format!("{:#}", m.hash())),
        };
        let rule = |rule: &millrace_feature::plan::Rule| RuleForm {
            outcome: rule.outcome.name().to_owned(),
            reason: rule.reason.to_string(),
        };
        DecisionForm {
            name: decision.name.to_string(),
            hash: hex(&decision.hash),
            view: view.name.to_string(),
            view_hash: hex(&view.hash),
            stream: schema.stream.to_string(),
            fields: schema.fields.iter().map(|f| field(&f.name, &f.ty)).collect(),
            columns: view.columns.iter().map(|c| field(&c.name, &c.ty)).collect(),
            groups: view.reads.iter().map(|r| plan.groups[r.group].name.to_string()).collect(),
            scores: decision.scores.iter().map(model).collect(),
            shadows: decision.shadows.iter().map(model).collect(),
            rules: decision.rules.iter().map(rule).collect(),
            otherwise: decision.otherwise.name().to_owned(),
        }
    }

    /// The name of the rule, or its condition; `else` for none.
    pub fn reason(&self, rule: Option<usize>) -> &str {
        rule.and_then(|rule| self.rules.get(rule)).map_or("else", |rule| rule.reason.as_str())
    }
}

/// All 64 digits.
pub(crate) fn hex(hash: &DefinitionHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Allow => 0,
        Outcome::Review => 1,
        Outcome::Block => 2,
    }
}

pub(crate) fn outcome_of(code: u8) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome_code(*outcome) == code)
}

/// A type as JSON: its name, and what its name does not say.
mod type_form {
    use serde::{Deserializer, Serializer, de::Error as _};

    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Form {
        Bool,
        Int,
        Float,
        Decimal(u8),
        String,
        Timestamp,
        Duration,
        Key { entity: String, integer: bool },
        List(Box<Form>),
        Map(Box<Form>, Box<Form>),
    }

    /// Lists within lists deeper than this are none of ours.
    const DEPTH_MAX: usize = 16;
    /// The most digits after the point of a decimal.
    const SCALE_MAX: u8 = 18;

    pub fn serialize<S: Serializer>(ty: &Type, to: S) -> Result<S::Ok, S::Error> {
        form(ty).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Type, D::Error> {
        let form = Form::deserialize(from)?;
        type_of(&form, 0).ok_or_else(|| D::Error::custom("a type that is none of ours"))
    }

    fn form(ty: &Type) -> Form {
        match ty {
            Type::Bool => Form::Bool,
            Type::Int => Form::Int,
            Type::Float => Form::Float,
            Type::Decimal(scale) => Form::Decimal(*scale),
            Type::String => Form::String,
            Type::Timestamp => Form::Timestamp,
            Type::Duration => Form::Duration,
            Type::Key(entity) => {
                let integer = entity.kind == KeyKind::Int;
                Form::Key { entity: entity.name.to_string(), integer }
            }
            Type::List(of) => Form::List(Box::new(form(of))),
            Type::Map(key, of) => Form::Map(Box::new(form(key)), Box::new(form(of))),
        }
    }

    fn type_of(form: &Form, depth: usize) -> Option<Type> {
        if depth > DEPTH_MAX {
            return None;
        }
        Some(match form {
            Form::Bool => Type::Bool,
            Form::Int => Type::Int,
            Form::Float => Type::Float,
            Form::Decimal(scale) if *scale <= SCALE_MAX => Type::Decimal(*scale),
            Form::Decimal(_) => return None,
            Form::String => Type::String,
            Form::Timestamp => Type::Timestamp,
            Form::Duration => Type::Duration,
            Form::Key { entity, integer } => {
                let kind = if *integer { KeyKind::Int } else { KeyKind::Text };
                Type::Key(Arc::new(Entity { name: Arc::from(entity.as_str()), kind }))
            }
            Form::List(of) => Type::List(Box::new(type_of(of, depth + 1)?)),
            Form::Map(key, of) => {
                Type::Map(Box::new(type_of(key, depth + 1)?), Box::new(type_of(of, depth + 1)?))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_as_it_is_written() {
        let key = |kind| Type::Key(Arc::new(Entity { name: Arc::from("card"), kind }));
        let list = |of: Type| Type::List(Box::new(of));
        let all = [
            Type::Bool,
            Type::Int,
            Type::Float,
            Type::Decimal(2),
            Type::String,
            Type::Timestamp,
            Type::Duration,
            key(KeyKind::Text),
            key(KeyKind::Int),
            list(list(key(KeyKind::Text))),
            Type::Map(Box::new(Type::String), Box::new(Type::Int)),
        ];
        for ty in all {
            let field = FieldForm { name: "x".to_owned(), ty };
            let text = serde_json::to_string(&field).unwrap();
            assert_eq!(serde_json::from_str::<FieldForm>(&text).unwrap(), field, "{text}");
        }
        for outcome in Outcome::ALL {
            assert_eq!(outcome_of(outcome_code(outcome)), Some(outcome));
        }
    }
}
