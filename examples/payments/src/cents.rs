use std::fmt;

/// Money in hundredths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cents(pub u32);

impl Cents {
    /// The smallest and largest amount of a payment.
    pub const PAYMENT_MIN: Cents = Cents(50);
    pub const PAYMENT_MAX: Cents = Cents(600_000);

    /// An amount in units, rounded to the nearest hundredth.
    pub fn of_units(units: f64) -> Cents {
        Cents((units * 100.0).round() as u32)
    }

    /// The amount of a payment: clipped to what a payment may be, then rounded.
    pub fn of_payment(units: f64) -> Cents {
        Cents::of_units(units).clamp(Cents::PAYMENT_MIN, Cents::PAYMENT_MAX)
    }

    pub fn units(self) -> f64 {
        f64::from(self.0) / 100.0
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
    fn amounts_have_two_digits_and_stay_inside_their_limits() {
        let mut out = Vec::new();
        Cents(1203).write(&mut out);
        assert_eq!(out, b"12.03");
        assert_eq!(Cents(7).to_string(), "0.07");
        assert_eq!(Cents::of_payment(0.499), Cents::PAYMENT_MIN);
        assert_eq!(Cents::of_payment(0.506), Cents(51));
        assert_eq!(Cents::of_payment(5_999.994), Cents(599_999));
        assert_eq!(Cents::of_payment(1e12), Cents::PAYMENT_MAX);
    }
}
