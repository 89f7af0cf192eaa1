//! Events as columns, for an engine that is fed without decoding.

use std::sync::Arc;

use millrace_event::{Batch, Column, Mark, Physical, Schema, Type};

use crate::cents::Cents;
use crate::event::{PaymentEvent, PaymentStream};

/// A schema that the events do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("the payments example has no stream named {0}")]
    Stream(Arc<str>),
    #[error("events of {stream} have no field named {field}")]
    Field { stream: Arc<str>, field: Arc<str> },
    #[error("{stream}.{field} is {given}, but the events carry {carried}")]
    Type { stream: Arc<str>, field: Arc<str>, given: String, carried: &'static str },
}

/// What a field of the example's streams holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Payment,
    At,
    Card,
    Bin,
    Device,
    Ip,
    Merchant,
    Category,
    Amount,
    ListPrice,
    CardCountry,
    IpCountry,
    FirstOfCard,
    Approved,
}

impl Content {
    fn named(stream: PaymentStream, name: &str) -> Option<Content> {
        let common = match name {
            "payment_id" => Some(Content::Payment),
            "at" => Some(Content::At),
            "card" => Some(Content::Card),
            "bin" => Some(Content::Bin),
            "device" => Some(Content::Device),
            "ip" => Some(Content::Ip),
            "merchant" => Some(Content::Merchant),
            _ => None,
        };
        common.or(match (stream, name) {
            (PaymentStream::Attempts, "category") => Some(Content::Category),
            (PaymentStream::Attempts, "amount") => Some(Content::Amount),
            (PaymentStream::Attempts, "list_price") => Some(Content::ListPrice),
            (PaymentStream::Attempts, "card_country") => Some(Content::CardCountry),
            (PaymentStream::Attempts, "ip_country") => Some(Content::IpCountry),
            (PaymentStream::Attempts, "first_of_card") => Some(Content::FirstOfCard),
            (PaymentStream::Outcomes, "approved") => Some(Content::Approved),
            _ => None,
        })
    }

    /// The type it needs, in words.
    fn carried(self) -> &'static str {
        match self {
            Content::At => "a timestamp",
            Content::Amount | Content::ListPrice => "a decimal(2)",
            Content::FirstOfCard | Content::Approved => "a bool",
            Content::Payment
            | Content::Card
            | Content::Bin
            | Content::Device
            | Content::Ip
            | Content::Merchant
            | Content::Category
            | Content::CardCountry
            | Content::IpCountry => "a string or a key of strings",
        }
    }

    fn fits(self, ty: &Type) -> bool {
        match self {
            Content::At => *ty == Type::Timestamp,
            Content::Amount | Content::ListPrice => *ty == Type::Decimal(2),
            Content::FirstOfCard | Content::Approved => *ty == Type::Bool,
            Content::Payment
            | Content::Card
            | Content::Bin
            | Content::Device
            | Content::Ip
            | Content::Merchant
            | Content::Category
            | Content::CardCountry
            | Content::IpCountry => ty.physical() == Physical::Text,
        }
    }
}

/// Collects the events of one stream into batches.
#[derive(Debug)]
pub struct BatchWriter {
    stream: PaymentStream,
    contents: Vec<Content>,
    batch: Batch,
    text: Vec<u8>,
}

impl BatchWriter {
    /// For the stream that the schema names; the schema may leave fields out, in any order.
    ///
    /// # Errors
    /// When the schema names another stream or field, or a type that the field does not have.
    pub fn new(schema: Arc<Schema>) -> Result<BatchWriter, SchemaError> {
        let stream = PaymentStream::ALL
            .into_iter()
            .find(|stream| stream.name() == &*schema.stream)
            .ok_or_else(|| SchemaError::Stream(Arc::clone(&schema.stream)))?;
        let mut contents = Vec::with_capacity(schema.fields.len());
        for field in &schema.fields {
            let content =
                Content::named(stream, &field.name).ok_or_else(|| SchemaError::Field {
                    stream: Arc::clone(&schema.stream),
                    field: Arc::clone(&field.name),
                })?;
            if !content.fits(&field.ty) {
                return Err(SchemaError::Type {
                    stream: Arc::clone(&schema.stream),
                    field: Arc::clone(&field.name),
                    given: field.ty.to_string(),
                    carried: content.carried(),
                });
            }
            contents.push(content);
        }
        Ok(BatchWriter { stream, contents, batch: Batch::new(schema), text: Vec::new() })
    }

    /// Appends the event; `false` if it belongs to another stream and was left out.
    pub fn push(&mut self, event: &PaymentEvent) -> bool {
        if event.stream() != self.stream {
            return false;
        }
        for (content, column) in self.contents.iter().zip(&mut self.batch.columns) {
            self.text.clear();
            push_cell(*content, event, column, &mut self.text);
        }
        true
    }

    pub fn len(&self) -> usize {
        self.batch.len()
    }

    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// What was collected since the last call.
    pub fn take(&mut self) -> Batch {
        let empty = Batch::new(Arc::clone(&self.batch.schema));
        std::mem::replace(&mut self.batch, empty)
    }
}

fn push_cell(content: Content, event: &PaymentEvent, column: &mut Column, text: &mut Vec<u8>) {
    let keys = event.keys();
    match content {
        Content::Payment => event.payment().write(text),
        Content::Card => keys.card.write(text),
        Content::Bin => keys.bin.write(text),
        Content::Device => keys.device.write(text),
        Content::Ip => keys.ip.write(text),
        Content::Merchant => keys.merchant.write(text),
        Content::At => return column.push_word(event.at().0, Mark::OK),
        Content::Category
        | Content::Amount
        | Content::ListPrice
        | Content::CardCountry
        | Content::IpCountry
        | Content::FirstOfCard
        | Content::Approved => return push_own(content, event, column),
    }
    column.push_text(&String::from_utf8_lossy(text), Mark::OK);
}

/// A cell that only one of the streams has; [`Content::named`] has settled which.
fn push_own(content: Content, event: &PaymentEvent, column: &mut Column) {
    let money = |column: &mut Column, cents: Cents| column.push_word(i64::from(cents.0), Mark::OK);
    match (content, event) {
        (Content::Category, PaymentEvent::Attempt(a)) => {
            column.push_text(a.category.name(), Mark::OK);
        }
        (Content::CardCountry, PaymentEvent::Attempt(a)) => {
            column.push_text(a.card_country.code(), Mark::OK);
        }
        (Content::IpCountry, PaymentEvent::Attempt(a)) => {
            column.push_text(a.ip_country.code(), Mark::OK);
        }
        (Content::Amount, PaymentEvent::Attempt(a)) => money(column, a.amount),
        (Content::ListPrice, PaymentEvent::Attempt(a)) => money(column, a.list_price),
        (Content::FirstOfCard, PaymentEvent::Attempt(a)) => {
            column.push_word(i64::from(a.first_of_card), Mark::OK);
        }
        (Content::Approved, PaymentEvent::Outcome(o)) => {
            column.push_word(i64::from(o.approved), Mark::OK);
        }
        _ => {
            debug_assert!(false, "{content:?} is not of {:?}", event.stream());
            column.push_null(Mark::NULL);
        }
    }
}
