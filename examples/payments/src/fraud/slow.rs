use crate::cents::Cents;
use crate::clock::{DAY_MS, HOUR_MS, Offset};
use crate::draft::{Draft, Fresh};
use crate::history::Kind;
use crate::world::{Part, World};

const A_DAY: f64 = 17.5;
const OWN_DEVICE_SHARE: f64 = 0.5;
const FAVOURITE_SHARE: f64 = 0.5;
const APPROVED: f64 = 0.9;

/// Single payments, often by the holder on their own device: nothing happens in a hurry, so no
/// window shows it sooner than another.
pub(super) fn slow_fraud(world: &World, scale: f64, fresh: &mut Fresh, out: &mut Vec<Draft>) {
    let mut random = Part::Slow.random(world.settings.seed);
    let days = i64::from(world.settings.days);
    for _ in 0..random.poisson(A_DAY * days as f64 * scale) {
        let index = world.active_card(&mut random);
        let card = world.card(index);
        let hour = random.normal(15.0, 5.0).rem_euclid(24.0);
        let at = random.between(0..=days - 1) * DAY_MS + (hour * HOUR_MS as f64) as Offset;
        let is_own = random.chance(OWN_DEVICE_SHARE);
        let (device, ip) =
            if is_own { (card.first_device, card.home_ip) } else { (fresh.device(), fresh.ip()) };
        let merchant = if random.chance(FAVOURITE_SHARE) {
            card.favourites[0]
        } else {
            random.pick(&world.merchants.resellable)
        };
        let factor = card.spending * random.log_normal(0.45, 0.5);
        let list_price = world.merchants.get(merchant).list_price;
        out.push(Draft {
            at,
            card: index,
            device,
            ip,
            amount: Cents::of_payment(list_price * factor),
            merchant,
            bin: card.bin,
            card_country: card.country,
            ip_country: card.country,
            kind: Kind::Slow,
            approved: random.chance(APPROVED),
        });
    }
}
