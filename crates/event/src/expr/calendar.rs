//! What a clock and a calendar show at a moment, in a stated zone.

use std::fmt;
use std::str::FromStr;

use crate::{Column, State};

use super::cells::{Operand, map_strict};

/// A part of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// 0 to 23.
    Hour,
    /// 1 (Monday) to 7 (Sunday), as in ISO 8601.
    Weekday,
    /// Of the month, 1 to 31.
    Day,
}

/// Where the clock hangs: UTC or a fixed distance from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Minutes east of UTC.
    pub minutes_east: i32,
}

impl Zone {
    pub const UTC: Zone = Zone { minutes_east: 0 };
}

impl FromStr for Zone {
    type Err = &'static str;

    /// Reads `UTC`, `Z` or an offset such as `+01:00`.
    fn from_str(text: &str) -> Result<Zone, Self::Err> {
        const WRONG: &str = "a time zone is UTC or an offset such as +01:00";
        if matches!(text, "UTC" | "Z") {
            return Ok(Zone::UTC);
        }
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(WRONG),
        };
        let two_digits = |s: &str| -> Option<i32> {
            (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok())?
        };
        let (hours, minutes) = rest.split_once(':').ok_or(WRONG)?;
        match (two_digits(hours), two_digits(minutes)) {
            (Some(h @ 0..=23), Some(m @ 0..=59)) => Ok(Zone { minutes_east: sign * (h * 60 + m) }),
            _ => Err(WRONG),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.minutes_east.abs();
        match self.minutes_east {
            0 => write!(f, "UTC"),
            east => write!(
                f,
                "{}{:02}:{:02}",
                if east < 0 { '-' } else { '+' },
                minutes / 60,
                minutes % 60
            ),
        }
    }
}

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

pub(super) fn read(a: &Operand<'_>, clock: Clock, zone: &Zone, rows: usize) -> Column {
    let east = i64::from(zone.minutes_east) * MICROS_PER_MINUTE;
    let local = move |t: i64| t.saturating_add(east);
    match clock {
        Clock::Hour => map_strict(a, a.words(), rows, |t| {
            (local(t).rem_euclid(MICROS_PER_DAY) / MICROS_PER_HOUR, State::Ok)
        }),
        // 1970-01-01 was a Thursday.
        Clock::Weekday => map_strict(a, a.words(), rows, |t| {
            ((local(t).div_euclid(MICROS_PER_DAY) + 3).rem_euclid(7) + 1, State::Ok)
        }),
        Clock::Day => map_strict(a, a.words(), rows, |t| {
            (day_of_month(local(t).div_euclid(MICROS_PER_DAY)), State::Ok)
        }),
    }
}

/// The day of the month of the n-th day since 1970-01-01, in the Gregorian calendar. Years are
/// taken from March, so that the leap day is the last of a year.
fn day_of_month(days: i64) -> i64 {
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month_from_march + 2) / 5 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_written_as_they_are_read() {
        for text in ["UTC", "+01:00", "-09:30", "+14:00"] {
            assert_eq!(text.parse::<Zone>().unwrap().to_string(), text);
        }
        for wrong in ["", "utc", "+1:00", "+24:00", "+01:60", "01:00", "Europe/Amsterdam", "+é:00"]
        {
            assert!(wrong.parse::<Zone>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_of_the_month_follow_the_calendar() {
        let day = |text: &str| {
            let time: crate::EventTime = text.parse().unwrap();
            day_of_month(time.0.div_euclid(MICROS_PER_DAY))
        };
        for (text, expected) in
            [("2024-02-29", 29), ("2024-03-01", 1), ("1969-12-31", 31), ("2100-02-28", 28)]
        {
            assert_eq!(day(text), expected, "{text}");
        }
    }
}
