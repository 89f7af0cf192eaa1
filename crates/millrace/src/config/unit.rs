//! Values with a unit, as people write them: `"10m"`, `"4GiB"`.

use std::str::FromStr;

use millrace_event::Span;
use serde::{Deserialize, Deserializer, de};

/// A length of time, not negative: `"500ms"`, `"10m"`, `"24h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub Span);

/// A count of bytes: `"16MiB"`, `"4GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn parse(text: &str) -> Result<Size, String> {
        const UNITS: [(&str, u64); 5] =
            [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)];
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let size = number.parse::<u64>().ok().zip(unit).and_then(|(n, (_, u))| n.checked_mul(*u));
        size.map(Size).ok_or_else(|| {
            format!(
                "`{text}` is no size; write a whole number and B, KiB, MiB, GiB or TiB, such as \
                 \"4GiB\""
            )
        })
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        Size::parse(text)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Length, D::Error> {
        let text = String::deserialize(from)?;
        let span = text.parse().map_err(|cause| de::Error::custom(format!("`{text}`: {cause}")))?;
        Ok(Length(span))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        Size::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_of_a_known_unit() {
        assert_eq!(Size::parse("0B"), Ok(Size(0)));
        assert_eq!(Size::parse("3KiB"), Ok(Size(3_072)));
        assert_eq!(Size::parse("16383PiB").ok(), None);
        assert_eq!(Size::parse("2TiB"), Ok(Size(2 << 40)));
        for wrong in
            ["", "4", "GiB", "4GB", "1.5GiB", "-1B", "99999999999999999999B", "16777216TiB"]
        {
            assert!(Size::parse(wrong).is_err(), "{wrong}");
        }
    }
}
