//! Honest traffic: people with habits, and everything about them that looks like fraud and is not.
//!
//! Hard negatives on purpose: gamers' bursts, flash sales, devices and addresses never seen before
//! (unstable fingerprints, dynamic addresses), shared mobile and office addresses, family members
//! on one device, travellers, follow-up purchases, retries after a decline, and travel agents.

mod agent;
mod echo;

use crate::cents::Cents;
use crate::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh, Source};
use crate::history::Kind;
use crate::id::MerchantId;
use crate::random::Random;
use crate::world::{Card, Part, World};

/// How busy each day of the week is.
const WEEK: [f64; 7] = [1.0, 0.95, 0.95, 1.0, 1.15, 1.25, 0.9];
const BUSIEST: f64 = 1.25;
const FAVOURITE_SHARE: f64 = 0.72;
/// A flash sale every so many days.
const FLASH_SALE_DAYS: u32 = 5;
const NEW_DEVICE_SHARE: f64 = 0.18;
const SECOND_DEVICE_SHARE: f64 = 0.10;
const NEW_IP_SHARE: f64 = 0.25;
/// How much more often an address is new when the device is: a private window elsewhere.
const NEW_IP_EXTRA: f64 = 0.25;
const MOBILE_SHARE: f64 = 0.22;
const OFFICE_SHARE: f64 = 0.11;
/// Of the new addresses, those that seem to be in some other country.
const STRANGE_COUNTRY_SHARE: f64 = 0.25;

/// Appends all honest payments, in no order.
pub(crate) fn legitimate(world: &World, fresh: &mut Fresh, out: &mut Vec<Draft>) {
    let mut random = Part::Legitimate.random(world.settings.seed);
    let begin = out.len();
    for index in 0..world.cards.len() {
        everyday(world, fresh, index as Source, &mut random, out);
    }
    for _ in 0..world.settings.days / FLASH_SALE_DAYS {
        flash_sale(world, fresh, &mut random, out);
    }
    echo::follow_ups(world, begin, &mut random, out);
    echo::retries(begin, &mut random, out);
    agent::travel_agents(world, fresh, out);
}

/// One card's payments over the period, at its favourite or at popular merchants.
fn everyday(
    world: &World,
    fresh: &mut Fresh,
    index: Source,
    random: &mut Random,
    out: &mut Vec<Draft>,
) {
    let card = world.card(index);
    let days = i64::from(world.settings.days);
    let share_left = 1.0 - card.first as f64 / world.settings.period() as f64;
    let first_day = card.first / DAY_MS;
    for _ in 0..random.poisson(card.activity * days as f64 * share_left) {
        let day = random.between(first_day..=days - 1);
        if !random.chance(WEEK[(day % 7) as usize] / BUSIEST) {
            continue;
        }
        let in_day = (local_time(random) - card.country.clock_hours() * HOUR_MS).rem_euclid(DAY_MS);
        let at = (day * DAY_MS + in_day).max(card.first + 1);
        let merchant = usual_merchant(world, card, random);
        if card.is_gamer && random.chance(0.5) {
            gaming_burst(world, fresh, index, at, game_of(world, merchant), random, out);
        } else {
            out.push(payment(world, fresh, index, at, merchant, random));
        }
    }
}

/// A time of day on the card holder's clock: round noon, or in the evening.
fn local_time(random: &mut Random) -> Offset {
    let hour = if random.chance(0.6) { random.normal(12.8, 3.2) } else { random.normal(20.0, 2.1) };
    (hour.rem_euclid(24.0) * HOUR_MS as f64) as Offset
}

fn usual_merchant(world: &World, card: &Card, random: &mut Random) -> MerchantId {
    if random.chance(FAVOURITE_SHARE) {
        random.pick(&card.favourites)
    } else {
        world.merchants.popular(random)
    }
}

/// The digital merchant that stands for another one: whoever has favourites has favourite games.
fn game_of(world: &World, merchant: MerchantId) -> MerchantId {
    let games = &world.merchants.digital;
    games[usize::from(merchant.0) % games.len()]
}

/// Two to eight small payments within half an hour, all from where the first came from.
fn gaming_burst(
    world: &World,
    fresh: &mut Fresh,
    index: Source,
    at: Offset,
    merchant: MerchantId,
    random: &mut Random,
    out: &mut Vec<Draft>,
) {
    let first = payment(world, fresh, index, at, merchant, random);
    out.push(first);
    for _ in 1..random.between(2..=8) {
        let at = at + (random.unit() * (30 * MINUTE_MS) as f64) as Offset;
        out.push(Draft { at, ..again(world, &first, merchant, random) });
    }
}

/// Hundreds of cards at one merchant within a quarter of an hour.
fn flash_sale(world: &World, fresh: &mut Fresh, random: &mut Random, out: &mut Vec<Draft>) {
    let day = random.between(0..=i64::from(world.settings.days) - 1);
    let start = day * DAY_MS + random.between(9..=20) * HOUR_MS;
    let merchant = world.merchants.any(random);
    for _ in 0..random.between(150..=399) {
        let card = world.active_card(random);
        let at = start + random.exponential((5 * MINUTE_MS) as f64) as Offset;
        out.push(payment(world, fresh, card, at, merchant, random));
    }
}

/// One payment by the card's holder.
fn payment(
    world: &World,
    fresh: &mut Fresh,
    index: Source,
    at: Offset,
    merchant: MerchantId,
    random: &mut Random,
) -> Draft {
    let card = world.card(index);
    let novelty = world.settings.novelty;
    let (device, is_new) = device(card, novelty, fresh, random);
    let (ip, ip_country) = match card.trip_at(at) {
        Some(trip) => (trip.ip, trip.country),
        None => address(card, novelty, is_new, fresh, random),
    };
    Draft {
        at,
        card: index,
        device,
        ip,
        amount: amount(world, card, merchant, random),
        merchant,
        bin: card.bin,
        card_country: card.country,
        ip_country,
        kind: Kind::Legitimate,
        approved: !random.chance(card.decline),
    }
}

/// The same card from the same place, buying something else.
fn again(world: &World, first: &Draft, merchant: MerchantId, random: &mut Random) -> Draft {
    let card = world.card(first.card);
    let amount = amount(world, card, merchant, random);
    Draft { merchant, amount, approved: !random.chance(card.decline), ..*first }
}

fn amount(world: &World, card: &Card, merchant: MerchantId, random: &mut Random) -> Cents {
    let list_price = world.merchants.get(merchant).list_price;
    Cents::of_payment(list_price * card.spending * random.log_normal(0.0, 0.55))
}

/// A device, and whether it is one that nobody has seen before.
fn device(card: &Card, novelty: f64, fresh: &mut Fresh, random: &mut Random) -> (Source, bool) {
    let place = random.unit();
    let new = NEW_DEVICE_SHARE * novelty;
    if place < new {
        (fresh.device(), true)
    } else if place < new + SECOND_DEVICE_SHARE {
        (card.second_device, false)
    } else {
        (card.first_device, false)
    }
}

/// An address and the country it seems to be in. The country of a new address is drawn for each
/// payment that brings one.
fn address(
    card: &Card,
    novelty: f64,
    device_is_new: bool,
    fresh: &mut Fresh,
    random: &mut Random,
) -> (Source, Country) {
    let extra = if device_is_new { NEW_IP_EXTRA } else { 0.0 };
    let new = (NEW_IP_SHARE + extra) * novelty;
    let place = random.unit();
    if place < new {
        let is_strange = random.chance(STRANGE_COUNTRY_SHARE);
        let country = if is_strange { Country::any(random) } else { card.country };
        (fresh.ip(), country)
    } else if place < new + MOBILE_SHARE {
        (card.mobile_ip, card.country)
    } else if place < new + MOBILE_SHARE + OFFICE_SHARE {
        (card.office_ip, card.country)
    } else {
        (card.home_ip, card.country)
    }
}
