//! Fraud on demand: one campaign that can be merged into a running stream.

use millrace_event::EventTime;

use crate::draft::{Draft, Fresh};
use crate::event::{Keys, PaymentEvent};
use crate::fraud::card_testing;
use crate::history::{History, Kind, Payment, report_delay};
use crate::id::{CardId, DeviceId, IpId, PaymentId};
use crate::stream::{outcome_of, report_of};
use crate::world::Part;

/// Seeds from here on share the ids of the seed this much smaller.
const SEEDS: u64 = 1_000_000;
/// Ids that one injection may use of each sort; a burst has fewer than 300 attempts.
const IDS: u32 = 1_000;
/// Ids of injections lie above all that a history hands out.
const SOURCE_FIRST: u32 = 900_000_000;
const PAYMENT_FIRST: u64 = 9_000_000_000;

impl History {
    /// The events of one card-testing burst that begins at `start` (see [`Kind::CardTesting`]),
    /// in order of time: attempts and outcomes within the hour, reports of the few that were
    /// approved days later. Merge it into a stream with [`crate::merge`].
    ///
    /// Ids are its own, apart from cards and shared addresses that the history has seen before
    /// `start`; bursts of two seeds below 1,000,000 share none.
    pub fn inject_card_testing(&self, start: EventTime, seed: u64) -> Vec<PaymentEvent> {
        let mut random = Part::Injection.random(seed);
        let own = SOURCE_FIRST + (seed % SEEDS) as u32 * IDS;
        let mut fresh = Fresh { cards: own, devices: own, ips: own };
        let mut drafts = Vec::new();
        card_testing(&self.world, &mut fresh, 0, &mut random, &mut drafts);
        let mut events = Vec::with_capacity(2 * drafts.len());
        settle_known_cards(self, start, &mut drafts, &mut fresh);
        let first_payment = PAYMENT_FIRST + (seed % SEEDS) * u64::from(IDS);
        for (payment, draft) in (first_payment..).map(PaymentId).zip(&drafts) {
            let row = self.injected(start, draft, &mut fresh);
            events.push(PaymentEvent::Attempt(self.attempt(payment, &row)));
            events.push(PaymentEvent::Outcome(outcome_of(payment, &row)));
            if row.is_fraud()
                && let Some(delay) = report_delay(&mut random)
            {
                let at = EventTime(row.at.0 + delay * 1_000);
                events.push(PaymentEvent::Report(report_of(payment, &row, at)));
            }
        }
        events.sort_by_key(PaymentEvent::at);
        events
    }

    fn injected(&self, start: EventTime, draft: &Draft, fresh: &mut Fresh) -> Payment {
        let at = EventTime(start.0 + draft.at * 1_000);
        let known_card = self.numbers.cards.seen_before(draft.card, start);
        let known_ip = self.numbers.ips.seen_before(draft.ip, start);
        let own_ip = (draft.ip >= SOURCE_FIRST).then_some(draft.ip);
        Payment {
            at,
            keys: Keys {
                card: CardId(known_card.unwrap_or(draft.card)),
                bin: draft.bin,
                device: DeviceId(draft.device),
                ip: IpId(known_ip.or(own_ip).unwrap_or_else(|| fresh.ip())),
                merchant: draft.merchant,
            },
            amount: draft.amount,
            card_country: draft.card_country,
            ip_country: draft.ip_country,
            kind: Kind::CardTesting,
            approved: draft.approved,
            first_of_card: known_card.is_none(),
        }
    }
}

/// A card that the history has not seen yet cannot be a known one, since the history will say of it
/// later that it is new: an unknown card of the attack takes its place.
fn settle_known_cards(
    history: &History,
    start: EventTime,
    drafts: &mut [Draft],
    fresh: &mut Fresh,
) {
    let bin = drafts.iter().find(|draft| draft.card >= SOURCE_FIRST).map(|draft| draft.bin);
    for draft in drafts {
        let is_own = draft.card >= SOURCE_FIRST;
        if !is_own && history.numbers.cards.seen_before(draft.card, start).is_none() {
            draft.card = fresh.card();
            draft.bin = bin.unwrap_or(draft.bin);
            draft.card_country = draft.ip_country;
        }
    }
}
