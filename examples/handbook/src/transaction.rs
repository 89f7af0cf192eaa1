use millrace_event::EventTime;

use crate::cents::Cents;

/// A payment by its place in time, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(pub u32);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CustomerId(pub u32);

/// Where cards are put in or held against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TerminalId(pub u32);

/// Why a payment is fraud. Where several hold, the last one counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Scenario {
    /// More than 220 is paid: no fraudster does that, but every detector should find it.
    LargeAmount = 1,
    /// For four weeks, all payments at a terminal are made with stolen cards.
    Terminal = 2,
    /// For two weeks, somebody else pays with a customer's card, too, and five times as much.
    Customer = 3,
}

impl Scenario {
    pub const ALL: [Scenario; 3] = [Scenario::LargeAmount, Scenario::Terminal, Scenario::Customer];

    /// As the book numbers them.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// A payment, and the truth about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transaction {
    pub id: TransactionId,
    pub at: EventTime,
    pub customer: CustomerId,
    pub terminal: TerminalId,
    pub amount: Cents,
    /// `None` of an honest one.
    pub scenario: Option<Scenario>,
}

impl Transaction {
    pub fn is_fraud(&self) -> bool {
        self.scenario.is_some()
    }
}
