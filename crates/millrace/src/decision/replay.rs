//! `millrace decision replay`: one logged decision beside the same one, decided again.

use std::sync::Arc;

use millrace_ledger::{
    DecisionId, Difference, Entries, Entry, Recomputed, cell_text, outcome_text, score_text,
};
use millrace_serving::model::Score;
use serde_json::{Value, json};

use crate::console::{note, say};
use crate::exit::Failure;
use crate::project::DataPlace;

/// Decides one logged decision again, and prints the two side by side
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace decision replay 019a0b1c-2d3e-7000-8f00-0123456789ab
  millrace decision replay 019a0b1c-2d3e-7000-8f00-0123456789ab --project risk --json

The state of all features is found again from the event log, as of the record of it that the
decision had counted last. The code is 1 when anything differs, or cannot be decided again.")]
pub struct Args {
    /// The id in the decision's answer
    id: DecisionId,
    #[command(flatten)]
    place: DataPlace,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// One part, as it was logged and as it is.
struct Line {
    part: String,
    logged: String,
    recomputed: Option<String>,
}

pub fn replay(args: &Args) -> Result<(), Failure> {
    let opened = super::open(&args.place)?;
    let mut entries = Entries::open(Arc::clone(&opened.disk))?;
    let found = entries.find(args.id)?;
    super::note_unreadable(entries.unreadable());
    let entry = found.ok_or_else(|| {
        Failure::user(format!(
            "no decision {} is in the log of {}; {} older ones were removed from it",
            args.id,
            opened.project.name(),
            entries.removed()
        ))
    })?;
    let (recomputed, differences) = opened.auditor()?.recompute(&entry);
    let lines = lines(&entry, &recomputed);
    if args.json {
        let mut told = as_json(&entry, &lines, &recomputed, &differences);
        told["unreadable"] = super::unreadable_json(entries.unreadable());
        say!("{told}")?;
    } else {
        tell(&entry, &lines)?;
    }
    recomputed.obstacles.iter().for_each(|obstacle| note!("not compared: {obstacle}"));
    match differences.first() {
        Some(Difference { part, logged, recomputed }) => Err(Failure::user(format!(
            "{part} differs first: logged {logged}, recomputed {recomputed}"
        ))),
        None if recomputed.obstacles.is_empty() && args.json => Ok(()),
        None if recomputed.obstacles.is_empty() => {
            say!("all {} parts agree, bit for bit", lines.len())
        }
        None => Err(Failure::user("not all of it could be decided again")),
    }
}

fn lines(entry: &Entry, recomputed: &Recomputed) -> Vec<Line> {
    let (form, record) = (entry.form(), &entry.record);
    let mut lines = Vec::new();
    for (at, (column, cell)) in form.columns.iter().zip(&record.vector).enumerate() {
        lines.push(Line {
            part: column.name.clone(),
            logged: cell_text(cell, &column.ty),
            recomputed: recomputed.vector.get(at).map(|cell| cell_text(cell, &column.ty)),
        });
    }
    for (kind, models, logged, again) in [
        ("score", &form.scores, &record.scores, &recomputed.scores),
        ("shadow", &form.shadows, &record.shadows, &recomputed.shadows),
    ] {
        for (at, (model, score)) in models.iter().zip(logged).enumerate() {
            let again: Option<&Score> = again.get(at).and_then(Option::as_ref);
            lines.push(Line {
                part: format!("{kind} {}", model.name),
                logged: score_text(score),
                recomputed: again.map(score_text),
            });
        }
    }
    lines.push(Line {
        part: "outcome".to_owned(),
        logged: outcome_text(entry, (record.outcome, record.rule)),
        recomputed: recomputed.outcome.map(|outcome| outcome_text(entry, outcome)),
    });
    lines
}

fn tell(entry: &Entry, lines: &[Line]) -> Result<(), Failure> {
    let (form, record) = (entry.form(), &entry.record);
    say!("{} {}", form.name, record.id)?;
    say!("decided at {}, frontier {}", record.decided_at, record.frontier)?;
    let width = |of: fn(&Line) -> &str| lines.iter().map(|l| of(l).chars().count()).max();
    let part = width(|line| &line.part).unwrap_or(0);
    let logged = width(|line| &line.logged).unwrap_or(0).max("logged".len());
    say!("{:part$}  {:logged$}  recomputed", "", "logged")?;
    for line in lines {
        let again = line.recomputed.as_deref().unwrap_or("-");
        let mark =
            if line.recomputed.as_ref().is_none_or(|r| *r == line.logged) { "" } else { "  !" };
        say!("{:part$}  {:logged$}  {again}{mark}", line.part, line.logged)?;
    }
    Ok(())
}

fn as_json(
    entry: &Entry,
    lines: &[Line],
    recomputed: &Recomputed,
    differences: &[Difference],
) -> Value {
    let parts = lines.iter().map(
        |line| json!({ "part": line.part, "logged": line.logged, "recomputed": line.recomputed }),
    );
    let obstacles = recomputed.obstacles.iter().map(ToString::to_string);
    json!({
        "decision": entry.form().name,
        "id": entry.record.id.to_string(),
        "decided_at": entry.record.decided_at.to_string(),
        "frontier": entry.record.frontier,
        "parts": parts.collect::<Vec<_>>(),
        "obstacles": obstacles.collect::<Vec<_>>(),
        "first_difference": differences.first().map(|d| d.part.to_string()),
    })
}
