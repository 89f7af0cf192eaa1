//! Times and spans as they are given on the command line.

use std::ops::Range;
use std::str::FromStr;

use millrace_batch::AsOf;
use millrace_event::{EventTime, Span};

use crate::exit::Failure;

/// A day (its first moment, UTC) or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When(pub EventTime);

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        let day = format!("{text}T00:00:00Z");
        let time = text.parse().or_else(|_| day.parse::<EventTime>());
        time.map(When)
            .map_err(|_| "write a day, 2026-01-31, or a time, 2026-01-31T12:00:00Z".to_owned())
    }
}

/// Which events get a row; earlier ones still count in features.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Period {
    /// Only events at this time or later; earlier ones still count in features
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    to: Option<When>,
}

impl Period {
    pub fn rows(self) -> Result<Range<EventTime>, Failure> {
        let time = |given: Option<When>, default| given.map_or(default, |When(time)| time);
        let rows = time(self.from, EventTime::MIN)..time(self.to, EventTime::MAX);
        if rows.is_empty() {
            return Err(Failure::usage("--to is not after --from; there would be no event"));
        }
        Ok(rows)
    }
}

/// A span that is more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub Span);

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Delay, String> {
        let span: Span = text.parse().map_err(|e: &'static str| e.to_owned())?;
        if span.0 <= 0 {
            return Err(
                "write a span, such as 5m; without it, features are as of the event".to_owned()
            );
        }
        Ok(Delay(span))
    }
}

/// How often a job runs that computes the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AsOfGrid {
    Hourly,
    Daily,
}

pub fn asof(delay: Option<Delay>, grid: Option<AsOfGrid>) -> AsOf {
    match (delay, grid) {
        (Some(Delay(delay)), _) => AsOf::Delay(delay),
        (None, Some(AsOfGrid::Hourly)) => AsOf::Every(Span::hours(1)),
        (None, Some(AsOfGrid::Daily)) => AsOf::Every(Span::hours(24)),
        (None, None) => AsOf::Event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_times_and_delays_are_told_apart_from_nonsense() {
        let When(day) = "2026-01-31".parse().unwrap();
        assert_eq!("2026-01-31T00:00:00Z".parse(), Ok(When(day)));
        assert!("2026-02-30".parse::<When>().is_err() && "yesterday".parse::<When>().is_err());
        assert_eq!("5m".parse(), Ok(Delay(Span::minutes(5))));
        assert!("0s".parse::<Delay>().is_err() && "5".parse::<Delay>().is_err());
    }
}
