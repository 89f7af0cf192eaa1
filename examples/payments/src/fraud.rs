//! Fraud: four kinds that are over within minutes to hours, and one that is slow.
//!
//! | kind | what happens |
//! |---|---|
//! | card testing | a script tries stolen card numbers at one cheap merchant until some work |
//! | stolen card | one known card buys what can be sold on, from a new device behind a proxy |
//! | takeover | one device walks through the accounts of many card holders |
//! | merchant burst | a small merchant charges stolen cards, and vanishes with the money |
//! | slow | single payments, often from the holder's own device: friendly fraud |
//!
//! An attempt counts as fraud only if it is approved: a declined one costs nobody anything.

mod card_testing;
mod merchant_burst;
mod slow;
mod stolen_card;
mod takeover;

pub(crate) use card_testing::card_testing;

use crate::clock::Offset;
use crate::country::Country;
use crate::draft::{Draft, Fresh, Source};
use crate::random::Random;
use crate::settings::Settings;
use crate::world::{Part, World};

/// The share of slow fraud for which campaigns have the frequencies written beside them.
const SLOW_SHARE_NOMINAL: f64 = 0.28;
/// Proxies that sit behind a carrier's shared address, which many honest people use too.
const SHARED_PROXY_SHARE: f64 = 0.25;

/// Makes the attempts of one campaign that begins at the given time.
type Campaign = fn(&World, &mut Fresh, Offset, &mut Random, &mut Vec<Draft>);

/// Appends all attempts of fraudsters, in no order.
pub(crate) fn fraud(world: &World, fresh: &mut Fresh, out: &mut Vec<Draft>) {
    let fast = fast_scale(&world.settings);
    let kinds: [(Part, f64, Campaign); 4] = [
        (Part::CardTesting, 0.25 * fast, card_testing),
        (Part::StolenCard, 5.6 * fast, stolen_card::stolen_card),
        (Part::Takeover, 0.75 * fast, takeover::takeover),
        (Part::MerchantBurst, 0.4 * fast, merchant_burst::merchant_burst),
    ];
    for (part, a_day, campaign) in kinds {
        let mut random = part.random(world.settings.seed);
        for _ in 0..random.poisson(a_day * f64::from(world.settings.days)) {
            let start = random.between(0..=world.settings.period() - 1);
            campaign(world, fresh, start, &mut random, out);
        }
    }
    slow::slow_fraud(world, slow_scale(&world.settings), fresh, out);
}

fn fast_scale(settings: &Settings) -> f64 {
    settings.fraud_scale * (1.0 - settings.slow_share) / (1.0 - SLOW_SHARE_NOMINAL)
}

fn slow_scale(settings: &Settings) -> f64 {
    settings.fraud_scale * settings.slow_share / SLOW_SHARE_NOMINAL
}

/// An address that is meant to look as if it were in this country.
fn proxy_ip(world: &World, country: Country, fresh: &mut Fresh, random: &mut Random) -> Source {
    if random.chance(SHARED_PROXY_SHARE) { world.mobile_ip(country, random) } else { fresh.ip() }
}

/// So many moments in the `span` after `start`, in order.
fn spread(start: Offset, span: Offset, count: usize, random: &mut Random) -> Vec<Offset> {
    let mut times: Vec<Offset> = (0..count).map(|_| start + random.between(0..=span - 1)).collect();
    times.sort_unstable();
    times
}
