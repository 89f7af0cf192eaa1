use std::fmt;

/// Money in hundredths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cents(pub u64);

impl Cents {
    /// The hundredth nearest to an amount in units, and of two equally near ones the even one:
    /// what `round(units, 2)` of Python is. The float counts for what it is, and not for the
    /// digits that it is written with: 1.005 is a little less than that.
    pub fn of_units(units: f64) -> Cents {
        let hundredths = units * 100.0;
        let below = hundredths.floor();
        let rest = hundredths - below;
        // The product is rounded; only where it lies half way can the exact one lie elsewhere.
        let exact_minus_rounded = libm::fma(units, 100.0, -hundredths);
        let is_odd = below % 2.0 != 0.0;
        let is_up = rest > 0.5
            || rest == 0.5 && (exact_minus_rounded > 0.0 || exact_minus_rounded == 0.0 && is_odd);
        Cents(below as u64 + u64::from(is_up))
    }

    /// Appends it with two digits after the point: `12.30`.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(self.0 / 100).as_bytes());
        let rest = (self.0 % 100) as u8;
        out.extend_from_slice(&[b'.', b'0' + rest / 10, b'0' + rest % 10]);
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_as_python_does() {
        let cases = [
            (0.0, 0),
            (0.004_999, 0),
            (12.03, 1_203),
            (1.005, 100), // 1.00499…
            (2.675, 267), // 2.67499…
            // Half way once they are multiplied by 100, but a little more or less than that before.
            (0.025, 3),
            (0.045, 4),
            (0.065, 7),
            (0.075, 7),
            (1.115, 111),
            (0.125, 12), // half way: the even one
            (0.375, 38),
            (219.995, 22_000), // 219.99500…1
            (499.999, 50_000),
        ];
        for (units, cents) in cases {
            assert_eq!(Cents::of_units(units), Cents(cents), "{units}");
        }
    }

    #[test]
    fn amounts_have_two_digits() {
        let mut out = Vec::new();
        Cents(1203).write(&mut out);
        assert_eq!(out, b"12.03");
        assert_eq!(Cents(7).to_string(), "0.07");
    }
}
