use millrace_ledger::Period;

use crate::history::when::When;

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
