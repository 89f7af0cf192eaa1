use super::{proxy_ip, spread};
use crate::cents::Cents;
use crate::clock::{MINUTE_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh, Source};
use crate::history::Kind;
use crate::random::Random;
use crate::world::World;

const KNOWN_CARD_SHARE: f64 = 0.3;
const APPROVED: f64 = 0.2;

/// Tens to hundreds of small attempts at one cheap merchant, on rotating devices and addresses,
/// with card numbers from one or two BINs; four in five are declined.
pub(crate) fn card_testing(
    world: &World,
    fresh: &mut Fresh,
    start: Offset,
    random: &mut Random,
    out: &mut Vec<Draft>,
) {
    let attempts = random.between(30..=299) as usize;
    let span = random.between(5..=59) * MINUTE_MS;
    let bins = [world.bin(random), world.bin(random)];
    let country = Country::any(random);
    let devices = pool(attempts, random, |_| fresh.device());
    let ips = pool(attempts, random, |random| proxy_ip(world, country, fresh, random));
    let merchant = random.pick(&world.merchants.low_ticket);
    let list_price = world.merchants.get(merchant).list_price;
    for at in spread(start, span, attempts, random) {
        let known = random.chance(KNOWN_CARD_SHARE).then(|| world.any_known_card(random));
        let (card, bin, card_country) = match known {
            Some(card) => (card, world.card(card).bin, world.card(card).country),
            None => (fresh.card(), random.pick(&bins), country),
        };
        out.push(Draft {
            at,
            card,
            device: random.pick(&devices),
            ip: random.pick(&ips),
            amount: Cents::of_payment(list_price * random.log_normal(-0.3, 0.4)),
            merchant,
            bin,
            card_country,
            ip_country: country,
            kind: Kind::CardTesting,
            approved: random.chance(APPROVED),
        });
    }
}

/// What the attempts take turns with: one for every 2 to 19 of them.
fn pool(
    attempts: usize,
    random: &mut Random,
    mut make: impl FnMut(&mut Random) -> Source,
) -> Vec<Source> {
    let size = (attempts / random.between(2..=19) as usize).max(1);
    (0..size).map(|_| make(random)).collect()
}
