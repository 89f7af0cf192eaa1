use crate::random::Random;

/// Where a card was issued, or where an address is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Country {
    Britain,
    Portugal,
    Germany,
    Mexico,
    America,
    Singapore,
}

impl Country {
    pub const ALL: [Country; 6] = [
        Country::Britain,
        Country::Portugal,
        Country::Germany,
        Country::Mexico,
        Country::America,
        Country::Singapore,
    ];

    /// The two letters of ISO 3166.
    pub fn code(self) -> &'static str {
        match self {
            Country::Britain => "GB",
            Country::Portugal => "PT",
            Country::Germany => "DE",
            Country::Mexico => "MX",
            Country::America => "US",
            Country::Singapore => "SG",
        }
    }

    /// The share of the cards that are issued here.
    pub(crate) fn share(self) -> f64 {
        match self {
            Country::Britain => 0.35,
            Country::Portugal => 0.20,
            Country::Germany => 0.15,
            Country::Mexico => 0.12,
            Country::America => 0.10,
            Country::Singapore => 0.08,
        }
    }

    /// How far the clocks here are ahead of UTC, in hours.
    pub(crate) fn clock_hours(self) -> i64 {
        match self {
            Country::Britain | Country::Portugal => 0,
            Country::Germany => 1,
            Country::Mexico => -6,
            Country::America => -5,
            Country::Singapore => 8,
        }
    }

    /// The country so many places further on, round the table.
    pub(crate) fn after(self, places: usize) -> Country {
        Country::ALL[(self as usize + places) % Country::ALL.len()]
    }

    pub(crate) fn any(random: &mut Random) -> Country {
        random.pick(&Country::ALL)
    }
}
