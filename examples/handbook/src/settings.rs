use std::ops::RangeInclusive;

use millrace_event::EventTime;

/// What a data set is made from. Equal settings give equal rows, on every machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub customers: u32,
    pub terminals: u32,
    /// How many days of payments.
    pub days: u32,
    /// How far a customer goes to pay, on a square with sides of 100.
    pub radius: f64,
    /// 0 is the published data set; any other number makes an independent one by the same rules.
    pub salt: u32,
    /// Midnight (UTC) of day 0.
    pub start: EventTime,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            customers: 5_000,
            terminals: 10_000,
            days: 183,
            radius: 5.0,
            salt: 0,
            start: EventTime(1_522_540_800_000_000),
        }
    }
}

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    #[error("{name} is {given}, but must lie between {low} and {high}")]
    Range { name: &'static str, given: f64, low: f64, high: f64 },
    #[error("{given} customer-days (customers times days) are too many, the most are {max}")]
    Size { given: u64, max: u64 },
}

impl Settings {
    /// Scenario 3 draws three customers a day.
    pub const CUSTOMERS_MIN: u32 = 3;
    /// Scenario 2 draws two terminals a day.
    pub const TERMINALS_MIN: u32 = 2;
    /// Every customer is held against every terminal.
    pub const TERMINALS_MAX: u32 = 1_000_000;
    pub const DAYS_MAX: u32 = 3_660;
    /// Customers times days. Each gives about 1.9 payments of 40 bytes: the limit is some 1.5 GB.
    pub const CUSTOMER_DAYS_MAX: u64 = 20_000_000;
    /// Beyond it, the seed of a day would not fit the generator's 32 bits.
    pub const SALT_MAX: u32 = 4_000_000;

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
        let customers = f64::from(Self::CUSTOMERS_MIN)..=f64::from(u32::MAX);
        range("customers", f64::from(self.customers), customers)?;
        let terminals = f64::from(Self::TERMINALS_MIN)..=f64::from(Self::TERMINALS_MAX);
        range("terminals", f64::from(self.terminals), terminals)?;
        range("days", f64::from(self.days), 1.0..=f64::from(Self::DAYS_MAX))?;
        range("radius", self.radius, 0.0..=200.0)?;
        range("salt", f64::from(self.salt), 0.0..=f64::from(Self::SALT_MAX))?;
        let given = u64::from(self.customers) * u64::from(self.days);
        if given > Self::CUSTOMER_DAYS_MAX {
            return Err(SettingsError::Size { given, max: Self::CUSTOMER_DAYS_MAX });
        }
        Ok(())
    }

    /// The seed of one customer's payments. NumPy takes its lowest 32 bits, CPython all of it.
    pub(crate) fn customer_seed(&self, customer: u32) -> u64 {
        u64::from(customer) + u64::from(self.salt) * 1_000_003
    }

    /// The seed of the fraud that begins on one day.
    pub(crate) fn day_seed(&self, day: u32) -> u32 {
        day + self.salt * 1_009
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_included_and_what_is_beyond_is_named() {
        let base = Settings::default;
        assert_eq!(base().check(), Ok(()));
        let greatest = Settings { salt: Settings::SALT_MAX, days: Settings::DAYS_MAX, ..base() };
        assert_eq!(greatest.check(), Ok(()));
        assert!(greatest.day_seed(Settings::DAYS_MAX) > 4_000_000_000);
        let error = Settings { salt: Settings::SALT_MAX + 1, ..base() }.check().unwrap_err();
        assert_eq!(error.to_string(), "salt is 4000001, but must lie between 0 and 4000000");
        for wrong in [
            Settings { customers: 2, ..base() },
            Settings { terminals: 1, ..base() },
            Settings { terminals: Settings::TERMINALS_MAX + 1, ..base() },
            Settings { days: 0, ..base() },
            Settings { days: Settings::DAYS_MAX + 1, ..base() },
            Settings { radius: f64::NAN, ..base() },
        ] {
            assert!(matches!(wrong.check(), Err(SettingsError::Range { .. })), "{wrong:?}");
        }
        let many = |customers| Settings { customers, days: 100, ..base() };
        assert_eq!(many(200_000).check(), Ok(()));
        let too_many = SettingsError::Size { given: 20_000_100, max: 20_000_000 };
        assert_eq!(many(200_001).check(), Err(too_many));
    }

    #[test]
    fn day_zero_is_the_first_of_april_2018() {
        assert_eq!(Settings::default().start.to_string(), "2018-04-01T00:00:00Z");
    }
}
