use crate::category::Category;
use crate::id::MerchantId;
use crate::random::{Alias, Random};

/// How many merchants a world has.
pub(crate) const MERCHANTS: u16 = 400;
/// A merchant below this list price is cheap enough to test cards at.
const LOW_TICKET: f64 = 25.0;
/// How many of the least popular merchants count as small.
const SMALL_MERCHANTS: usize = 250;

#[derive(Clone, Debug)]
pub(crate) struct Merchant {
    pub category: Category,
    pub list_price: f64,
}

/// All merchants, and lists of those that the rules ask for. No list is empty.
#[derive(Clone, Debug)]
pub(crate) struct Merchants {
    all: Vec<Merchant>,
    by_popularity: Alias,
    pub digital: Vec<MerchantId>,
    pub travel: Vec<MerchantId>,
    pub resellable: Vec<MerchantId>,
    /// Where a small amount raises no eyebrow.
    pub low_ticket: Vec<MerchantId>,
    /// The least popular ones.
    pub small: Vec<MerchantId>,
}

impl Merchants {
    pub fn new(random: &mut Random) -> Merchants {
        let all: Vec<Merchant> = (0..usize::from(MERCHANTS)).map(|i| merchant(i, random)).collect();
        let ranks = shuffled_ranks(random);
        let popularity: Vec<f64> =
            ranks.iter().map(|rank| libm::pow(f64::from(*rank), -0.9)).collect();
        let of = |wanted: &dyn Fn(&Merchant) -> bool| -> Vec<MerchantId> {
            ids().filter(|id| wanted(&all[usize::from(id.0)])).collect()
        };
        let mut low_ticket = of(&|m| m.list_price < LOW_TICKET);
        if low_ticket.is_empty() {
            let price = |id: &MerchantId| all[usize::from(id.0)].list_price;
            low_ticket.extend(ids().min_by(|a, b| price(a).total_cmp(&price(b))));
        }
        let mut small: Vec<MerchantId> = ids().collect();
        small.sort_by_key(|id| std::cmp::Reverse(ranks[usize::from(id.0)]));
        small.truncate(SMALL_MERCHANTS);
        Merchants {
            by_popularity: Alias::new(&popularity),
            digital: of(&|m| m.category == Category::Digital),
            travel: of(&|m| m.category == Category::Travel),
            resellable: of(&|m| m.category.is_resellable()),
            low_ticket,
            small,
            all,
        }
    }

    pub fn get(&self, id: MerchantId) -> &Merchant {
        &self.all[usize::from(id.0)]
    }

    /// Popular ones more often.
    pub fn popular(&self, random: &mut Random) -> MerchantId {
        MerchantId(self.by_popularity.draw(random) as u16)
    }

    /// All alike.
    pub fn any(&self, random: &mut Random) -> MerchantId {
        MerchantId(random.below(u64::from(MERCHANTS)) as u16)
    }
}

fn ids() -> impl Iterator<Item = MerchantId> {
    (0..MERCHANTS).map(MerchantId)
}

/// The first ten have one category each, so that every category is there.
fn merchant(index: usize, random: &mut Random) -> Merchant {
    let any = random.pick(&Category::ALL);
    let category = Category::ALL.get(index).copied().unwrap_or(any);
    Merchant { category, list_price: category.ticket() * random.log_normal(0.0, 0.35) }
}

/// Rank 1, the most popular, … rank 400, each once, in random order (Fisher and Yates).
fn shuffled_ranks(random: &mut Random) -> Vec<u16> {
    let mut ranks: Vec<u16> = (1..=MERCHANTS).collect();
    for last in (1..ranks.len()).rev() {
        ranks.swap(last, random.index(last + 1));
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_holds_what_its_name_says() {
        let merchants = Merchants::new(&mut Random::new(5, 0));
        let all = |list: &[MerchantId], is: &dyn Fn(&Merchant) -> bool| {
            !list.is_empty() && list.iter().all(|id| is(merchants.get(*id)))
        };
        assert!(all(&merchants.digital, &|m| m.category == Category::Digital));
        assert!(all(&merchants.travel, &|m| m.category == Category::Travel));
        assert!(all(&merchants.resellable, &|m| m.category.is_resellable()));
        assert!(all(&merchants.low_ticket, &|m| m.list_price < LOW_TICKET));
        assert_eq!(merchants.small.len(), SMALL_MERCHANTS);
    }

    #[test]
    fn small_merchants_are_seldom_drawn() {
        let merchants = Merchants::new(&mut Random::new(5, 0));
        let mut random = Random::new(5, 1);
        let mut is_small = [false; MERCHANTS as usize];
        merchants.small.iter().for_each(|id| is_small[usize::from(id.0)] = true);
        let drawn = (0..100_000)
            .filter(|_| is_small[usize::from(merchants.popular(&mut random).0)])
            .count() as f64
            / 1e5;
        let weight = |ranks: std::ops::RangeInclusive<u32>| -> f64 {
            ranks.map(|rank| f64::from(rank).powf(-0.9)).sum()
        };
        let expected = weight(151..=400) / weight(1..=400);
        assert!((drawn - expected).abs() < 0.01, "{drawn} {expected}");
    }
}
