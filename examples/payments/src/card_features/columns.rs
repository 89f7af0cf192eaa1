/// What one payment's card did in a window before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CardWindow {
    pub count: u32,
    pub sum_cents: i64,
    /// 0 when the window is empty: no payment is that small.
    pub max_cents: u32,
}

/// What one payment's merchant did in the hour before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MerchantWindow {
    pub count: u32,
    pub sum_cents: i64,
    pub declined: u32,
}

/// The sixteen columns of one payment; the payment itself is not counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Columns {
    /// Over 10 minutes, 1 hour, 24 hours.
    pub card: [CardWindow; 3],
    /// Distinct merchants of the card over 24 hours.
    pub merchants: u32,
    /// Over 1 hour.
    pub merchant: MerchantWindow,
}

impl CardWindow {
    /// In units; `None` for an empty window. Both integers are exact floats, so the one division
    /// gives the float nearest to the true mean.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_cents as f64 / (f64::from(self.count) * 100.0))
    }
}

impl MerchantWindow {
    pub fn declined_ratio(&self) -> Option<f64> {
        (self.count > 0).then(|| f64::from(self.declined) / f64::from(self.count))
    }
}

impl Columns {
    pub const COUNT: usize = 16;

    /// As the view calls them, in its order and that of [`Columns::words`].
    pub const NAMES: [&str; Columns::COUNT] = [
        "payments_10m",
        "payments_1h",
        "payments_24h",
        "spend_10m",
        "spend_1h",
        "spend_24h",
        "mean_10m",
        "mean_1h",
        "mean_24h",
        "largest_10m",
        "largest_1h",
        "largest_24h",
        "merchants_24h",
        "sales_1h",
        "turnover_1h",
        "declined_ratio",
    ];

    /// The columns as words, in the order of the view: counts and distinct as they are, sums and
    /// largest amounts in hundredths, means and ratio as the bits of a float, null as 0. That a
    /// null and a zero look alike loses nothing: the counts tell them apart.
    pub fn words(&self) -> [u64; Columns::COUNT] {
        let [a, b, c] = self.card;
        let mean = |window: CardWindow| bits(window.mean());
        [
            u64::from(a.count),
            u64::from(b.count),
            u64::from(c.count),
            a.sum_cents as u64,
            b.sum_cents as u64,
            c.sum_cents as u64,
            mean(a),
            mean(b),
            mean(c),
            u64::from(a.max_cents),
            u64::from(b.max_cents),
            u64::from(c.max_cents),
            u64::from(self.merchants),
            u64::from(self.merchant.count),
            self.merchant.sum_cents as u64,
            bits(self.merchant.declined_ratio()),
        ]
    }

    /// Adds up over rows in any order (wrapping): Σ word × (2·column + 1)·K for a large odd K.
    /// Another engine that gives the same words gets the same number.
    pub fn checksum(&self) -> u64 {
        let mut weight = CHECKSUM_WEIGHT;
        self.words().into_iter().fold(0u64, |sum, word| {
            let term = word.wrapping_mul(weight);
            weight = weight.wrapping_add(CHECKSUM_WEIGHT.wrapping_mul(2));
            sum.wrapping_add(term)
        })
    }
}

const CHECKSUM_WEIGHT: u64 = 0x9e37_79b9_7f4a_7c15;

fn bits(value: Option<f64>) -> u64 {
    value.map_or(0, f64::to_bits)
}
