use super::{proxy_ip, spread};
use crate::cents::Cents;
use crate::clock::{MINUTE_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh};
use crate::history::Kind;
use crate::random::Random;
use crate::world::World;

const KNOWN_CARD_SHARE: f64 = 0.4;
const APPROVED: f64 = 0.8;

/// A bust-out: a small merchant takes large payments from cards it has never seen, each from a
/// device of its own.
pub(super) fn merchant_burst(
    world: &World,
    fresh: &mut Fresh,
    start: Offset,
    random: &mut Random,
    out: &mut Vec<Draft>,
) {
    let attempts = random.between(15..=59) as usize;
    let span = random.between(60..=299) * MINUTE_MS;
    let merchant = random.pick(&world.merchants.small);
    let list_price = world.merchants.get(merchant).list_price;
    let country = Country::any(random);
    for at in spread(start, span, attempts, random) {
        let known = random.chance(KNOWN_CARD_SHARE).then(|| world.any_known_card(random));
        let (card, bin, card_country) = match known {
            Some(card) => (card, world.card(card).bin, world.card(card).country),
            None => (fresh.card(), world.bin(random), country),
        };
        out.push(Draft {
            at,
            card,
            device: fresh.device(),
            ip: proxy_ip(world, country, fresh, random),
            amount: Cents::of_payment(list_price * random.log_normal(0.8, 0.4)),
            merchant,
            bin,
            card_country,
            ip_country: country,
            kind: Kind::MerchantBurst,
            approved: random.chance(APPROVED),
        });
    }
}
