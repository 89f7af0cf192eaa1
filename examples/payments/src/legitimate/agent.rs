use crate::cents::Cents;
use crate::clock::{DAY_MS, HOUR_MS, Offset};
use crate::country::Country;
use crate::draft::{Draft, Fresh};
use crate::history::Kind;
use crate::id::BinId;
use crate::world::{Part, World};

const AGENTS: u16 = 15;
const BOOKINGS_A_DAY: f64 = 12.0;

/// Travel agents book all day from one device with a new virtual card each time: many cards on a
/// device, and nothing wrong with it.
pub(super) fn travel_agents(world: &World, fresh: &mut Fresh, out: &mut Vec<Draft>) {
    let mut random = Part::Agents.random(world.settings.seed);
    let days = i64::from(world.settings.days);
    for agent in 0..AGENTS {
        let (device, ip) = (fresh.device(), fresh.ip());
        let country = Country::ALL[usize::from(agent) % Country::ALL.len()];
        for _ in 0..random.poisson(BOOKINGS_A_DAY * days as f64) {
            let hour = random.normal(13.0, 3.0).clamp(0.0, 23.9);
            let at = random.between(0..=days - 1) * DAY_MS + (hour * HOUR_MS as f64) as Offset;
            out.push(Draft {
                at,
                card: fresh.card(),
                device,
                ip,
                amount: Cents::of_payment(260.0 * random.log_normal(0.0, 0.6)),
                merchant: random.pick(&world.merchants.travel),
                bin: BinId(1 + agent % 4),
                card_country: country,
                ip_country: country,
                kind: Kind::Legitimate,
                approved: random.chance(0.95),
            });
        }
    }
}
