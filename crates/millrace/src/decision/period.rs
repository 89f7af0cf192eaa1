use std::str::FromStr;

use millrace_event::EventTime;
use millrace_ledger::Period;

/// Says which decisions a command is about.
#[derive(clap::Args, Clone, Debug)]
pub struct Which {
    /// Decided at or after this day or time
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Decided before this day or time
    #[arg(long, value_name = "TIME")]
    to: Option<When>,
    /// Only decisions of this name
    #[arg(long, value_name = "NAME")]
    pub decision: Option<String>,
}

impl Which {
    pub fn period(&self) -> Period {
        let time = |when: Option<When>| when.map(|When(time)| time);
        Period { from: time(self.from), to: time(self.to) }
    }
}

/// A day (its first moment, UTC) or a time.
#[derive(Clone, Copy, Debug)]
struct When(EventTime);

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse::<EventTime>());
        time.map(When)
            .map_err(|_| "write a day, 2026-01-31, or a time, 2026-01-31T12:00:00Z".to_owned())
    }
}
