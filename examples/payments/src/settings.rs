use std::ops::RangeInclusive;

use millrace_event::EventTime;

use crate::clock::{DAY_MS, Offset};

/// What a world is made from. Equal settings give equal events, on every machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub seed: u64,
    /// How many days of payments; at most [`Settings::DAYS_MAX`].
    pub days: u32,
    /// Cards that exist from the start, at least one.
    pub n_cards: u32,
    /// Cards that appear later, at moments spread over the whole period.
    pub n_new: u32,
    /// How much of the fraud is slow (single friendly-fraud payments, no burst). 0.28, 0.6 and 0.9
    /// give about 22, 52 and 87 % of the fraud at about the same fraud rate.
    pub slow_share: f64,
    /// Multiplies the number of fraud campaigns; 0 is a world without fraud.
    pub fraud_scale: f64,
    /// Multiplies how often honest people come from a new device or address.
    pub novelty: f64,
    /// Midnight (UTC) of day 0.
    pub start: EventTime,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 1,
            days: 63,
            n_cards: 30_000,
            n_new: 10_000,
            slow_share: 0.28,
            fraud_scale: 1.0,
            novelty: 1.0,
            start: EventTime(1_767_225_600_000_000),
        }
    }
}

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    #[error("{name} is {given}, but must lie between {low} and {high}")]
    Range { name: &'static str, given: f64, low: f64, high: f64 },
    #[error("{given} card-days (cards times days) are too many, the most are {max}")]
    Size { given: u64, max: u64 },
}

impl Settings {
    pub const DAYS_MAX: u32 = 730;
    /// Cards times days. Each gives about 0.37 payments of 40 bytes: the limit is some 1.5 GB.
    pub const CARD_DAYS_MAX: u64 = 100_000_000;
    pub const FRAUD_SCALE_MAX: f64 = 100.0;
    /// Beyond it the shares of new, mobile and office addresses would pass 1.
    pub const NOVELTY_MAX: f64 = 1.3;

    /// # Errors
    /// Names the first setting that is outside its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let range = |name, given: f64, range: RangeInclusive<f64>| {
            let (low, high) = range.into_inner();
            if (low..=high).contains(&given) {
                Ok(())
            } else {
                Err(SettingsError::Range { name, given, low, high })
            }
        };
        range("days", f64::from(self.days), 1.0..=f64::from(Self::DAYS_MAX))?;
        range("n_cards", f64::from(self.n_cards), 1.0..=f64::from(u32::MAX))?;
        range("slow_share", self.slow_share, 0.0..=1.0)?;
        range("fraud_scale", self.fraud_scale, 0.0..=Self::FRAUD_SCALE_MAX)?;
        range("novelty", self.novelty, 0.0..=Self::NOVELTY_MAX)?;
        let cards = u64::from(self.n_cards) + u64::from(self.n_new);
        let given = cards * u64::from(self.days);
        if given > Self::CARD_DAYS_MAX {
            return Err(SettingsError::Size { given, max: Self::CARD_DAYS_MAX });
        }
        Ok(())
    }

    /// The end of the period: payments come before it, some outcomes and reports after it.
    pub fn end(&self) -> EventTime {
        self.time(self.period())
    }

    /// The length of the period.
    pub(crate) fn period(&self) -> Offset {
        i64::from(self.days) * DAY_MS
    }

    pub(crate) fn time(&self, offset: Offset) -> EventTime {
        EventTime(self.start.0 + offset * 1_000)
    }

    pub(crate) fn cards(&self) -> usize {
        self.n_cards as usize + self.n_new as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_included_and_what_is_beyond_is_named() {
        let ok = |settings: Settings| settings.check();
        assert_eq!(ok(Settings::default()), Ok(()));
        let long = Settings { days: Settings::DAYS_MAX, ..Settings::default() };
        assert_eq!(ok(long.clone()), Ok(()));
        let error = ok(Settings { days: Settings::DAYS_MAX + 1, ..long }).unwrap_err();
        assert_eq!(error.to_string(), "days is 731, but must lie between 1 and 730");
        assert!(ok(Settings { days: 0, ..Settings::default() }).is_err());
        assert!(ok(Settings { n_cards: 0, ..Settings::default() }).is_err());
        assert!(ok(Settings { novelty: f64::NAN, ..Settings::default() }).is_err());
        let cards = |n_cards| Settings { n_cards, n_new: 0, days: 100, ..Settings::default() };
        assert_eq!(ok(cards(1_000_000)), Ok(()));
        assert_eq!(
            ok(cards(1_000_001)),
            Err(SettingsError::Size { given: 100_000_100, max: 100_000_000 })
        );
    }

    #[test]
    fn day_zero_is_new_year_2026() {
        assert_eq!(Settings::default().start.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(Settings::default().end().to_string(), "2026-03-05T00:00:00Z");
    }
}
