use super::{proxy_ip, spread};
use crate::cents::Cents;
use crate::clock::{MINUTE_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh};
use crate::history::Kind;
use crate::random::Random;
use crate::world::World;

const HOME_COUNTRY_SHARE: f64 = 0.5;
const APPROVED: f64 = 0.6;

/// One device and two addresses walk through many holders' cards, a payment or two with each.
pub(super) fn takeover(
    world: &World,
    fresh: &mut Fresh,
    start: Offset,
    random: &mut Random,
    out: &mut Vec<Draft>,
) {
    let cards = random.between(5..=30) as usize;
    let span = random.between(10..=89) * MINUTE_MS;
    let device = fresh.device();
    let country = Country::any(random);
    let ips = [(); 2].map(|()| proxy_ip(world, country, fresh, random));
    let shops = [(); 2].map(|()| random.pick(&world.merchants.resellable));
    for turn in spread(start, span, cards, random) {
        let index = world.active_card(random);
        let card = world.card(index);
        for _ in 0..random.between(1..=2) {
            let merchant = random.pick(&shops);
            let list_price = world.merchants.get(merchant).list_price;
            let at_home = random.chance(HOME_COUNTRY_SHARE);
            let factor = card.spending * random.log_normal(0.25, 0.5);
            out.push(Draft {
                at: turn + random.between(0..=3 * MINUTE_MS - 1),
                card: index,
                device,
                ip: random.pick(&ips),
                amount: Cents::of_payment(list_price * factor),
                merchant,
                bin: card.bin,
                card_country: card.country,
                ip_country: if at_home { card.country } else { country },
                kind: Kind::Takeover,
                approved: random.chance(APPROVED),
            });
        }
    }
}
