//! Who exists before anybody pays: merchants, cards, and what each card's holder is like.

mod card;
mod merchant;

pub(crate) use card::Card;
pub(crate) use merchant::Merchants;

use crate::country::Country;
use crate::draft::{Fresh, Source};
use crate::id::BinId;
use crate::random::{Alias, Random};
use crate::settings::Settings;

/// Issuers' ranges.
pub(crate) const BINS: u16 = 300;
/// Addresses per country behind which a carrier puts its phones, and the same for offices.
pub(crate) const SHARED_IPS: u32 = 60;

/// The numbers of the random streams: each part of a world draws from its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Merchants,
    Cards,
    Legitimate,
    Agents,
    CardTesting,
    StolenCard,
    Takeover,
    MerchantBurst,
    Slow,
    Finish,
    Injection,
}

impl Part {
    pub fn random(self, seed: u64) -> Random {
        Random::new(seed, self as u64)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub settings: Settings,
    pub merchants: Merchants,
    /// Those that exist from the start, then those that appear later.
    pub cards: Vec<Card>,
    /// Draws one of the first cards, active ones more often.
    by_activity: Alias,
    /// Draws a BIN as cards have them.
    bins: Alias,
    /// The first mobile address of the first country; the countries' blocks follow each other.
    mobile: Source,
    office: Source,
}

impl World {
    /// The world of these (checked) settings, and what hands out further ids.
    pub fn new(settings: &Settings) -> (World, Fresh) {
        let mut fresh = Fresh::default();
        let merchants = Merchants::new(&mut Part::Merchants.random(settings.seed));
        let countries = Country::ALL.len() as u32;
        let mobile = fresh.ip_range(countries * SHARED_IPS);
        let office = fresh.ip_range(countries * SHARED_IPS);
        let mut world = World {
            settings: settings.clone(),
            merchants,
            cards: Vec::with_capacity(settings.cards()),
            by_activity: Alias::new(&[1.0]),
            bins: bins(),
            mobile,
            office,
        };
        world.cards = card::cards(&world, &mut fresh, &mut Part::Cards.random(settings.seed));
        let first = world.cards.iter().take(settings.n_cards as usize);
        world.by_activity = Alias::new(&first.map(|card| card.activity).collect::<Vec<_>>());
        (world, fresh)
    }

    /// One of the cards that exist from the start, all alike.
    pub fn any_known_card(&self, random: &mut Random) -> Source {
        random.below(u64::from(self.settings.n_cards)) as Source
    }

    /// One of the cards that exist from the start, in proportion to their activity.
    pub fn active_card(&self, random: &mut Random) -> Source {
        self.by_activity.draw(random) as Source
    }

    pub fn card(&self, card: Source) -> &Card {
        &self.cards[card as usize]
    }

    pub fn bin(&self, random: &mut Random) -> BinId {
        BinId(self.bins.draw(random) as u16 + 1)
    }

    pub fn mobile_ip(&self, country: Country, random: &mut Random) -> Source {
        shared_ip(self.mobile, country, random)
    }

    pub fn office_ip(&self, country: Country, random: &mut Random) -> Source {
        shared_ip(self.office, country, random)
    }
}

fn shared_ip(first: Source, country: Country, random: &mut Random) -> Source {
    first + country as u32 * SHARED_IPS + random.below(u64::from(SHARED_IPS)) as u32
}

/// BIN 1 + (Z mod 300), where Z follows a zeta law: P(Z = k) ∝ k^−1.3, k ≥ 1. The weight of a
/// residue is the sum over all k with it; the far ones are taken together as an integral.
fn bins() -> Alias {
    const EXPONENT: f64 = 1.3;
    const TERMS: u32 = 1_000;
    let modulus = f64::from(BINS);
    let weight = |residue: u16| {
        let least = if residue == 0 { modulus } else { f64::from(residue) };
        let at = |turn: u32| least + modulus * f64::from(turn);
        let near: f64 = (0..TERMS).map(|turn| libm::pow(at(turn), -EXPONENT)).sum();
        let first_far = at(TERMS);
        let far = libm::pow(first_far, 1.0 - EXPONENT) / ((EXPONENT - 1.0) * modulus)
            + 0.5 * libm::pow(first_far, -EXPONENT);
        near + far
    };
    Alias::new(&(0..BINS).map(weight).collect::<Vec<f64>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_the_folded_zeta_law() {
        let (bins, mut random) = (bins(), Random::new(1, 1));
        let n = 400_000;
        let mut seen = [0u32; BINS as usize];
        (0..n).for_each(|_| seen[bins.draw(&mut random)] += 1);
        // ζ(1.3) = 3.93195; residue 1 has 1 + Σ (1 + 300 j)^−1.3 = 1.00236 of it before the fold
        // of the tail, which adds the same to all: the shares must add up to 1.
        let share = |residue: usize| f64::from(seen[residue]) / f64::from(n);
        let zeta = 3.931_949_211_809_5;
        let folded: f64 = (1..3_000_000).map(|j| libm::pow(1.0 + 300.0 * f64::from(j), -1.3)).sum();
        let tail = libm::pow(1.0 + 300.0 * 3e6, -0.3) / (0.3 * 300.0);
        let expected = (1.0 + folded + tail) / zeta;
        assert!((share(1) - expected).abs() < 0.003, "{} {expected}", share(1));
        assert!(seen.iter().all(|n| *n > 0));
    }

    #[test]
    fn a_world_repeats_and_depends_on_its_seed() {
        let small = |seed| Settings { seed, n_cards: 50, n_new: 5, days: 9, ..Settings::default() };
        let text = |seed| format!("{:?}", World::new(&small(seed)).0.cards);
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn family_cards_share_their_device_two_by_two() {
        let (world, _) = World::new(&Settings { n_new: 0, ..Settings::default() });
        let mut users = vec![0u32; 2 * world.cards.len()];
        world.cards.iter().for_each(|card| users[card.first_device as usize] += 1);
        let shared = users.iter().filter(|n| **n == 2).count();
        assert!(users.iter().all(|n| *n <= 2));
        // A tenth of 30,000 cards, in pairs.
        assert!((1_400..=1_600).contains(&shared), "{shared}");
    }

    #[test]
    fn addresses_of_two_countries_and_kinds_never_meet() {
        let (world, _) = World::new(&Settings { n_cards: 1, n_new: 0, ..Settings::default() });
        let mut random = Random::new(1, 1);
        for country in Country::ALL {
            let from = country as u32 * SHARED_IPS;
            let own = from..from + SHARED_IPS;
            assert!(own.contains(&(world.mobile_ip(country, &mut random) - world.mobile)));
            assert!(own.contains(&(world.office_ip(country, &mut random) - world.office)));
        }
        assert!(world.office >= world.mobile + 6 * SHARED_IPS);
    }
}
