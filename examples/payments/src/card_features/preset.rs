use std::fmt;

/// What makes a data set of the workload. A shorter run is a prefix of a longer one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    pub seed: u64,
    pub rows: u32,
    /// Events per second of event time.
    pub rate: f64,
    /// The exponent of Zipf's law, over cards and over merchants: 0 is even, 1 is steep.
    pub zipf: f64,
    pub cards: u32,
    pub merchants: u32,
    /// The share of events whose time lies in the past.
    pub out_of_order: f64,
}

impl Workload {
    const fn new(rows: u32, rate: f64, zipf: f64) -> Workload {
        let (cards, merchants) = (200_000, 10_000);
        Workload { seed: 20_261_123, rows, rate, zipf, cards, merchants, out_of_order: 0.01 }
    }
}

/// The data sets that are spoken of by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Preset {
    A5m,
    A1m,
    A100k,
    B5m,
    B100k,
    C5m,
    C1m,
    C100k,
}

impl Preset {
    pub const ALL: [Preset; 8] = [
        Preset::A5m,
        Preset::A1m,
        Preset::A100k,
        Preset::B5m,
        Preset::B100k,
        Preset::C5m,
        Preset::C1m,
        Preset::C100k,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Preset::A5m => "a5m",
            Preset::A1m => "a1m",
            Preset::A100k => "a100k",
            Preset::B5m => "b5m",
            Preset::B100k => "b100k",
            Preset::C5m => "c5m",
            Preset::C1m => "c1m",
            Preset::C100k => "c100k",
        }
    }

    /// `a`: 2,000 events a second on hot keys (5 M rows last 42 minutes, so no long window ever
    /// expires). `b`: hot keys, and every window expires. `c`: 20 a second, and no hot key.
    pub fn workload(self) -> Workload {
        const HOT: f64 = 1.05;
        const MILD: f64 = 0.5;
        match self {
            Preset::A5m => Workload::new(5_000_000, 2_000.0, HOT),
            Preset::A1m => Workload::new(1_000_000, 2_000.0, HOT),
            Preset::A100k => Workload::new(100_000, 2_000.0, HOT),
            Preset::B5m => Workload::new(5_000_000, 20.0, HOT),
            Preset::B100k => Workload::new(100_000, 1.0, HOT),
            Preset::C5m => Workload::new(5_000_000, 20.0, MILD),
            Preset::C1m => Workload::new(1_000_000, 20.0, MILD),
            Preset::C100k => Workload::new(100_000, 20.0, MILD),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Preset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Preset, Self::Err> {
        let named = Preset::ALL.into_iter().find(|preset| preset.name() == text);
        named.ok_or("a data set is one of a5m, a1m, a100k, b5m, b100k, c5m, c1m, c100k")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
        assert!("a2m".parse::<Preset>().is_err());
    }
}
