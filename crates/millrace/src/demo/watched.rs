//! Whom the live part watches, and what the features say of them.

use std::collections::BTreeMap;

use millrace_event::{EventTime, Span};
use millrace_payments::{History, PaymentEvent};

use super::feed::Feed;
use crate::console::grouped;
use crate::exit::Failure;

/// Of the payments before the live part, those that tell which merchant is a busy one.
const RECENT: usize = 5_000;

/// Whom to watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    pub merchant: String,
    pub device: String,
    pub bin: String,
    /// A merchant that has nothing to do with it.
    pub other: String,
}

impl Watched {
    pub fn of(burst: &[PaymentEvent], history: &History, live_from: EventTime) -> Watched {
        let mut devices: BTreeMap<String, usize> = BTreeMap::new();
        for event in burst {
            *devices.entry(event.keys().device.to_string()).or_default() += 1;
        }
        let busiest = devices.into_iter().max_by_key(|(_, count)| *count);
        let first = burst.first().map(PaymentEvent::keys);
        let merchant = first.map(|k| k.merchant);
        let before = history.payments().partition_point(|p| p.at < live_from);
        let recent = history.payments().get(before.saturating_sub(RECENT)..before);
        let mut merchants = BTreeMap::new();
        for payment in recent.unwrap_or_default() {
            if Some(payment.keys.merchant) != merchant {
                *merchants.entry(payment.keys.merchant).or_insert(0usize) += 1;
            }
        }
        let other = merchants.into_iter().max_by_key(|(_, count)| *count).map(|(m, _)| m);
        Watched {
            merchant: merchant.map(|m| m.to_string()).unwrap_or_default(),
            device: busiest.map(|(device, _)| device).unwrap_or_default(),
            bin: first.map(|k| k.bin.to_string()).unwrap_or_default(),
            other: other.map(|m| m.to_string()).unwrap_or_default(),
        }
    }
}

/// The lines to show: the first is a summary that also stands alone.
pub fn table(
    feed: &Feed<'_>,
    watched: &Watched,
    at: EventTime,
    due: usize,
) -> Result<Vec<String>, Failure> {
    let Watched { merchant, device, bin, other } = watched;
    let get = |feature: &str, key: &str| feed.feature(feature, key, at);
    let merchant_row = |key: &str| -> Result<String, Failure> {
        Ok(format!(
            "{key:<16} attempts 1h {:>5}   times its usual hour {:>6}   share of new cards {:>4}",
            get("merchant_traffic.attempts_1h", key)?,
            get("merchant_traffic.surge", key)?,
            get("merchant_traffic.new_share", key)?,
        ))
    };
    let seconds = at.floor_to(Span::seconds(1));
    Ok(vec![
        format!("{seconds}  {:>5} events", grouped(due as u64)),
        format!("  {}", merchant_row(merchant)?),
        format!(
            "  {device:<16} cards 1h    {:>5}   declined in an hour  {:>6}",
            get("device_risk.cards_1h", device)?,
            get("device_outcomes.declines_1h", device)?,
        ),
        format!("  {bin:<16} attempts 1h {:>5}", get("bin_traffic.attempts_1h", bin)?),
        format!("  {}  (another merchant)", merchant_row(other)?),
    ])
}

#[cfg(test)]
mod tests {
    use millrace_payments::Settings;

    use super::*;

    #[test]
    fn the_merchant_and_the_busiest_device_of_the_burst_are_watched() {
        let settings = Settings { days: 2, n_cards: 2_000, n_new: 100, ..Settings::default() };
        let history = History::generate(&settings).unwrap();
        let from = settings.start.plus(Span::days(1));
        let burst = history.inject_card_testing(from, 1);
        let watched = Watched::of(&burst, &history, from);
        let count =
            |device: &str| burst.iter().filter(|e| e.keys().device.to_string() == device).count();
        assert!(burst.iter().all(|e| e.keys().merchant.to_string() == watched.merchant));
        assert!(
            burst.iter().all(|e| count(&e.keys().device.to_string()) <= count(&watched.device))
        );
        assert_ne!(watched.other, watched.merchant);
    }
}
