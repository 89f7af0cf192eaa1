//! A finished world: every payment in order of time, with the truth about it.

mod number;

use millrace_event::EventTime;

pub(crate) use number::Numbers;

use crate::category::Category;
use crate::cents::Cents;
use crate::clock::{DAY_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh};
use crate::event::{Attempt, Keys};
use crate::id::{CardId, DeviceId, IpId, MerchantId, PaymentId};
use crate::random::Random;
use crate::settings::{Settings, SettingsError};
use crate::stream::Events;
use crate::world::{Part, World};
use crate::{fraud, legitimate};

/// Fraud that is reported at all, the median days until then, and the spread of their logarithm.
const REPORTED_SHARE: f64 = 0.92;
const REPORT_MEDIAN_DAYS: f64 = 5.0;
const REPORT_DEVIATION: f64 = 0.9;

/// What an attempt really was. No event tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    Legitimate,
    CardTesting,
    StolenCard,
    Takeover,
    MerchantBurst,
    Slow,
}

impl Kind {
    pub const ALL: [Kind; 6] = [
        Kind::Legitimate,
        Kind::CardTesting,
        Kind::StolenCard,
        Kind::Takeover,
        Kind::MerchantBurst,
        Kind::Slow,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Legitimate => "legitimate",
            Kind::CardTesting => "card testing",
            Kind::StolenCard => "stolen card",
            Kind::Takeover => "takeover",
            Kind::MerchantBurst => "merchant burst",
            Kind::Slow => "slow",
        }
    }
}

/// One attempt with its outcome and the truth about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Payment {
    pub at: EventTime,
    pub keys: Keys,
    pub amount: Cents,
    pub card_country: Country,
    pub ip_country: Country,
    pub kind: Kind,
    pub approved: bool,
    pub first_of_card: bool,
}

impl Payment {
    /// Whether it is fraud: a declined attempt is not, whoever made it.
    pub fn is_fraud(&self) -> bool {
        self.approved && self.kind != Kind::Legitimate
    }
}

/// All payments of a world. About 50 bytes each; 0.93 million by default.
#[derive(Clone, Debug)]
pub struct History {
    pub(crate) world: World,
    pub(crate) numbers: Numbers,
    payments: Vec<Payment>,
    /// When which payment is reported, in order of time.
    pub(crate) reports: Vec<(EventTime, u32)>,
}

impl History {
    /// # Errors
    /// When a setting is outside its range.
    pub fn generate(settings: &Settings) -> Result<History, SettingsError> {
        settings.check()?;
        let (world, mut fresh) = World::new(settings);
        let mut drafts = Vec::new();
        legitimate::legitimate(&world, &mut fresh, &mut drafts);
        fraud::fraud(&world, &mut fresh, &mut drafts);
        let mut random = Part::Finish.random(settings.seed);
        let drafts = in_order(settings.period(), drafts, &mut random);
        Ok(History::finish(world, &fresh, drafts, &mut random))
    }

    fn finish(world: World, fresh: &Fresh, drafts: Vec<Draft>, random: &mut Random) -> History {
        let mut numbers = Numbers::new(fresh);
        let mut payments = Vec::with_capacity(drafts.len());
        let mut reports = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            let payment = numbered(&world.settings, draft, &mut numbers);
            if payment.is_fraud()
                && let Some(delay) = report_delay(random)
            {
                reports.push((world.settings.time(draft.at + delay), index as u32));
            }
            payments.push(payment);
        }
        reports.sort_unstable();
        History { world, numbers, payments, reports }
    }

    pub fn settings(&self) -> &Settings {
        &self.world.settings
    }

    /// In order of time; the i-th is payment `i + 1`.
    pub fn payments(&self) -> &[Payment] {
        &self.payments
    }

    /// What a payment of this history really was.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.get(usize::try_from(id.0.checked_sub(1)?).ok()?)
    }

    /// Attempts, outcomes and reports in order of time. The last outcomes and many reports come
    /// after [`Settings::end`]; take while earlier to leave them out.
    pub fn events(&self) -> Events<&History> {
        Events::new(self)
    }

    pub fn category(&self, merchant: MerchantId) -> Category {
        self.world.merchants.get(merchant).category
    }

    /// What the merchant's typical purchase costs.
    pub fn list_price(&self, merchant: MerchantId) -> Cents {
        Cents::of_units(self.world.merchants.get(merchant).list_price)
    }

    /// The event that a payment begins with.
    pub(crate) fn attempt(&self, payment: PaymentId, row: &Payment) -> Attempt {
        Attempt {
            payment,
            at: row.at,
            keys: row.keys,
            category: self.category(row.keys.merchant),
            amount: row.amount,
            list_price: self.list_price(row.keys.merchant),
            card_country: row.card_country,
            ip_country: row.ip_country,
            first_of_card: row.first_of_card,
        }
    }
}

/// Those inside the period, by time, equal times at random.
fn in_order(period: Offset, drafts: Vec<Draft>, random: &mut Random) -> Vec<Draft> {
    let mut drafts: Vec<(u64, Draft)> = drafts
        .into_iter()
        .filter(|draft| (0..period).contains(&draft.at))
        .map(|draft| (random.bits(), draft))
        .collect();
    drafts.sort_unstable_by_key(|(tie, draft)| (draft.at, *tie));
    drafts.into_iter().map(|(_, draft)| draft).collect()
}

fn numbered(settings: &Settings, draft: &Draft, numbers: &mut Numbers) -> Payment {
    let at = settings.time(draft.at);
    let (card, first_of_card) = numbers.cards.number(draft.card, at);
    Payment {
        at,
        keys: Keys {
            card: CardId(card),
            bin: draft.bin,
            device: DeviceId(numbers.devices.number(draft.device, at).0),
            ip: IpId(numbers.ips.number(draft.ip, at).0),
            merchant: draft.merchant,
        },
        amount: draft.amount,
        card_country: draft.card_country,
        ip_country: draft.ip_country,
        kind: draft.kind,
        approved: draft.approved,
        first_of_card,
    }
}

/// How long until a fraud is reported, in ms; `None` for one that never is.
pub(crate) fn report_delay(random: &mut Random) -> Option<Offset> {
    let days = random.log_normal(libm::log(REPORT_MEDIAN_DAYS), REPORT_DEVIATION);
    random.chance(REPORTED_SHARE).then_some((days * DAY_MS as f64) as Offset)
}
