//! `millrace audit`: every logged decision of a period, decided again and compared.

use millrace_ledger::{Audit, Difference, Obstacle};
use serde_json::{Value, json};

use super::period::Which;
use crate::console::{counted, duration, grouped, note, say, spinner};
use crate::exit::Failure;
use crate::project::DataPlace;

/// Decides logged decisions again from the event log, and compares every value bit for bit
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace audit
  millrace audit --from 2026-01-05 --to 2026-01-06 --decision authorise
  millrace audit --json | jq .differences

One pass over the event log: each decision is made again from the events that it had counted, by the
same definitions and models, and every value of its vector, every score and its outcome is compared
with what was logged. What cannot be decided again is counted, with the reason. The code is 1 when
anything differs, when a part of either log cannot be read, or when nothing at all could be
decided again. It may run beside the server.")]
pub struct AuditArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    place: DataPlace,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub fn audit(args: &AuditArgs) -> Result<(), Failure> {
    let opened = super::open(&args.place)?;
    opened.check_name(args.which.decision.as_deref())?;
    let mut auditor = opened.auditor()?;
    let begun = std::time::Instant::now();
    let bar = spinner("deciding again");
    let seen = |n| bar.set_position(n);
    let audit = auditor.audit(&args.which.period(), args.which.decision.as_deref(), seen)?;
    bar.finish_and_clear();
    if args.json {
        say!("{}", as_json(&audit))?;
    } else {
        tell(&audit)?;
        say!("in {}", duration(begun.elapsed()))?;
    }
    super::note_unreadable(&audit.unreadable);
    if audit.obstacles.keys().any(Obstacle::is_change) {
        note!(
            "what was defined otherwise is compared by the definitions of then: audit in a copy of \
             the project as it was, with --data and this data directory"
        );
    }
    if audit.is_blind() {
        note!("none of the decisions could be made again: this says nothing of them");
    }
    if audit.is_clean() && !audit.is_blind() { Ok(()) } else { Err(Failure::reported()) }
}

fn tell(audit: &Audit) -> Result<(), Failure> {
    let all = counted(audit.decisions as usize, "decision");
    say!("{all}, {} compared", counted(audit.compared as usize, "value"))?;
    say!("  {:>12} agree, bit for bit", grouped(audit.agreed))?;
    say!("  {:>12} differ", grouped(audit.differed))?;
    if audit.in_part > 0 {
        say!("  {:>12} agree as far as they could be decided again", grouped(audit.in_part))?;
    }
    if audit.not_recomputed > 0 {
        say!("  {:>12} could not be decided again", grouped(audit.not_recomputed))?;
    }
    if audit.removed > 0 {
        let removed = counted(audit.removed as usize, "older decision");
        say!("{removed} had been removed from the log: see storage.decisions_max")?;
    }
    for (obstacle, count) in &audit.obstacles {
        say!("not compared: {}: {obstacle}", grouped(*count))?;
    }
    for (part, tally) in &audit.differences {
        say!("differs: {part}, {}", counted(tally.count as usize, "time"))?;
        for (id, at, Difference { logged, recomputed, part: _ }) in &tally.examples {
            say!("  {id} at {at}: logged {logged}, recomputed {recomputed}")?;
        }
    }
    Ok(())
}

fn as_json(audit: &Audit) -> Value {
    let differences = audit.differences.iter().map(|(part, tally)| {
        let examples = tally.examples.iter().map(|(id, at, difference)| {
            json!({
                "id": id.to_string(),
                "decided_at": at.to_string(),
                "logged": difference.logged,
                "recomputed": difference.recomputed,
            })
        });
        json!({
            "part": part.to_string(),
            "count": tally.count,
            "examples": examples.collect::<Vec<_>>(),
        })
    });
    let obstacles = audit
        .obstacles
        .iter()
        .map(|(obstacle, count)| json!({ "reason": obstacle.to_string(), "count": count }));
    json!({
        "decisions": audit.decisions,
        "agreed": audit.agreed,
        "differed": audit.differed,
        "in_part": audit.in_part,
        "not_recomputed": audit.not_recomputed,
        "removed": audit.removed,
        "unreadable": super::unreadable_json(&audit.unreadable),
        "values_compared": audit.compared,
        "obstacles": obstacles.collect::<Vec<_>>(),
        "differences": differences.collect::<Vec<_>>(),
    })
}
