use super::World;
use crate::clock::{DAY_MS, Offset};
use crate::country::Country;
use crate::draft::{Fresh, Source};
use crate::id::{BinId, MerchantId};
use crate::random::{Alias, Random};

const FAMILY_SHARE: f64 = 0.10;
const GAMER_SHARE: f64 = 0.03;
const TRAVELLER_SHARE: f64 = 0.06;
const TRIP_DAYS: i64 = 7;
const DECLINE_MAX: f64 = 0.5;

/// A card and the habits of whoever holds it.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    /// Its first moment.
    pub first: Offset,
    /// Attempts a day.
    pub activity: f64,
    pub bin: BinId,
    /// What this holder spends, as a multiple of the list price.
    pub spending: f64,
    pub country: Country,
    pub favourites: [MerchantId; 5],
    pub is_gamer: bool,
    /// The probability that its issuer declines an honest payment.
    pub decline: f64,
    pub first_device: Source,
    pub second_device: Source,
    pub home_ip: Source,
    pub mobile_ip: Source,
    pub office_ip: Source,
    pub trip: Option<Trip>,
}

/// A week abroad.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    first_day: i64,
    pub country: Country,
    pub ip: Source,
}

impl Card {
    /// The trip on which this moment falls.
    pub fn trip_at(&self, at: Offset) -> Option<&Trip> {
        let day = at.div_euclid(DAY_MS);
        self.trip.as_ref().filter(|t| (t.first_day..t.first_day + TRIP_DAYS).contains(&day))
    }
}

/// All cards of a world whose merchants are there. First devices come first among the device ids.
pub(super) fn cards(world: &World, fresh: &mut Fresh, random: &mut Random) -> Vec<Card> {
    let settings = &world.settings;
    let shares = Alias::new(&Country::ALL.map(Country::share));
    let total = settings.cards() as u32;
    fresh.cards = total;
    let mut cards: Vec<Card> = (0..total)
        .map(|index| {
            let is_new = index >= settings.n_cards;
            let first =
                if is_new { random.between(0..=settings.period() - 1) } else { Offset::default() };
            let country = Country::ALL[shares.draw(random)];
            Card {
                first,
                activity: random.gamma(0.8, 0.45) + 0.02,
                bin: world.bin(random),
                spending: random.log_normal(0.0, 0.35),
                country,
                favourites: [(); 5].map(|()| world.merchants.popular(random)),
                is_gamer: random.chance(GAMER_SHARE),
                decline: random.beta(1.2, 22.0).min(DECLINE_MAX),
                first_device: fresh.device(),
                second_device: 0,
                home_ip: fresh.ip(),
                mobile_ip: world.mobile_ip(country, random),
                office_ip: world.office_ip(country, random),
                trip: trip(index, country, world, fresh, random),
            }
        })
        .collect();
    cards.iter_mut().for_each(|card| card.second_device = fresh.device());
    pair_families(&mut cards, random);
    cards
}

fn trip(
    index: u32,
    country: Country,
    world: &World,
    fresh: &mut Fresh,
    random: &mut Random,
) -> Option<Trip> {
    if !random.chance(TRAVELLER_SHARE) {
        return None;
    }
    let last_start = (i64::from(world.settings.days) - TRIP_DAYS - 1).max(0);
    Some(Trip {
        first_day: random.between(0..=last_start),
        country: country.after(1 + index as usize % 4),
        ip: fresh.ip(),
    })
}

/// A tenth of the cards belong to families; each two of them share the first one's device.
fn pair_families(cards: &mut [Card], random: &mut Random) {
    let members: Vec<usize> = (0..cards.len()).filter(|_| random.chance(FAMILY_SHARE)).collect();
    for pair in members.chunks_exact(2) {
        cards[pair[1]].first_device = cards[pair[0]].first_device;
    }
}
