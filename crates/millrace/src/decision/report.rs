//! `millrace decision report`: what a shadow model would have changed, in decisions and in money.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::{EventTime, Span};
use millrace_feature::plan::Outcome;
use millrace_ledger::{Amount, Challenge, DayRow, Entries, Entry, Report, ScoreSpread, is_amount};
use serde_json::{Value, json};

use super::period::Which;
use crate::config::did_you_mean;
use crate::console::{counted, grouped, note, say};
use crate::exit::Failure;
use crate::project::DataPlace;

/// Shares of the scores that are told.
const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];

/// Compares shadow models with those that act, on the decisions that were taken
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace decision report --amount amount
  millrace decision report --decision authorise --from 2026-01-05 --json

For each shadow and each score the rules are tried again on what was logged, with the shadow's score
in the place of that score and all else as it was. That assumes that the same thresholds are right
for it, and that other outcomes would not have changed what came next.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The field of the event that says how much money it is about: an int or a decimal
    #[arg(long, value_name = "FIELD")]
    amount: Option<String>,
    #[command(flatten)]
    place: DataPlace,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub fn report(args: &Args) -> Result<(), Failure> {
    let opened = super::open(&args.place)?;
    opened.check_name(args.which.decision.as_deref())?;
    let plan = &opened.project.plan;
    let mut reports: BTreeMap<String, Report> = BTreeMap::new();
    let mut entries = Entries::open(Arc::clone(&opened.disk))?;
    let period = args.which.period();
    let mut amounts = Amounts::of(args.amount.as_deref());
    while let Some(entry) = entries.next_within(&period)? {
        let name = &entry.form().name;
        if args.which.decision.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let amount = amounts.of_entry(&entry);
        let decision = plan.decision(name).map(|d| &plan.decisions[d]);
        reports.entry(name.clone()).or_default().count(&entry, decision, amount);
    }
    amounts.check()?;
    super::note_unreadable(entries.unreadable());
    if args.json {
        let unreadable = super::unreadable_json(entries.unreadable());
        let all = reports.iter().map(|(name, report)| {
            let mut one = as_json(name, report);
            one["unreadable"] = unreadable.clone();
            one
        });
        return say!("{}", Value::Array(all.collect()));
    }
    if reports.is_empty() {
        return say!("no decisions");
    }
    for (name, report) in &reports {
        tell(name, report, args.amount.is_some())?;
    }
    Ok(())
}

/// Where the events of each start have the field. One that an older start did not have yet is no
/// reason to say nothing of the others.
struct Amounts<'a> {
    field: Option<&'a str>,
    /// By the number of the start and the index of the decision in it.
    found: BTreeMap<(u64, usize), Amount>,
    is_found: bool,
    /// Why it was not found where it was looked for first.
    failure: Option<Failure>,
}

impl<'a> Amounts<'a> {
    fn of(field: Option<&'a str>) -> Amounts<'a> {
        Amounts { field, found: BTreeMap::new(), is_found: false, failure: None }
    }

    fn of_entry(&mut self, entry: &Entry) -> Amount {
        let Some(field) = self.field else { return Amount::NotAsked };
        let start = (entry.record.run, entry.record.decision);
        if let Some(amount) = self.found.get(&start) {
            return *amount;
        }
        let amount = match amount(entry, field) {
            Ok(at) => {
                self.is_found = true;
                Amount::Field(at)
            }
            Err(failure) => {
                self.failure.get_or_insert(failure);
                Amount::NoField
            }
        };
        self.found.insert(start, amount);
        amount
    }

    /// # Errors
    /// When no decision had such a field: it is a slip.
    fn check(&mut self) -> Result<(), Failure> {
        match self.failure.take() {
            Some(failure) if !self.is_found => Err(failure),
            Some(_) | None => Ok(()),
        }
    }
}

fn amount(entry: &Entry, field: &str) -> Result<usize, Failure> {
    let fields = &entry.form().fields;
    let at = fields.iter().position(|f| f.name == field).ok_or_else(|| {
        let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        let stream = &entry.form().stream;
        Failure::usage(format!(
            "--amount: stream `{stream}` has no field `{field}`; {}",
            did_you_mean(field, known)
        ))
    })?;
    match fields.get(at).filter(|f| is_amount(&f.ty)) {
        Some(_) => Ok(at),
        None => Err(Failure::usage(format!("--amount: `{field}` is no int and no decimal"))),
    }
}

fn tell(name: &str, report: &Report, has_amount: bool) -> Result<(), Failure> {
    say!("decision {name}: {}", counted(report.decisions as usize, "decision"))?;
    if report.other_definition > 0 {
        let other = counted(report.other_definition as usize, "decision");
        note!("{other} were taken by other rules, and are not tried again");
    }
    if report.without_money > 0 {
        let without = counted(report.without_money as usize, "decision");
        note!("{without} had no such amount, and add no money");
    }
    say!("  {:<12} {}", "day (UTC)", heads(has_amount))?;
    for (day, row) in &report.days {
        say!("  {:<12} {}", day_text(*day), row_text(row, report.amount_scale, has_amount))?;
    }
    for (kind, spreads) in [("score", &report.scores), ("shadow", &report.shadows)] {
        for (model, spread) in spreads {
            let [p50, p90, p99, p999, max] = spread.quantiles(SHARES);
            say!(
                "  {kind} {model}: p50 {p50:.6}, p90 {p90:.6}, p99 {p99:.6}, p99.9 {p999:.6}, max {max:.6}"
            )?;
            say!("    by tenths of 0 to 1: {}", spread.tenths().map(grouped).join(" "))?;
        }
    }
    for ((shadow, score), challenge) in &report.challenges {
        tell_challenge((shadow, score), challenge, report.amount_scale, has_amount)?;
    }
    Ok(())
}

fn tell_challenge(
    (shadow, score): (&str, &str),
    challenge: &Challenge,
    scale: u8,
    has_amount: bool,
) -> Result<(), Failure> {
    let share = 100.0 * challenge.agreed() as f64 / challenge.decisions().max(1) as f64;
    say!("  {shadow} in the place of {score}: the same outcome for {share:.3} %")?;
    for (was, row) in Outcome::ALL.iter().zip(challenge.counts.iter().zip(&challenge.money)) {
        for (would_be, (count, money)) in Outcome::ALL.iter().zip(row.0.iter().zip(row.1)) {
            if *count > 0 && was != would_be {
                let money = if has_amount {
                    format!(", {}", money_text(*money, scale))
                } else {
                    String::new()
                };
                say!("    {was} would be {would_be}: {}{money}", grouped(*count))?;
            }
        }
    }
    for (day, row) in &challenge.days {
        say!("    {:<12} {}", day_text(*day), row_text(row, scale, has_amount))?;
    }
    Ok(())
}

fn heads(has_amount: bool) -> String {
    let one = |outcome: &Outcome| match has_amount {
        true => format!("{:>10} {:>16}", outcome.name(), "money"),
        false => format!("{:>10}", outcome.name()),
    };
    Outcome::ALL.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn row_text(row: &DayRow, scale: u8, has_amount: bool) -> String {
    let one = |(count, money): (&u64, &i128)| match has_amount {
        true => format!("{:>10} {:>16}", grouped(*count), money_text(*money, scale)),
        false => format!("{:>10}", grouped(*count)),
    };
    row.counts.iter().zip(&row.money).map(one).collect::<Vec<_>>().join(" ")
}

fn money_text(money: i128, scale: u8) -> String {
    let unit = 10i128.pow(u32::from(scale));
    let sign = if money < 0 { "-" } else { "" };
    let whole = grouped(u64::try_from((money / unit).unsigned_abs()).unwrap_or(u64::MAX));
    if scale == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{:0width$}", (money % unit).unsigned_abs(), width = usize::from(scale))
}

fn day_text(day: i64) -> String {
    let at = EventTime(day.saturating_mul(Span::days(1).0)).to_string();
    at.chars().take(10).collect()
}

fn as_json(name: &str, report: &Report) -> Value {
    let scale = report.amount_scale;
    let days = |days: &BTreeMap<i64, DayRow>| {
        let day = |(day, row): (&i64, &DayRow)| {
            let mut one = json!({ "day": day_text(*day) });
            for (outcome, (count, money)) in
                Outcome::ALL.iter().zip(row.counts.iter().zip(&row.money))
            {
                let money = money_text(*money, scale).replace(',', "");
                one[outcome.name()] = json!({ "count": count, "money": money });
            }
            one
        };
        days.iter().map(day).collect::<Vec<_>>()
    };
    let spreads = |spreads: &BTreeMap<String, ScoreSpread>| {
        let one = |(model, spread): (&String, &ScoreSpread)| {
            let [p50, p90, p99, p999, max] = spread.quantiles(SHARES);
            json!({
                "model": model, "count": spread.count(), "tenths": spread.tenths(),
                "p50": p50, "p90": p90, "p99": p99, "p99_9": p999, "max": max,
            })
        };
        spreads.iter().map(one).collect::<Vec<_>>()
    };
    let challenges = report.challenges.iter().map(|((shadow, score), challenge)| {
        json!({
            "shadow": shadow,
            "score": score,
            "decisions": challenge.decisions(),
            "same_outcome": challenge.agreed(),
            "outcomes": Outcome::ALL.map(Outcome::name),
            "counts": challenge.counts,
            "money": challenge.money.map(|row| row.map(|m| money_text(m, scale).replace(',', ""))),
            "days": days(&challenge.days),
        })
    });
    json!({
        "decision": name,
        "decisions": report.decisions,
        "other_definition": report.other_definition,
        "without_money": report.without_money,
        "days": days(&report.days),
        "scores": spreads(&report.scores),
        "shadows": spreads(&report.shadows),
        "challenges": challenges.collect::<Vec<_>>(),
    })
}
