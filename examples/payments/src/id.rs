//! Ids as numbers inside and as readable text outside: `card_000123`.
//!
//! Numbers are padded, so that payment ids sort as text in the order in which they were made.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($number:ty) = $prefix:literal, $digits:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $number);

        impl $name {
            /// Appends the text of the id.
            pub fn write(self, out: &mut Vec<u8>) {
                write_padded(out, $prefix, u64::from(self.0), $digits);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:0width$}"), self.0, width = $digits)
            }
        }
    )*};
}

ids! {
    /// `p_0000000001`: ascending in the order of time.
    PaymentId(u64) = "p_", 10;
    /// `card_000123`: numbered in the order in which cards first pay.
    CardId(u32) = "card_", 6;
    /// `bin_017`: the issuer's range that a card number begins with.
    BinId(u16) = "bin_", 3;
    /// `device_000123`: numbered in the order in which devices first appear.
    DeviceId(u32) = "device_", 6;
    /// `ip_000123`: numbered in the order in which addresses first appear.
    IpId(u32) = "ip_", 6;
    /// `merchant_017`.
    MerchantId(u16) = "merchant_", 3;
}

fn write_padded(out: &mut Vec<u8>, prefix: &str, number: u64, digits: usize) {
    out.extend_from_slice(prefix.as_bytes());
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    out.resize(out.len() + digits.saturating_sub(text.len()), b'0');
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_displayed_alike() {
        let mut out = Vec::new();
        CardId(123).write(&mut out);
        assert_eq!(out, b"card_000123");
        assert_eq!(CardId(123).to_string(), "card_000123");
        assert_eq!(CardId(12_345_678).to_string(), "card_12345678");
        out.clear();
        PaymentId(9_000_000_001).write(&mut out);
        assert_eq!(out, b"p_9000000001");
        assert_eq!(MerchantId(7).to_string(), "merchant_007");
    }
}
