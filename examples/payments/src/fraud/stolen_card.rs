use super::{proxy_ip, spread};
use crate::cents::Cents;
use crate::clock::{MINUTE_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh};
use crate::history::Kind;
use crate::id::MerchantId;
use crate::random::Random;
use crate::world::World;

const QUICK_SHARE: f64 = 0.6;
const HOME_COUNTRY_SHARE: f64 = 0.65;
/// The first and the last attempt's chance: the issuer grows wary.
const APPROVED_FIRST: f64 = 0.75;
const APPROVED_LAST: f64 = 0.35;

/// One card, one new device, one proxy, a handful of shops whose goods can be sold on.
pub(super) fn stolen_card(
    world: &World,
    fresh: &mut Fresh,
    start: Offset,
    random: &mut Random,
    out: &mut Vec<Draft>,
) {
    let attempts = random.between(2..=12) as usize;
    let minutes = if random.chance(QUICK_SHARE) { 10..=89 } else { 90..=479 };
    let span = random.between(minutes) * MINUTE_MS;
    let index = world.active_card(random);
    let card = world.card(index);
    let device = fresh.device();
    let at_home = random.chance(HOME_COUNTRY_SHARE);
    let ip_country = if at_home { card.country } else { Country::any(random) };
    let ip = proxy_ip(world, ip_country, fresh, random);
    let shops: Vec<MerchantId> =
        (0..random.between(1..=5)).map(|_| random.pick(&world.merchants.resellable)).collect();
    for (number, at) in spread(start, span, attempts, random).into_iter().enumerate() {
        let merchant = random.pick(&shops);
        let list_price = world.merchants.get(merchant).list_price;
        let progress = number as f64 / (attempts - 1) as f64;
        let chance = APPROVED_FIRST + (APPROVED_LAST - APPROVED_FIRST) * progress;
        out.push(Draft {
            at,
            card: index,
            device,
            ip,
            amount: Cents::of_payment(list_price * card.spending * random.log_normal(0.45, 0.5)),
            merchant,
            bin: card.bin,
            card_country: card.country,
            ip_country,
            kind: Kind::StolenCard,
            approved: random.chance(chance),
        });
    }
}
