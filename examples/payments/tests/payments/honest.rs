//! Honest traffic: what it costs, when it comes, who shares what with whom, and what follows what.

use millrace_payments::{History, Kind, Payment};

use crate::quantities::{
    DAY_US, HOUR_US, MINUTE_US, Quantity, Seen, count, is_abroad, log_price, moments, money, named,
};

pub fn quantities(history: &History) -> Vec<Quantity> {
    let is_honest = |p: &&Payment| p.kind == Kind::Legitimate;
    let honest: Vec<Payment> = history.payments().iter().filter(is_honest).copied().collect();
    let mut all = each(history, &honest);
    all.extend(new_places(history));
    all.extend(sharing(&honest));
    all.extend(crowds(history, &honest));
    all.extend(succession(honest));
    all
}

/// Of single payments.
fn each(history: &History, honest: &[Payment]) -> Vec<Quantity> {
    let n = honest.len() as f64;
    let prices: Vec<f64> = honest.iter().map(|p| log_price(history, p)).collect();
    let (log_price, deviation) = moments(&prices);
    let start = history.settings().start;
    let since = |p: &Payment| p.at.since(start).0;
    named([
        ("declined", count(honest, |p| !p.approved) / n),
        ("countries", count(honest, is_abroad) / n),
        ("mean amount", money(honest, |p| p.approved) / count(honest, |p| p.approved)),
        ("log price", log_price),
        ("log price deviation", deviation),
        ("night", count(honest, |p| since(p) % DAY_US < 6 * HOUR_US) / n),
        ("busiest weekday", count(honest, |p| since(p) / DAY_US % 7 == 5) / n),
    ])
}

/// Devices and addresses that nobody has seen before, after two weeks.
fn new_places(history: &History) -> Vec<Quantity> {
    let late = history.settings().start.0 + 14 * DAY_US;
    let (mut devices, mut ips) = (Seen::default(), Seen::default());
    let (mut after, mut new_devices, mut new_ips) = (0.0, 0.0, 0.0);
    for payment in history.payments() {
        let new_device = devices.insert(payment.keys.device.0);
        let new_ip = ips.insert(payment.keys.ip.0);
        if payment.kind == Kind::Legitimate && payment.at.0 >= late {
            after += 1.0;
            new_devices += f64::from(u8::from(new_device));
            new_ips += f64::from(u8::from(new_ip));
        }
    }
    named([("new device", new_devices / after), ("new address", new_ips / after)])
}

fn sharing(honest: &[Payment]) -> Vec<Quantity> {
    let n = honest.len() as f64;
    let card = |p: &Payment| p.keys.card.0;
    let device = |p: &Payment| p.keys.device.0;
    let ip = |p: &Payment| p.keys.ip.0;
    let per_device = tally(pairs(honest, device, card).into_iter().map(|(device, _)| device));
    let per_ip = tally(pairs(honest, ip, card).into_iter().map(|(ip, _)| ip));
    let habits = pairs(honest, card, |p| u32::from(p.keys.merchant.0)).len() as f64;
    named([
        ("shared devices", count(honest, |p| per_device[device(p) as usize] >= 2) / n),
        ("shared addresses", count(honest, |p| per_ip[ip(p) as usize] >= 20) / n),
        ("usual merchants", habits / n),
    ])
}

fn crowds(history: &History, honest: &[Payment]) -> Vec<Quantity> {
    let n = honest.len() as f64;
    let (cards, _) = greatest_first(tally(honest.iter().map(|p| p.keys.card.0)));
    let busiest_cards: u32 = cards[..cards.len() / 100].iter().sum();
    let (merchants, merchant) =
        greatest_first(tally(honest.iter().map(|p| u32::from(p.keys.merchant.0))));
    let (bins, _) = greatest_first(tally(honest.iter().map(|p| u32::from(p.keys.bin.0))));
    let start = history.settings().start;
    let hour = |p: &Payment| (p.at.since(start).0 / HOUR_US) as u32;
    let hours = 24 * history.settings().days;
    let by_hour = tally(honest.iter().map(|p| u32::from(p.keys.merchant.0) * hours + hour(p)));
    let is_rush = |(at, seen): (u32, u32)| {
        let usual = f64::from(merchant[(at / hours) as usize]) / f64::from(hours);
        seen >= 100 && f64::from(seen) >= 10.0 * usual
    };
    let rushes = (0..).zip(by_hour).filter(|hour| is_rush(*hour)).count() as f64;
    let mut ips = Seen::default();
    honest.iter().for_each(|p| _ = ips.insert(p.keys.ip.0));
    let is_quick = |p: &Payment| !matches!(p.kind, Kind::Legitimate | Kind::Slow);
    let all = history.payments();
    let shared = count(all, |p| is_quick(p) && ips.contains(p.keys.ip.0));
    named([
        ("busiest cards", f64::from(busiest_cards) / n),
        ("busiest merchants", f64::from(merchants[..10].iter().sum::<u32>()) / n),
        ("busiest bin", f64::from(bins[0]) / n),
        ("rushes", rushes),
        ("shared proxies", shared / count(all, is_quick)),
    ])
}

/// What the same card did before.
fn succession(mut honest: Vec<Payment>) -> Vec<Quantity> {
    honest.sort_by_key(|p| p.keys.card.0);
    let n = honest.len() as f64;
    let wait = |a: &Payment, b: &Payment| b.at.since(a.at).0;
    let same =
        |a: &Payment, b: &Payment| a.keys.card == b.keys.card && a.keys.device == b.keys.device;
    let again =
        |a: &Payment, b: &Payment| same(a, b) && a.keys.ip == b.keys.ip && wait(a, b) < HOUR_US;
    let retried = |a: &Payment, b: &Payment| {
        let equal = a.keys.card == b.keys.card && a.keys.merchant == b.keys.merchant;
        equal && a.amount == b.amount && !a.approved && wait(a, b) < 5 * MINUTE_US
    };
    let place = |a: &Payment, b: &Payment| same(a, b) && a.keys.merchant == b.keys.merchant;
    let two = |is: &dyn Fn(&Payment, &Payment) -> bool| {
        honest.windows(2).filter(|pair| is(&pair[0], &pair[1])).count() as f64 / n
    };
    let third = honest.windows(3).filter(|row| {
        place(&row[0], &row[1])
            && place(&row[1], &row[2])
            && wait(&row[0], &row[2]) < 30 * MINUTE_US
    });
    let third = third.count() as f64 / n;
    named([("again", two(&again)), ("retried", two(&retried)), ("third in a row", third)])
}

/// The different pairs.
fn pairs(
    rows: &[Payment],
    left: impl Fn(&Payment) -> u32,
    right: impl Fn(&Payment) -> u32,
) -> Vec<(u32, u32)> {
    let mut pairs: Vec<(u32, u32)> = rows.iter().map(|p| (left(p), right(p))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// How often each number is there.
fn tally(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut tally = Vec::new();
    for number in numbers {
        let at = number as usize;
        if at >= tally.len() {
            tally.resize(at + 1, 0);
        }
        tally[at] += 1;
    }
    tally
}

/// The tallies that are not 0, sorted, and all of them as they were.
fn greatest_first(all: Vec<u32>) -> (Vec<u32>, Vec<u32>) {
    let mut sorted: Vec<u32> = all.iter().copied().filter(|seen| *seen > 0).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    (sorted, all)
}
