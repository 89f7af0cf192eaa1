use std::fmt;

/// A moment in event time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventTime(pub i64);

/// A length of time in microseconds; may be negative when it is a difference of two moments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(pub i64);

impl EventTime {
    /// Before every event: the watermark of a stream that has seen nothing.
    pub const MIN: EventTime = EventTime(i64::MIN);
    pub const MAX: EventTime = EventTime(i64::MAX);

    #[must_use]
    pub fn minus(self, span: Span) -> EventTime {
        EventTime(self.0.saturating_sub(span.0))
    }

    #[must_use]
    pub fn plus(self, span: Span) -> EventTime {
        EventTime(self.0.saturating_add(span.0))
    }

    /// `self − earlier`, saturating at the ends of the range.
    #[must_use]
    pub fn since(self, earlier: EventTime) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The largest multiple of `grid` that is not after `self` (`⌊t⌋ᵣ`; the grid starts at the epoch).
    #[must_use]
    pub fn floor_to(self, grid: Span) -> EventTime {
        EventTime(self.0.saturating_sub(self.0.rem_euclid(grid.0)))
    }
}

impl Span {
    pub const fn micros(n: i64) -> Span {
        Span(n)
    }
    pub const fn millis(n: i64) -> Span {
        Span(n * 1_000)
    }
    pub const fn seconds(n: i64) -> Span {
        Span(n * 1_000_000)
    }
    pub const fn minutes(n: i64) -> Span {
        Span(n * 60_000_000)
    }
    pub const fn hours(n: i64) -> Span {
        Span(n * 3_600_000_000)
    }
    pub const fn days(n: i64) -> Span {
        Span(n * 86_400_000_000)
    }
}

const UNITS: [(i64, &str); 6] = [
    (86_400_000_000, "d"),
    (3_600_000_000, "h"),
    (60_000_000, "m"),
    (1_000_000, "s"),
    (1_000, "ms"),
    (1, "us"),
];

/// The shortest way to write it in the language: `90m`, `36h`, `1500ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in UNITS {
            if self.0 % unit == 0 && self.0 != 0 {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "0s")
    }
}

impl std::str::FromStr for Span {
    type Err = &'static str;

    /// Reads `500ms`, `10m`, `24h`, `30d` (units `us ms s m h d`); a whole number and one unit.
    fn from_str(text: &str) -> Result<Span, Self::Err> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: i64 =
            number.parse().map_err(|_| "a duration is a whole number and a unit, such as 10m")?;
        let (scale, _) = UNITS
            .iter()
            .find(|(_, name)| *name == unit)
            .ok_or("a duration ends in one of us, ms, s, m, h, d, such as 10m")?;
        number.checked_mul(*scale).map(Span).ok_or("this duration is too long")
    }
}

/// ISO 8601 in UTC with as many fractional digits as needed: `2026-01-01T00:00:00Z`.
impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(86_400_000_000);
        let in_day = self.0.rem_euclid(86_400_000_000);
        let (year, month, day) = civil_from_days(days);
        let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}")?;
        if micros != 0 {
            if micros % 1_000 == 0 {
                write!(f, ".{:03}", micros / 1_000)?;
            } else {
                write!(f, ".{micros:06}")?;
            }
        }
        write!(f, "Z")
    }
}

impl std::str::FromStr for EventTime {
    type Err = &'static str;

    /// Reads RFC 3339: `2026-01-01T12:00:00Z`, with up to six fractional digits and `Z` or an
    /// offset `+01:00`; `T` may be a space; a bare date means midnight.
    fn from_str(text: &str) -> Result<EventTime, Self::Err> {
        parse_time(text.as_bytes()).ok_or("a time is written like 2026-01-01T12:00:00Z")
    }
}

fn parse_time(b: &[u8]) -> Option<EventTime> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = b.get(from..to)?;
        let mut n = 0i64;
        for d in digits {
            n = n * 10 + i64::from(d.is_ascii_digit().then(|| d - b'0')?);
        }
        Some(n)
    };
    let is = |at: usize, c: &[u8]| b.get(at).is_some_and(|x| c.contains(x));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !is(4, b"-") || !is(7, b"-") || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let midnight = days * 86_400_000_000;
    if b.len() == 10 {
        return Some(EventTime(midnight));
    }
    let (h, m, s) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !is(10, b"Tt ") || !is(13, b":") || !is(16, b":") || h > 23 || m > 59 || s > 59 {
        return None;
    }
    let mut at = 19;
    let mut micros = 0i64;
    if is(at, b".") {
        at += 1;
        let start = at;
        while b.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == start || at - start > 6 {
            return None;
        }
        micros = number(start, at)? * 10i64.pow(6 - u32::try_from(at - start).ok()?);
    }
    let offset_minutes = match b.get(at)? {
        b'Z' | b'z' if at + 1 == b.len() => 0,
        sign @ (b'+' | b'-') if b.len() == at + 6 && is(at + 3, b":") => {
            let (oh, om) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if oh > 23 || om > 59 {
                return None;
            }
            (oh * 60 + om) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = h * 3600 + m * 60 + s - offset_minutes * 60;
    Some(EventTime(midnight + seconds * 1_000_000 + micros))
}

/// Howard Hinnant, "chrono-compatible low-level date algorithms".
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_read() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-01-01T23:59:59.999999Z",
            "1969-12-31T23:59:59.500Z",
            "2024-02-29T12:00:00Z",
        ] {
            let time: EventTime = text.parse().unwrap();
            assert_eq!(time.to_string(), text);
        }
        assert_eq!("2026-01-01".parse::<EventTime>().unwrap(), EventTime(1_767_225_600_000_000));
        assert_eq!(
            "2026-01-01T01:00:00+01:00".parse::<EventTime>().unwrap(),
            EventTime(1_767_225_600_000_000)
        );
        for wrong in
            ["2026-02-30", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "x", "", "2026-01-01}"]
        {
            assert!(wrong.parse::<EventTime>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_written_as_they_are_read() {
        for text in ["500ms", "10m", "90m", "30d", "1us", "25h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!(EventTime(-1).floor_to(Span(10)), EventTime(-10));
    }
}
