use millrace_event::{EventTime, Span};

use crate::category::Category;
use crate::cents::Cents;
use crate::country::Country;
use crate::id::{BinId, CardId, DeviceId, IpId, MerchantId, PaymentId};

/// How long after an attempt its outcome is known.
pub const OUTCOME_DELAY: Span = Span::millis(1_200);

/// The three streams of the example.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PaymentStream {
    Attempts,
    Outcomes,
    Reports,
}

impl PaymentStream {
    pub const ALL: [PaymentStream; 3] =
        [PaymentStream::Attempts, PaymentStream::Outcomes, PaymentStream::Reports];

    /// As the project's files call it.
    pub fn name(self) -> &'static str {
        match self {
            PaymentStream::Attempts => "payment_attempts",
            PaymentStream::Outcomes => "payment_outcomes",
            PaymentStream::Reports => "fraud_reports",
        }
    }
}

/// Whom a payment is about. Outcomes and reports repeat it, because a feature group reads one
/// stream and nothing is joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    pub card: CardId,
    pub bin: BinId,
    pub device: DeviceId,
    pub ip: IpId,
    pub merchant: MerchantId,
}

/// Somebody tries to pay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub payment: PaymentId,
    pub at: EventTime,
    pub keys: Keys,
    pub category: Category,
    pub amount: Cents,
    /// What the merchant's typical purchase costs.
    pub list_price: Cents,
    pub card_country: Country,
    pub ip_country: Country,
    /// Whether this card has never been seen before: a fact about the card that a group keyed by
    /// merchant needs, and could not look up.
    pub first_of_card: bool,
}

/// The issuer's answer to an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub payment: PaymentId,
    pub at: EventTime,
    pub keys: Keys,
    pub approved: bool,
}

/// A card holder says that it was not them, days later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    pub payment: PaymentId,
    pub at: EventTime,
    pub keys: Keys,
}

/// One event of one of the three streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentEvent {
    Attempt(Attempt),
    Outcome(Outcome),
    Report(Report),
}

impl PaymentEvent {
    pub fn stream(&self) -> PaymentStream {
        match self {
            PaymentEvent::Attempt(_) => PaymentStream::Attempts,
            PaymentEvent::Outcome(_) => PaymentStream::Outcomes,
            PaymentEvent::Report(_) => PaymentStream::Reports,
        }
    }

    pub fn at(&self) -> EventTime {
        match self {
            PaymentEvent::Attempt(event) => event.at,
            PaymentEvent::Outcome(event) => event.at,
            PaymentEvent::Report(event) => event.at,
        }
    }

    pub fn payment(&self) -> PaymentId {
        match self {
            PaymentEvent::Attempt(event) => event.payment,
            PaymentEvent::Outcome(event) => event.payment,
            PaymentEvent::Report(event) => event.payment,
        }
    }

    pub fn keys(&self) -> Keys {
        match self {
            PaymentEvent::Attempt(event) => event.keys,
            PaymentEvent::Outcome(event) => event.keys,
            PaymentEvent::Report(event) => event.keys,
        }
    }
}
